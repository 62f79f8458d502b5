//! Networks and phones as rows.

use rand::RngExt;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use crate::error::{Failure, Refusal};
use crate::store::Query;
use crate::turn::Turn;
use crate::{limits, signal, stanza};

/// How a message addressed a phone, and hence how answers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Pn,
    Lid,
}

impl Form {
    pub(crate) fn of(jid: &Jid) -> Self {
        if jid.is_lid() { Self::Lid } else { Self::Pn }
    }
}

/// What a phone says to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The same text.
    Echo,
    /// This text, 1 to 65,536 characters.
    Text(String),
}

/// What a phone does by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Behaviour {
    /// An offline phone receives nothing until it is online again.
    pub online: bool,
    /// Milliseconds until it reads a message; never when `None`.
    pub read_after_ms: Option<i64>,
    /// What it answers.
    pub reply: Option<Reply>,
    /// Milliseconds for which it types before it answers.
    pub typing_ms: i64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { online: true, read_after_ms: None, reply: None, typing_ms: 0 }
    }
}

/// One simulated phone.
#[derive(Clone)]
pub(crate) struct Phone {
    pub id: i64,
    pub network: i64,
    pub number: String,
    pub lid: String,
    pub name: Option<String>,
    pub registration_id: u32,
    pub identity: Vec<u8>,
    pub signed_pre_key: Vec<u8>,
    pub behaviour: Behaviour,
    pub created_at: i64,
}

const COLUMNS: &str = "id, network, number, lid, name, registration_id, identity, signed_pre_key, online, read_after_ms, reply, typing_ms, created_at";

impl Phone {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let reply: Option<String> = row.get(10)?;
        Ok(Self {
            id: row.get(0)?,
            network: row.get(1)?,
            number: row.get(2)?,
            lid: row.get(3)?,
            name: row.get(4)?,
            registration_id: row.get(5)?,
            identity: row.get(6)?,
            signed_pre_key: row.get(7)?,
            behaviour: Behaviour {
                online: row.get(8)?,
                read_after_ms: row.get(9)?,
                reply: reply.and_then(|reply| serde_json::from_str(&reply).ok()),
                typing_ms: row.get(11)?,
            },
            created_at: row.get(12)?,
        })
    }

    /// Its address, without a device.
    pub(crate) fn jid(&self, form: Form) -> Jid {
        self.device_jid(form, 0)
    }

    pub(crate) fn device_jid(&self, form: Form, device: u16) -> Jid {
        match form {
            Form::Pn => Jid::pn_device(self.number.as_str(), device),
            Form::Lid => Jid::lid_device(self.lid.as_str(), device),
        }
    }

    pub(crate) fn e164(&self) -> String {
        format!("+{}", self.number)
    }

    /// What others see as its name.
    pub(crate) fn push_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.number)
    }
}

/// The network of an account, made when there is none.
pub(crate) fn network(turn: &mut Turn<'_>, account: &str) -> Result<i64, Failure> {
    if let Some(id) = turn.db.one("SELECT id FROM network WHERE account = ?", [account], |row| row.get(0))? {
        return Ok(id);
    }
    if account.is_empty()
        || account.len() > limits::ACCOUNT_CHARS
        || !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        return Err(Refusal::new(
            422,
            "invalid_account",
            "an account id has up to 64 letters, digits, '_' and '-'",
        )
        .into());
    }
    if turn.db.number("SELECT count(*) FROM network", [])? >= limits::NETWORKS {
        return Err(
            Refusal::new(409, "network_limit", "this sandbox has as many networks as it can hold").into()
        );
    }
    let seed = (turn.shared.options.seed)();
    turn.db.run(
        "INSERT INTO network (account, token, seed, epoch) VALUES (?, '', ?, 0)",
        (account, seed.as_slice()),
    )?;
    let id = turn.db.last_insert_rowid();
    let token: [u8; 24] = turn.generator(id)?.random();
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    turn.db.run("UPDATE network SET token = ? WHERE id = ?", (&token, id))?;
    Ok(id)
}

/// Digits of a number that came as `+1555…`, `%2B1555…` or `1555…`; 8 to 15 of them.
pub(crate) fn digits(number: &str) -> Result<String, Refusal> {
    let digits = number
        .strip_prefix("%2B")
        .or_else(|| number.strip_prefix("%2b"))
        .or_else(|| number.strip_prefix('+'))
        .unwrap_or(number);
    // No country code begins with a zero.
    let possible = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    if possible && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(digits.to_owned());
    }
    let expected = "expected a phone number with country code: 8 to 15 digits, with or without a leading +";
    Err(Refusal::field("/number", expected))
}

