//! Handles on a network and its phones: what tests use, and what the control API is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::engine::Engine;
use crate::error::{Failure, Refusal};
use crate::faults::{Fault, FaultRequest};
use crate::idempotency::{self, Once};
use crate::ledger::LedgerEntry;
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone, Reply};
use crate::store::Query;
use crate::turn::Turn;
use crate::{faults, ledger, limits};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `+E.164`, or the address of a group.
    pub to: String,
    /// As in [`crate::NewMessage`].
    pub r#type: String,
    /// The text, or the caption; empty where there is none.
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
pub(crate) fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
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
    pub(crate) fn bounds(&self) -> Result<(i64, i64), Refusal> {
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
pub(crate) fn paged<T>(mut rows: Vec<(i64, T)>, limit: i64) -> Page<T> {
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

    pub(crate) async fn call<T: Send + 'static>(
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
        self.create_phone_once(number, name, None).await.map(|(answer, _)| answer)
    }

    /// The same, at most once for each idempotency key: `true` last when this repeats an earlier answer.
    ///
    /// # Errors
    /// The same, and `idempotency_conflict`.
    pub async fn create_phone_once(
        &self,
        number: &str,
        name: Option<&str>,
        key: Option<&str>,
    ) -> Result<((PhoneInfo, bool), bool), Refusal> {
        let (number, name) = (phones::digits(number)?, name.map(str::to_owned));
        let once = key.map(|key| Once::new("phones", key, &(&number, &name))).transpose()?;
        self.call(move |turn, network| {
            idempotency::once(turn, network, once.as_ref(), |turn| {
                phones::create(turn, network, &number, name.as_deref())
                    .map(|(phone, made)| (PhoneInfo::from(&phone), made))
            })
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
        Ok(PhoneHandle::new(self.clone(), phones::digits(number)?))
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
        self.inject_once(fault, None).await.map(drop)
    }

    /// The same, at most once for each idempotency key: `true` when this repeats an earlier one.
    ///
    /// # Errors
    /// The same, and `idempotency_conflict`.
    pub async fn inject_once(&self, fault: FaultRequest, key: Option<&str>) -> Result<bool, Refusal> {
        let once = key.map(|key| Once::new("faults", key, &fault)).transpose()?;
        self.call(move |turn, network| {
            let ((), repeated) = idempotency::once(turn, network, once.as_ref(), |turn| {
                faults::inject(turn, network, &fault)
            })?;
            Ok(repeated)
        })
        .await
    }

    /// The faults in force.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn faults(&self) -> Result<Vec<Fault>, Refusal> {
        self.call(|turn, network| faults::list(turn, network)).await
    }

    /// Ends one fault.
    ///
    /// # Errors
    /// `fault_not_found`.
    pub async fn clear_fault(&self, id: i64) -> Result<(), Refusal> {
        self.call(move |turn, network| match faults::clear(turn, network, Some(id))? {
            true => Ok(()),
            false => Err(Refusal::new(404, "fault_not_found", "no such fault is in force").into()),
        })
        .await
    }

    /// How often each kind of fault has happened.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn fault_counts(&self) -> Result<BTreeMap<String, i64>, Refusal> {
        self.call(|turn, network| faults::counts(turn, network)).await
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn clear_faults(&self) -> Result<(), Refusal> {
        self.call(|turn, network| faults::clear(turn, network, None).map(drop)).await
    }
}
