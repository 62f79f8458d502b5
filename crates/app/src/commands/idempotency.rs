//! A repeated request has one effect: the answer is claimed together with the commit.

use std::io::Read as _;

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use waxwing_domain::AccountId;

use super::Commands;
use crate::{
    execute::{ExecuteError, Outcome},
    keys,
    ports::{Claim, ClaimKey, PortError, Sealed},
};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// What is longer was not written by us: a body is escaped in it.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// The `Idempotency-Key` of a request, with what makes a repetition recognisable.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The key: 1 to 255 visible ASCII characters.
    pub key: String,
    /// The route, as documented.
    pub route: &'static str,
    /// Hash of the raw body.
    pub fingerprint: [u8; 32],
}

/// Why a request cannot be repeated.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// The key was used with another body.
    #[error("the idempotency key was used before with another body")]
    Conflict,
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What the first request was answered, less any secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    fingerprint: String,
    /// The first status.
    pub status: u16,
    /// The first body.
    pub body: String,
}

impl Idempotency {
    /// For a request with this key, route and body.
    pub fn new(key: String, route: &'static str, body: &[u8]) -> Self {
        Self { key, route, fingerprint: Sha256::digest(body).into() }
    }

    fn fingerprint_hex(&self) -> String {
        self.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Commands {
    fn idempotency_claim_key(&self, account: AccountId, idempotency: &Idempotency) -> ClaimKey {
        keys::idempotency_claim(&*self.ports.secrets, account, idempotency.route, &idempotency.key)
    }

    /// What an earlier request with the same key was answered.
    pub async fn answered_before(
        &self,
        account: AccountId,
        idempotency: &Idempotency,
    ) -> Result<Option<StoredAnswer>, IdempotencyError> {
        let key = self.idempotency_claim_key(account, idempotency);
        match self.ports.journal.claim(&key).await? {
            Some(value) => self.stored_answer(account, idempotency, &key, &value).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the answer that the holder of the claim left.
    pub(super) async fn stored_answer(
        &self,
        account: AccountId,
        idempotency: &Idempotency,
        key: &ClaimKey,
        value: &[u8],
    ) -> Result<StoredAnswer, IdempotencyError> {
        let corrupt = || PortError::Corrupt("stored answer cannot be read".to_owned());
        let sealed = Sealed::unpack(value).ok_or_else(corrupt)?;
        let plain = self.ports.secrets.open(account, key.0.as_bytes(), &sealed).await?;
        let reader = DeflateDecoder::new(&plain[..]).take(ANSWER_BYTES_MAX);
        let answer: StoredAnswer = serde_json::from_reader(reader).map_err(|_| corrupt())?;
        match answer.fingerprint == idempotency.fingerprint_hex() {
            true => Ok(answer),
            false => Err(IdempotencyError::Conflict),
        }
    }

    /// The claim that keeps an answer for 24 hours.
    pub(super) async fn answer_claim(
        &self,
        account: AccountId,
        idempotency: &Idempotency,
        status: u16,
        body: String,
        now: Timestamp,
    ) -> Result<Claim, PortError> {
        let key = self.idempotency_claim_key(account, idempotency);
        let answer = StoredAnswer { fingerprint: idempotency.fingerprint_hex(), status, body };
        // An ordinary answer then fits one write unit of DynamoDB, which a transaction bills twice.
        let mut plain = DeflateEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut plain, &answer).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let plain = plain.finish().map_err(|error| PortError::Corrupt(error.to_string()))?;
        let value = self.ports.secrets.seal(account, key.0.as_bytes(), &plain).await?.pack();
        let expires_at = Some(now.checked_add(KEPT).unwrap_or(Timestamp::MAX));
        Ok(Claim::Take { key, value, expires_at })
    }
}

/// The key of a request together with how its answer is written: what a repetition has to be told.
pub struct Repeatable<'a, T> {
    /// The key.
    pub idempotency: Idempotency,
    /// Status and body of the answer, without any secret.
    pub answer: &'a (dyn Fn(&T) -> (u16, String) + Send + Sync),
}

/// The first time, or again.
#[derive(Debug, Clone, PartialEq)]
pub enum Once<T> {
    /// It was done now.
    Done(T),
    /// It was done before; this was the answer.
    Repeated(StoredAnswer),
}

impl Commands {
    /// The claim for the answer, where the request can be repeated.
    pub(super) async fn claims_for<T>(
        &self,
        account: AccountId,
        repeatable: Option<&Repeatable<'_, T>>,
        result: &T,
        now: Timestamp,
    ) -> Result<Vec<Claim>, PortError> {
        let Some(Repeatable { idempotency, answer }) = repeatable else { return Ok(Vec::new()) };
        let (status, body) = answer(result);
        Ok(vec![self.answer_claim(account, idempotency, status, body, now).await?])
    }

    /// What was answered before, where the request can be repeated and was made before.
    pub(super) async fn repeated<T>(
        &self,
        account: AccountId,
        repeatable: Option<&Repeatable<'_, T>>,
    ) -> Result<Option<StoredAnswer>, IdempotencyError> {
        match repeatable {
            Some(repeatable) => self.answered_before(account, &repeatable.idempotency).await,
            None => Ok(None),
        }
    }

    /// How a command ended that happens once: `done`, or the answer of a repetition of the same request that was faster.
    /// `taken` is what it means when another claim than the request's own is held by somebody.
    pub(super) async fn once<T, E, R, Error>(
        &self,
        account: AccountId,
        repeatable: Option<&Repeatable<'_, T>>,
        executed: Result<Outcome<E>, ExecuteError<R>>,
        done: T,
        taken: impl FnOnce() -> Error,
    ) -> Result<Once<T>, Error>
    where
        R: std::error::Error,
        Error: From<R> + From<IdempotencyError> + From<PortError>,
    {
        match executed {
            Ok(_) => Ok(Once::Done(done)),
            Err(ExecuteError::Refused(refusal)) => Err(refusal.into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
            Err(ExecuteError::ClaimTaken(key, value)) => match repeatable {
                Some(Repeatable { idempotency, .. })
                    if self.idempotency_claim_key(account, idempotency) == key =>
                {
                    Ok(Once::Repeated(self.stored_answer(account, idempotency, &key, &value).await?))
                },
                _ => Err(taken()),
            },
        }
    }
}
