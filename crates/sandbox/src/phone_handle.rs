//! A handle on one phone of a network.

use std::time::Duration;

use serde::Serialize;
use wacore_binary::Jid;

use crate::actions::Content;
use crate::clock::rfc3339;
use crate::error::{Failure, Refusal};
use crate::idempotency::{self, Once};
use crate::inbox::InboxEntry;
use crate::kinds::{self, NewMessage, Place};
use crate::media::NewMedia;
use crate::network::{BehaviourChange, Network, Page, PageRequest, SentMessage, paged};
use crate::phones::{self, Behaviour, Form, Phone, Reply};
use crate::store::Query;
use crate::turn::Turn;
use crate::{code_pairing, groups, inbox, incoming, limits, outgoing, pairing};

/// A client answers a code in a moment, or never.
const CODE_TIMEOUT: Duration = Duration::from_secs(20);

/// One phone of a network.
#[derive(Clone)]
pub struct PhoneHandle {
    network: Network,
    number: String,
}

impl PhoneHandle {
    pub(crate) fn new(network: Network, number: String) -> Self {
        Self { network, number }
    }

    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    /// A handle on another number of the same network.
    pub(crate) fn renumbered(&self, number: String) -> Self {
        Self { network: self.network.clone(), number }
    }

    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Turn<'_>, Phone) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Refusal> {
        let number = self.number.clone();
        self.network
            .call(move |turn, network| {
                let phone = phones::required(turn, network, &number)?;
                work(turn, phone)
            })
            .await
    }

    /// Links the client that shows this code. Done when the network has told the client.
    ///
    /// # Errors
    /// `phone_not_found`, `invalid_qr`, `qr_expired`, `companion_limit`.
    pub async fn scan(&self, qr: &str) -> Result<(), Refusal> {
        let qr = qr.to_owned();
        self.call(move |turn, phone| pairing::scan(turn, &phone, &qr)).await
    }

    /// Types the code into the phone that a client shows. Done when the client has proved that it shows the same.
    ///
    /// # Errors
    /// `phone_not_found`, `no_code_shown`, `code_expired`, `wrong_code`, `companion_limit`, or an invalid code.
    pub async fn enter_code(&self, code: &str) -> Result<(), Refusal> {
        let code = code_pairing::parse(code)?;
        let attempt = self.call(|turn, phone| code_pairing::begin(turn, &phone)).await?;
        let tried = tokio::task::spawn_blocking(move || attempt.with(&code))
            .await
            .map_err(|_| Refusal::unavailable())??;
        let outcome = self.call(move |turn, phone| code_pairing::enter(turn, &phone, tried)).await?;
        let expired = || Refusal::new(409, "code_expired", "the client did not answer").at("/code");
        tokio::time::timeout(CODE_TIMEOUT, outcome).await.map_err(|_| expired())?.map_err(|_| expired())?
    }

    /// Sends a text to another phone of the network, or into a group.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, or an invalid field.
    pub async fn send_text(&self, to: &str, text: &str) -> Result<SentMessage, Refusal> {
        self.send(to, Content::Text { text: text.to_owned(), target: None }).await
    }

    /// Sends whatever a phone can send: a [`NewMessage`] of any kind, or one of the types that stand for some.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, `message_not_found`, or an invalid field.
    pub async fn send(&self, to: &str, message: impl Into<NewMessage>) -> Result<SentMessage, Refusal> {
        self.send_once(to, message, None).await.map(|(sent, _)| sent)
    }

    /// The same, at most once for each idempotency key: `true` when this repeats an earlier answer.
    ///
    /// # Errors
    /// The same, and `idempotency_conflict`.
    pub async fn send_once(
        &self,
        to: &str,
        message: impl Into<NewMessage>,
        key: Option<&str>,
    ) -> Result<(SentMessage, bool), Refusal> {
        let message = message.into();
        let to = Recipient::parse(to)?;
        message.check()?;
        let route = format!("phones/{}/messages", self.number);
        let once = key.map(|key| Once::new(route, key, &(&to, &message))).transpose()?;
        self.call(move |turn, phone| {
            idempotency::once(turn, phone.network, once.as_ref(), |turn| {
                let (whatsapp_id, to) = to.send(turn, &phone, &message)?;
                let text = message.text.or(message.caption).filter(|_| message.r#type != "delete");
                Ok(SentMessage {
                    whatsapp_id,
                    from: phone.e164(),
                    to,
                    r#type: message.r#type,
                    text: text.unwrap_or_default(),
                    created_at: rfc3339(turn.now),
                })
            })
        })
        .await
    }

    /// Sends a file to another phone of the network, or into a group.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, or an invalid field.
    pub async fn send_media(&self, to: &str, media: NewMedia) -> Result<SentMessage, Refusal> {
        self.send(to, media).await
    }

    /// A page of what the phone received, oldest first.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid page.
    pub async fn inbox_page(&self, page: &PageRequest) -> Result<Page<InboxEntry>, Refusal> {
        let (after, limit) = page.bounds()?;
        self.call(move |turn, phone| Ok(paged(inbox::page(turn, phone.id, after, limit + 1)?, limit))).await
    }

    /// Everything that the phone received.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn inbox(&self) -> Result<Vec<InboxEntry>, Refusal> {
        self.call(|turn, phone| {
            Ok(inbox::page(turn, phone.id, 0, i64::MAX)?.into_iter().map(|(_, entry)| entry).collect())
        })
        .await
    }

    /// What the phone does by itself.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn behaviour(&self) -> Result<Behaviour, Refusal> {
        self.call(|_, phone| Ok(phone.behaviour)).await
    }

    /// Changes it; a phone that goes online gets what waited for it.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn change_behaviour(&self, change: BehaviourChange) -> Result<Behaviour, Refusal> {
        let long = |ms: Option<i64>| ms.is_some_and(|ms| !(0..=limits::DELAY_MS).contains(&ms));
        if long(change.typing_ms) {
            return Err(Refusal::field("/typing_ms", "0 to 86,400,000 ms"));
        }
        if long(change.read_after_ms.flatten()) {
            return Err(Refusal::field("/read_after_ms", "0 to 86,400,000 ms, or null"));
        }
        if let Some(Some(Reply::Text(text))) = &change.reply
            && (text.is_empty() || text.chars().count() > limits::TEXT_CHARS)
        {
            return Err(Refusal::field("/reply/text", format!("1 to {} characters", limits::TEXT_CHARS)));
        }
        self.call(move |turn, mut phone| {
            let was_online = phone.behaviour.online;
            let behaviour = &mut phone.behaviour;
            behaviour.online = change.online.unwrap_or(behaviour.online);
            behaviour.read_after_ms = change.read_after_ms.unwrap_or(behaviour.read_after_ms);
            behaviour.typing_ms = change.typing_ms.unwrap_or(behaviour.typing_ms);
            if let Some(reply) = change.reply {
                behaviour.reply = reply;
            }
            phones::set_behaviour(turn, phone.id, &phone.behaviour)?;
            if phone.behaviour.online && !was_online {
                incoming::catch_up(turn, &phone)?;
            }
            Ok(phone.behaviour)
        })
        .await
    }

    /// One-time pre-keys that the network still holds for a companion.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn pre_keys_left(&self, device: u16) -> Result<i64, Refusal> {
        self.call(move |turn, phone| {
            crate::devices::pre_key_count(turn, crate::live::Address { phone: phone.id, device })
        })
        .await
    }

    /// Loses the phone's ratchets, as an app does that was restored from an old backup: it cannot decrypt
    /// what devices send, and asks them to send it again.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn lose_ratchets(&self) -> Result<(), Refusal> {
        self.call(|turn, phone| {
            turn.db.run("DELETE FROM ratchet WHERE phone = ?", [phone.id])?;
            groups::forget_phone(turn, phone.id)
        })
        .await
    }

    /// The numbers of its linked companions.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn companions(&self) -> Result<Vec<u16>, Refusal> {
        self.call(|turn, phone| crate::devices::companions(turn, phone.id)).await
    }
}

