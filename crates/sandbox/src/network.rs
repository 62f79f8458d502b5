//! Handles on a network and its phones: what tests use, and what the control API is made of.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::rfc3339;
use crate::engine::Engine;
use crate::error::{Failure, Refusal};
use crate::faults::{Fault, FaultRequest};
use crate::inbox::InboxEntry;
use crate::ledger::LedgerEntry;
use crate::phones::{self, Behaviour, Form, Phone, Reply};
use crate::store::Query;
use crate::turn::Turn;
use crate::{faults, inbox, incoming, ledger, limits, outgoing, pairing};

/// Where the clients of a network connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkInfo {
    /// Unguessable; whoever has it can connect.
    pub token: String,
    /// Path of the WebSocket.
    pub ws_path: String,
    /// The root of the certificate chain, base64: what a strict client must trust.
    pub root_key: String,
}

/// A phone as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneInfo {
    /// `+E.164`.
    pub number: String,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its address by number.
    pub jid: String,
    /// Its address that hides the number.
    pub lid: String,
    /// Whether it receives.
    pub online: bool,
    /// RFC 3339.
    pub created_at: String,
}

impl From<&Phone> for PhoneInfo {
    fn from(phone: &Phone) -> Self {
        Self {
            number: phone.e164(),
            name: phone.name.clone(),
            jid: phone.jid(Form::Pn).to_string(),
            lid: phone.jid(Form::Lid).to_string(),
            online: phone.behaviour.online,
            created_at: rfc3339(phone.created_at),
        }
    }
}

/// A message that a phone sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// The id that the phone gave it.
    pub whatsapp_id: String,
    /// `+E.164`.
    pub from: String,
    /// `+E.164`.
    pub to: String,
    /// `text`.
    pub r#type: String,
    /// The text.
    pub text: String,
    /// RFC 3339.
    pub created_at: String,
}

/// A change of a phone's behaviour: what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourChange {
    /// See [`Behaviour::online`].
    pub online: Option<bool>,
    /// See [`Behaviour::read_after_ms`]; `Some(None)` for never.
    #[serde(default, deserialize_with = "present")]
    pub read_after_ms: Option<Option<i64>>,
    /// See [`Behaviour::reply`]; `Some(None)` for none.
    #[serde(default, deserialize_with = "present")]
    pub reply: Option<Option<Reply>>,
    /// See [`Behaviour::typing_ms`].
    pub typing_ms: Option<i64>,
}

/// Tells `null` from absent.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// A page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// `None` at the end.
    pub next_cursor: Option<String>,
}

/// Which page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// 1 to 200, 50 by default.
    pub limit: Option<i64>,
    /// [`Page::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

impl PageRequest {
    fn bounds(&self) -> Result<(i64, i64), Refusal> {
        let limit = self.limit.unwrap_or(limits::PAGE_DEFAULT);
        if !(1..=limits::PAGE).contains(&limit) {
            return Err(Refusal::field("/limit", format!("1 to {}", limits::PAGE)));
        }
        let after = match &self.cursor {
            Some(cursor) => {
                cursor.parse().map_err(|_| Refusal::field("/cursor", "not a cursor of this list"))?
            },
            None => 0,
        };
        Ok((after, limit))
    }
}

/// One row more than the page was read, to know whether there is a next one.
fn paged<T>(mut rows: Vec<(i64, T)>, limit: i64) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|(seq, _)| seq.to_string());
    Page { data: rows.into_iter().map(|(_, row)| row).collect(), next_cursor }
}

/// The network of one account. It is made when something is first asked of it.
#[derive(Clone)]
pub struct Network {
    engine: Engine,
    account: String,
}

impl Network {
    pub(crate) fn new(engine: Engine, account: String) -> Self {
        Self { engine, account }
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Turn<'_>, i64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Refusal> {
        let account = self.account.clone();
        let result = self.engine.call(move |turn| {
            let network = phones::network(turn, &account)?;
            work(turn, network)
        });
        result.await.map_err(|failure| {
            if let Failure::Database(error) = &failure {
                tracing::error!(%error, "the sandbox cannot use its database");
            }
            failure.into()
        })
    }

    /// Where clients connect.
    ///
    /// # Errors
    /// An invalid account id, too many networks, or an engine that cannot store.
    pub async fn info(&self) -> Result<NetworkInfo, Refusal> {
        use base64::Engine as _;
        let root_key = base64::engine::general_purpose::STANDARD.encode(self.engine.shared.identity.root);
        self.call(move |turn, network| {
            let token: String = turn
                .db
                .one("SELECT token FROM network WHERE id = ?", [network], |row| row.get(0))?
                .ok_or_else(|| Failure::protocol("no such network"))?;
            Ok(NetworkInfo { ws_path: format!("/{token}/ws/chat"), token, root_key })
        })
        .await
    }

    /// Makes a phone; `false` when it exists already.
    ///
    /// # Errors
    /// An invalid number or name, or too many phones.
    pub async fn create_phone(&self, number: &str, name: Option<&str>) -> Result<(PhoneInfo, bool), Refusal> {
        let (number, name) = (phones::digits(number)?, name.map(str::to_owned));
        self.call(move |turn, network| {
            phones::create(turn, network, &number, name.as_deref())
                .map(|(phone, made)| (PhoneInfo::from(&phone), made))
        })
        .await
    }

    /// The phones, oldest first.
    ///
    /// # Errors
    /// An invalid page.
    pub async fn phones(&self, page: &PageRequest) -> Result<Page<PhoneInfo>, Refusal> {
        let (after, limit) = page.bounds()?;
        self.call(move |turn, network| {
            let rows = phones::page(turn, network, after, limit + 1)?;
            Ok(paged(rows.iter().map(|phone| (phone.id, PhoneInfo::from(phone))).collect(), limit))
        })
        .await
    }

