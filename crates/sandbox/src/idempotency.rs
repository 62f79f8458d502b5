//! A request that is repeated with its idempotency key has one effect: the answer is stored together with it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Failure, Refusal};
use crate::limits;
use crate::store::Query;
use crate::turn::Turn;

/// The key of a request, with what makes a repetition recognisable.
pub(crate) struct Once {
    route: String,
    key: String,
    fingerprint: Vec<u8>,
}

impl Once {
    /// For a request to this route with this key that says `parts`.
    ///
    /// # Errors
    /// A key that is none.
    pub(crate) fn new(route: impl Into<String>, key: &str, parts: &impl Serialize) -> Result<Self, Refusal> {
        if !(1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&key.len())
            || !key.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let detail = "an idempotency key has 1 to 255 visible ASCII characters";
            return Err(Refusal::new(422, "validation_failed", detail));
        }
        let said = serde_json::to_vec(parts).expect("a request is plain data");
        Ok(Self { route: route.into(), key: key.to_owned(), fingerprint: Sha256::digest(said).to_vec() })
    }
}

/// Does the work and keeps its answer, or gives the answer that was kept: then with `true`.
pub(crate) fn once<T: Serialize + DeserializeOwned>(
    turn: &mut Turn<'_>,
    network: i64,
    once: Option<&Once>,
    work: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure>,
) -> Result<(T, bool), Failure> {
    let Some(Once { route, key, fingerprint }) = once else { return Ok((work(turn)?, false)) };
    let stored = turn.db.one(
        "SELECT fingerprint, answer FROM idempotency WHERE network = ? AND route = ? AND key = ?",
        (network, route, key),
        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?)),
    )?;
    match stored {
        Some((known, answer)) if known == *fingerprint => {
            return Ok((serde_json::from_str(&answer).map_err(Failure::protocol)?, true));
        },
        Some(_) => {
            let detail = "this idempotency key was used before with another body";
            return Err(Refusal::new(409, "idempotency_conflict", detail).into());
        },
        None => {},
    }
    let answer = work(turn)?;
    turn.db.run(
        "INSERT INTO idempotency (network, route, key, fingerprint, answer) VALUES (?, ?, ?, ?, ?)",
        (network, route, key, fingerprint, serde_json::to_string(&answer).expect("an answer is plain data")),
    )?;
    turn.db.run(
        "DELETE FROM idempotency WHERE seq = ?",
        [turn.db.last_insert_rowid() - limits::IDEMPOTENCY_KEYS],
    )?;
    Ok((answer, false))
}