/// Whom a phone writes to.
#[derive(Serialize)]
pub(crate) enum Recipient {
    Person { user: String, form: Form },
    Group { user: String },
}

impl Recipient {
    /// A number, the address of a person by number or by hidden user, or that of a group.
    pub(crate) fn parse(to: &str) -> Result<Self, Refusal> {
        let digits =
            |user: &str| (1..=20).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(user) = to.strip_suffix("@g.us") {
            return match digits(user) {
                true => Ok(Self::Group { user: user.to_owned() }),
                false => Err(Refusal::field("/to", "digits before @g.us")),
            };
        }
        if let Some(user) = to.strip_suffix("@lid") {
            return match digits(user) {
                true => Ok(Self::Person { user: user.to_owned(), form: Form::Lid }),
                false => Err(Refusal::field("/to", "digits before @lid")),
            };
        }
        phones::digits(to.strip_suffix("@s.whatsapp.net").unwrap_or(to))
            .map(|user| Self::Person { user, form: Form::Pn })
            .map_err(|_| Refusal::field("/to", "a phone number of 8 to 15 digits, or an address"))
    }

    /// The chat that the phone has with it.
    pub(crate) fn chat(&self, turn: &Turn<'_>, phone: &Phone) -> Result<Chat, Failure> {
        match self {
            Self::Group { user } => {
                let group = group(turn, phone, user)?.ok_or_else(|| no_group().at("/chat"))?;
                Ok(Chat { jid: group.jid(), group: Some(group.id), person: None })
            },
            Self::Person { user, form } => {
                let person = person(turn, phone, user, *form)?.ok_or_else(|| nobody(user).at("/chat"))?;
                Ok(Chat { jid: person.jid(*form), group: None, person: Some(person.id) })
            },
        }
    }