    /// A handle on a phone, which need not exist yet.
    ///
    /// # Errors
    /// An invalid number.
    pub fn phone(&self, number: &str) -> Result<PhoneHandle, Refusal> {
        Ok(PhoneHandle { network: self.clone(), number: phones::digits(number)? })
    }

    /// A page of the ledger, oldest first.
    ///
    /// # Errors
    /// An invalid page.
    pub async fn ledger_page(&self, page: &PageRequest) -> Result<Page<LedgerEntry>, Refusal> {
        let (after, limit) = page.bounds()?;
        self.call(move |turn, network| Ok(paged(ledger::page(turn, network, after, limit + 1)?, limit))).await
    }

    /// The whole ledger.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn ledger(&self) -> Result<Vec<LedgerEntry>, Refusal> {
        self.call(|turn, network| {
            Ok(ledger::page(turn, network, 0, i64::MAX)?.into_iter().map(|(_, entry)| entry).collect())
        })
        .await
    }

    /// Does a fault, or puts it in force.
    ///
    /// # Errors
    /// `not_supported`, an invalid field, or too many faults.
    pub async fn inject(&self, fault: FaultRequest) -> Result<(), Refusal> {
        self.call(move |turn, network| faults::inject(turn, network, &fault)).await
    }

    /// The faults in force.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn faults(&self) -> Result<Vec<Fault>, Refusal> {
        self.call(|turn, network| faults::list(turn, network)).await
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn clear_faults(&self) -> Result<(), Refusal> {
        self.call(|turn, network| faults::clear(turn, network)).await
    }
}

/// One phone of a network.
#[derive(Clone)]
pub struct PhoneHandle {
    network: Network,
    number: String,
}

impl PhoneHandle {
    async fn call<T: Send + 'static>(
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

    /// Sends a text to another phone of the network.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn send_text(&self, to: &str, text: &str) -> Result<SentMessage, Refusal> {
        self.send_text_once(to, text, None).await.map(|(sent, _)| sent)
    }

    /// The same, at most once for each idempotency key: `true` when this repeats an earlier answer.
    ///
    /// # Errors
    /// `phone_not_found`, `idempotency_conflict`, or an invalid field.
    pub async fn send_text_once(
        &self,
        to: &str,
        text: &str,
        key: Option<&str>,
    ) -> Result<(SentMessage, bool), Refusal> {
        let to = recipient(to)?;
        let (text, key) = (text.to_owned(), key.map(str::to_owned));
        if text.is_empty() || text.chars().count() > limits::TEXT_CHARS {
            return Err(Refusal::field("/text", format!("1 to {} characters", limits::TEXT_CHARS)));
        }
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > limits::IDEMPOTENCY_KEY_CHARS) {
            return Err(Refusal::new(
                422,
                "invalid_idempotency_key",
                "an idempotency key has 1 to 255 characters",
            ));
        }
        self.call(move |turn, phone| {
            let fingerprint =
                Sha256::new().chain_update(&to).chain_update([0]).chain_update(&text).finalize();
            if let Some(earlier) =
                key.as_deref().map(|key| answered(turn, phone.id, key, &fingerprint)).transpose()?.flatten()
            {
                return Ok((earlier, true));
            }
            let recipient = phones::required(turn, phone.network, &to)?;
            let route = outgoing::Route { from: &phone, to: &recipient, form: Form::Pn, automatic: false };
            let whatsapp_id = outgoing::send_text(turn, route, &text)?;
            let sent = SentMessage {
                whatsapp_id,
                from: phone.e164(),
                to: recipient.e164(),
                r#type: "text".to_owned(),
                text,
                created_at: rfc3339(turn.now),
            };
            if let Some(key) = key {
                let answer = serde_json::to_string(&sent).expect("an answer is plain data");
                turn.db.run(
                    "INSERT INTO idempotency (phone, key, fingerprint, answer) VALUES (?, ?, ?, ?)",
                    (phone.id, key, fingerprint.as_slice(), answer),
                )?;
                turn.db.run(
                    "DELETE FROM idempotency WHERE seq = ?",
                    [turn.db.last_insert_rowid() - limits::IDEMPOTENCY_KEYS],
                )?;
            }
            Ok((sent, false))
        })
        .await
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
            Ok(turn.db.run("DELETE FROM ratchet WHERE phone = ?", [phone.id]).map(drop)?)
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

/// A number, or the address of a person by number.
fn recipient(to: &str) -> Result<String, Refusal> {
    if to.ends_with("@g.us") {
        return Err(Refusal::new(422, "not_supported", "this build has no groups"));
    }
    phones::digits(to.strip_suffix("@s.whatsapp.net").unwrap_or(to))
        .map_err(|_| Refusal::field("/to", "a phone number of 8 to 15 digits"))
}

fn answered(
    turn: &Turn<'_>,
    phone: i64,
    key: &str,
    fingerprint: &[u8],
) -> Result<Option<SentMessage>, Failure> {
    let stored = turn.db.one(
        "SELECT fingerprint, answer FROM idempotency WHERE phone = ? AND key = ?",
        (phone, key),
        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?)),
    )?;
    match stored {
        None => Ok(None),
        Some((known, answer)) if known == fingerprint => {
            serde_json::from_str(&answer).map(Some).map_err(Failure::protocol)
        },
        Some(_) => Err(Refusal::new(
            409,
            "idempotency_conflict",
            "this idempotency key was used with another message",
        )
        .into()),
    }
}
