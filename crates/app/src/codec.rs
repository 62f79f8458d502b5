//! How the events of a commit are written: JSON, encrypted under the account's data key and bound to their place.

use std::net::IpAddr;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde::Deserialize;
use serde_json::{Value, json};
use waxwing_domain::{AccountId, Aggregate, DomainEvent, UserId, user::User};

use crate::ports::{Commit, PortError, Sealed, SecretBox, StreamName};

/// What binds a payload to its place: it decrypts nowhere else. The data key's id is added by the [`SecretBox`].
fn associated(account: AccountId, stream: &StreamName, version: u64) -> Vec<u8> {
    format!("{account}\u{1f}{stream}\u{1f}{version}").into_bytes()
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    data: Value,
    #[serde(default)]
    address: Option<IpAddr>,
}

/// Changes events of old versions into the current one, in this order. None was needed so far.
fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    Vec::new()
}

/// Encrypts the events of one command. The address from which it came stands beside the first.
pub async fn seal<E: DomainEvent>(
    secrets: &dyn SecretBox,
    (account, stream, version): (AccountId, &StreamName, u64),
    events: &[E],
    address: Option<IpAddr>,
) -> Result<Sealed, PortError> {
    let mut stored: Vec<Value> = events
        .iter()
        .map(|event| {
            let mut value = serde_json::to_value(event).map_err(corrupt)?;
            value["version"] = json!(event.event_version());
            Ok(value)
        })
        .collect::<Result<_, PortError>>()?;
    if let (Some(first), Some(address)) = (stored.first_mut(), address) {
        first["address"] = json!(address);
    }
    let plaintext = serde_json::to_vec(&stored).map_err(corrupt)?;
    secrets.seal(key_owner(account, stream), &associated(account, stream, version), &plaintext).await
}

/// Decrypts and reads the events of a commit. [`PortError::Erased`] when its content was erased.
pub async fn open<E: DomainEvent>(secrets: &dyn SecretBox, commit: &Commit) -> Result<Vec<E>, PortError> {
    decode(&commit.stream, &plaintext(secrets, commit).await?)
}

/// From where the commit came, if by a client of the API.
pub async fn address(secrets: &dyn SecretBox, commit: &Commit) -> Result<Option<IpAddr>, PortError> {
    let stored: Vec<Stored> = serde_json::from_slice(&plaintext(secrets, commit).await?).map_err(corrupt)?;
    Ok(stored.first().and_then(|first| first.address))
}

async fn plaintext(secrets: &dyn SecretBox, commit: &Commit) -> Result<Vec<u8>, PortError> {
    let sealed = Sealed { key_id: commit.key_id.clone(), bytes: commit.payload.clone() };
    let bound = associated(commit.account, &commit.stream, commit.version);
    secrets.open(key_owner(commit.account, &commit.stream), &bound, &sealed).await
}

/// [`open`] for who folds a stream: what was erased says nothing, as if it had never been.
pub(crate) async fn open_what_is_left<E: DomainEvent>(
    secrets: &dyn SecretBox,
    commit: &Commit,
) -> Result<Vec<E>, PortError> {
    match open(secrets, commit).await {
        Err(PortError::Erased(_)) => Ok(Vec::new()),
        opened => opened,
    }
}

/// Whose data keys encrypt a stream: the account's, and a user's own for the stream of a user, which belongs to no tenant
/// and is to be erased by itself.
pub fn key_owner(account: AccountId, stream: &StreamName) -> AccountId {
    match (account, stream.kind(), UserId::parse(stream.id())) {
        (AccountId::SYSTEM, <User as Aggregate>::TYPE, Ok(user)) => user.key_owner(),
        _ => account,
    }
}

/// Reads events as they are stored.
pub fn decode<E: DomainEvent>(stream: &StreamName, plaintext: &[u8]) -> Result<Vec<E>, PortError> {
    let stored: Vec<Stored> = serde_json::from_slice(plaintext).map_err(corrupt)?;
    let upcasters = upcasters();
    stored
        .into_iter()
        .map(|stored| {
            let event = upcasters.iter().fold(serialized(stream, stored), |event, upcaster| {
                match upcaster.can_upcast(&event.event_type, &event.event_version) {
                    true => upcaster.upcast(event),
                    false => event,
                }
            });
            serde_json::from_value(json!({ "type": event.event_type, "data": event.payload }))
                .map_err(corrupt)
        })
        .collect()
}

fn serialized(stream: &StreamName, stored: Stored) -> SerializedEvent {
    SerializedEvent {
        aggregate_id: stream.id().to_owned(),
        sequence: 0,
        aggregate_type: stream.kind().to_owned(),
        event_type: stored.kind,
        event_version: stored.version,
        payload: stored.data,
        metadata: Value::Null,
    }
}

fn corrupt(error: serde_json::Error) -> PortError {
    // The line and column are enough to find the place; the message of serde may quote content.
    PortError::Corrupt(format!(
        "stored event cannot be read (line {}, column {})",
        error.line(),
        error.column()
    ))
}