    /// Sends a message to it. Gives the message's id, and the recipient as the API names it.
    fn send(
        &self,
        turn: &mut Turn<'_>,
        phone: &Phone,
        new: &NewMessage,
    ) -> Result<(String, String), Failure> {
        match self {
            Self::Group { user } => {
                let group = group(turn, phone, user)?.ok_or_else(|| no_group().at("/to"))?;
                let message = kinds::compose(turn, phone, Place::Group(&group), new)?;
                let id = groups::send(turn, phone, &group, &message, false)?;
                Ok((id, group.jid().to_string()))
            },
            Self::Person { user, form } => {
                let to = person(turn, phone, user, *form)?.ok_or_else(|| nobody(user).at("/to"))?;
                let message = kinds::compose(turn, phone, Place::Person { to: &to, form: *form }, new)?;
                let route = outgoing::Route { from: phone, to: &to, form: *form, automatic: false };
                Ok((outgoing::send(turn, route, &message)?, to.e164()))
            },
        }
    }
}

/// A chat as one phone has it.
pub(crate) struct Chat {
    pub jid: Jid,
    pub group: Option<i64>,
    pub person: Option<i64>,
}

fn group(turn: &Turn<'_>, phone: &Phone, user: &str) -> Result<Option<groups::Group>, Failure> {
    groups::by_jid(turn, phone.network, &Jid::group(user))
}

fn no_group() -> Refusal {
    Refusal::new(404, "group_not_found", "no such group in this network")
}

fn person(turn: &Turn<'_>, phone: &Phone, user: &str, form: Form) -> Result<Option<Phone>, Failure> {
    match form {
        Form::Pn => phones::by_number(turn, phone.network, user),
        Form::Lid => phones::by_lid(turn, phone.network, user),
    }
}

fn nobody(user: &str) -> Refusal {
    Refusal::new(404, "phone_not_found", format!("nobody in this network has the address {user}"))
}