/// What a name must be; see [`stanza::fits_attribute`].
pub(crate) const NAME_RULE: &str = "a name has 1 to 100 characters, and here no @";

pub(crate) fn is_name(name: &str) -> bool {
    (1..=limits::NAME_CHARS).contains(&name.chars().count()) && stanza::fits_attribute(name)
}

/// Makes a phone with keys of its own; gives the one that exists with `false`.
pub(crate) fn create(
    turn: &mut Turn<'_>,
    network: i64,
    number: &str,
    name: Option<&str>,
) -> Result<(Phone, bool), Failure> {
    if name.is_some_and(|name| !is_name(name)) {
        return Err(Refusal::field("/name", NAME_RULE).into());
    }
    if let Some(phone) = by_number(turn, network, number)? {
        return Ok((phone, false));
    }
    if turn.db.number("SELECT count(*) FROM phone WHERE network = ?", [network])? >= limits::PHONES {
        return Err(Refusal::new(
            409,
            "phone_limit",
            format!("a network has up to {} phones", limits::PHONES),
        )
        .into());
    }
    let mut random = turn.next_of(network, "phone", number)?;
    let lid = loop {
        let lid = random.random_range(100_000_000_000_000_u64..1_000_000_000_000_000).to_string();
        if turn.db.number(
            "SELECT count(*) FROM phone WHERE network = ? AND (lid = ? OR number = ?)",
            (network, &lid, &lid),
        )? == 0
        {
            break lid;
        }
    };
    let keys = signal::generate(&mut random)?;
    turn.db.run(
        "INSERT INTO phone (network, number, lid, name, registration_id, identity, signed_pre_key, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (network, number, lid, name, keys.registration_id, keys.identity, keys.signed_pre_key, turn.now),
    )?;
    let made = by_number(turn, network, number)?.ok_or_else(|| Failure::protocol("the phone is gone"))?;
    Ok((made, true))
}

pub(crate) fn by_id(turn: &Turn<'_>, id: i64) -> Result<Option<Phone>, Failure> {
    Ok(turn.db.one(&format!("SELECT {COLUMNS} FROM phone WHERE id = ?"), [id], Phone::read)?)
}

pub(crate) fn by_number(turn: &Turn<'_>, network: i64, number: &str) -> Result<Option<Phone>, Failure> {
    Ok(turn.db.one(
        &format!("SELECT {COLUMNS} FROM phone WHERE network = ? AND number = ?"),
        (network, number),
        Phone::read,
    )?)
}

/// The phone that must exist.
pub(crate) fn required(turn: &Turn<'_>, network: i64, number: &str) -> Result<Phone, Failure> {
    by_number(turn, network, number)?.ok_or_else(|| Refusal::no_phone(number).into())
}

pub(crate) fn by_lid(turn: &Turn<'_>, network: i64, lid: &str) -> Result<Option<Phone>, Failure> {
    Ok(turn.db.one(
        &format!("SELECT {COLUMNS} FROM phone WHERE network = ? AND lid = ?"),
        (network, lid),
        Phone::read,
    )?)
}

/// The phone behind an address in either form.
pub(crate) fn by_jid(turn: &Turn<'_>, network: i64, jid: &Jid) -> Result<Option<Phone>, Failure> {
    if jid.is_lid() { by_lid(turn, network, &jid.user) } else { by_number(turn, network, &jid.user) }
}

/// Phones after `after`, in the order of their making.
pub(crate) fn page(turn: &Turn<'_>, network: i64, after: i64, limit: i64) -> Result<Vec<Phone>, Failure> {
    Ok(turn.db.all(
        &format!("SELECT {COLUMNS} FROM phone WHERE network = ? AND id > ? ORDER BY id LIMIT ?"),
        (network, after, limit),
        Phone::read,
    )?)
}

pub(crate) fn set_behaviour(turn: &Turn<'_>, phone: i64, behaviour: &Behaviour) -> Result<(), Failure> {
    let reply =
        behaviour.reply.as_ref().map(|reply| serde_json::to_string(reply).expect("a reply is plain data"));
    turn.db.run(
        "UPDATE phone SET online = ?, read_after_ms = ?, reply = ?, typing_ms = ? WHERE id = ?",
        (behaviour.online, behaviour.read_after_ms, reply, behaviour.typing_ms, phone),
    )?;
    Ok(())
}
