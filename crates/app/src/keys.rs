//! Keys of all rows in Records and of all claims. The account's id is the first part of every key, so that one tenant
//! cannot name another's row.

use jiff::{Timestamp, civil::Date};
use waxwing_domain::{
    AccountId, Aggregate, ApiKeyId, Jid, Lid, MessageId, SessionId, UserId, WebhookEndpointId, user::User,
};

use crate::ports::{ClaimKey, Key, Order, SecretBox, StreamName};

/// Index 1: messages of a session by time. Index 2: messages of a chat by time.
pub const BY_SESSION: u8 = 1;
/// See [`BY_SESSION`].
pub const BY_CHAT: u8 = 2;

/// A message as read back.
pub fn message(account: AccountId, message: MessageId) -> Key {
    Key::new(format!("{account}/message/{message}"), "view")
}

/// Partition of [`BY_SESSION`].
pub fn messages_of_session(account: AccountId, session: SessionId) -> String {
    format!("{account}/{session}/messages")
}

/// Partition of [`BY_CHAT`].
pub fn messages_of_chat(account: AccountId, session: SessionId, chat: &Jid) -> String {
    format!("{account}/{session}/messages/{chat}")
}

/// Finds a message by what a stanza says of it. `sender` is `None` for the owner's own: their ids are unique in the
/// session, and a receipt may name the chat by another address than the message did.
pub fn whatsapp_id(
    account: AccountId,
    session: SessionId,
    chat: &Jid,
    sender: Option<&Jid>,
    id: &str,
) -> Key {
    match sender {
        None => Key::new(format!("{account}/{session}/whatsapp/me"), id),
        Some(sender) => Key::new(format!("{account}/{session}/whatsapp/{chat}"), format!("{sender}/{id}")),
    }
}

/// Partition of the words that begin with these characters, where words are indexed as rows; sorted by word and position.
pub fn search_words(account: AccountId, beginning: &str) -> String {
    format!("{account}/words/{beginning}")
}

/// Which words of a message are indexed.
pub fn searched_message(account: AccountId, message: MessageId) -> Key {
    Key::new(format!("{account}/searched/{message}"), "words")
}

/// Which phone number stands behind a hidden user, as the session was told.
pub fn phone_of_lid(account: AccountId, session: SessionId, lid: &Lid) -> Key {
    Key::new(format!("{account}/{session}/phone-of-lid"), lid.digits())
}

/// Partition of an account's sessions; sorted by id.
pub fn sessions(account: AccountId) -> String {
    format!("{account}/sessions")
}

/// A session as projected from its events.
pub fn session(account: AccountId, session: SessionId) -> Key {
    Key::new(sessions(account), session.to_string())
}

/// What the session's host says of it right now.
pub fn session_live(account: AccountId, session: SessionId) -> Key {
    Key::new(format!("{account}/{session}/live"), "live")
}

/// Partition of all sessions that hosts look after; sorted by account and session.
pub fn hosted() -> String {
    format!("{}/hosted", AccountId::SYSTEM)
}

/// One session that hosts look after.
pub fn hosted_session(account: AccountId, session: SessionId) -> Key {
    Key::new(hosted(), format!("{account}/{session}"))
}

/// Over so many partitions the jobs spread that wait in Records, so that none is hot when many are put off at once.
pub const DUE_SHARDS: u32 = 8;

/// Partition of jobs that wait in Records for their time, where the queue itself cannot hold them so long; sorted by time.
pub fn due_jobs(shard: u32) -> String {
    format!("{}/due/{shard}", AccountId::SYSTEM)
}

/// One job that waits in Records. The same job at the same time is the same row.
pub fn due_job(due_at: Timestamp, queue: &str, id: &str) -> Key {
    // FNV-1a: any hash does that gives the same for the same id.
    let hash =
        id.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Key::new(due_jobs(hash % DUE_SHARDS), format!("{}/{queue}/{id}", due_before(due_at)))
}

/// Bound below which the sort keys of jobs stand that are due before this millisecond.
pub fn due_before(time: Timestamp) -> String {
    format!("{:015}", time.as_millisecond().max(0))
}

/// Partition of the hosts that are alive.
pub fn hosts() -> String {
    format!("{}/hosts", AccountId::SYSTEM)
}

/// One host.
pub fn host(name: &str) -> Key {
    Key::new(hosts(), name)
}

/// Which host a session is placed on; the row's version is the epoch.
pub fn placement(account: AccountId, session: SessionId) -> Key {
    Key::new(format!("{account}/{session}/placement"), "placement")
}

/// Partition of a session's open outbox rows, in the order in which they leave.
pub fn outbox(account: AccountId, session: SessionId) -> String {
    format!("{account}/{session}/outbox")
}

/// One open outbox row.
pub fn outbox_row(account: AccountId, session: SessionId, order: &Order) -> Key {
    Key::new(outbox(account, session), order.0.clone())
}

/// Partition of the parts of a phone's history that are not imported yet, oldest first.
pub fn history(account: AccountId, session: SessionId) -> String {
    format!("{account}/{session}/history")
}

/// One part.
pub fn history_part(account: AccountId, session: SessionId, part: &str) -> Key {
    Key::new(history(account, session), part)
}

/// Some bytes of a part.
pub fn history_bytes(account: AccountId, session: SessionId, part: &str, index: u32) -> Key {
    // Each in a partition of its own: a part is more than one partition takes at once.
    Key::new(format!("{account}/{session}/history/{part}/{index:05}"), "bytes")
}

/// A receipt that waits for its message, by a keyed hash of what it says.
pub fn parked_receipt(account: AccountId, session: SessionId, id: &str) -> Key {
    Key::new(format!("{account}/{session}/parked-receipts"), id)
}

/// Partition of an account's webhook endpoints; sorted by id.
pub fn webhooks(account: AccountId) -> String {
    format!("{account}/webhooks")
}

/// One webhook endpoint.
pub fn webhook(account: AccountId, endpoint: WebhookEndpointId) -> Key {
    Key::new(webhooks(account), endpoint.to_string())
}

/// Partition of an account's wrapped data keys, where Records holds them; sorted by number.
pub fn data_keys(account: AccountId) -> String {
    format!("{account}/data-keys")
}

/// One wrapped data key.
pub fn data_key(account: AccountId, number: u64) -> Key {
    Key::new(data_keys(account), format!("{number:010}"))
}

/// Partition of an account's API keys; sorted by id.
pub fn api_keys(account: AccountId) -> String {
    format!("{account}/api-keys")
}

/// One API key: what is shown of it.
pub fn api_key(account: AccountId, key: ApiKeyId) -> Key {
    Key::new(api_keys(account), key.to_string())
}

/// A sign-in, with the hash of its current refresh token.
pub fn sign_in(id: &str) -> Key {
    Key::new(format!("{}/sign-in/{id}", AccountId::SYSTEM), "sign-in")
}

/// The last code of a user's second factor that was used: its version is the half minute since 1970.
pub fn last_totp(user: UserId) -> Key {
    Key::new(format!("{}/totp/{user}", AccountId::SYSTEM), "last")
}

/// Partition of the mails that are kept for the operator; sorted by time.
pub fn kept_mails() -> String {
    format!("{}/mail", AccountId::SYSTEM)
}

/// One of them.
pub fn kept_mail(id: &str) -> Key {
    Key::new(kept_mails(), id)
}

/// That a mail was sent.
pub fn sent_mail(id: &str) -> Key {
    Key::new(format!("{}/sent-mail/{id}", AccountId::SYSTEM), "sent")
}

/// Partition of all accounts; sorted by id.
pub fn accounts() -> String {
    format!("{}/accounts", AccountId::SYSTEM)
}

/// An account as the operator sees it.
pub fn account(account: AccountId) -> Key {
    Key::new(accounts(), account.to_string())
}

/// Partition of all users; sorted by id.
pub fn users() -> String {
    format!("{}/users", AccountId::SYSTEM)
}

/// A user as the operator sees it.
pub fn user(user: UserId) -> Key {
    Key::new(users(), user.to_string())
}

/// Partition of what was changed in an account; sorted by time. That of the system is about the deployment.
pub fn audit(account: AccountId) -> String {
    format!("{account}/audit")
}

/// Partition of what a user changed about themselves; sorted by time. By user, so that it goes with the user.
pub fn audit_of_user(user: UserId) -> String {
    format!("{}/audit/{user}", AccountId::SYSTEM)
}

/// One change.
pub fn audit_entry(account: AccountId, at: Timestamp, stream: &StreamName, version: u64) -> Key {
    let partition = match (stream.kind(), UserId::parse(stream.id())) {
        (<User as Aggregate>::TYPE, Ok(user)) => audit_of_user(user),
        _ => audit(account),
    };
    Key::new(partition, format!("{}/{stream}/{version}", due_before(at)))
}

/// Partition of an account's days of which the messages were counted; sorted by day.
pub fn usage(account: AccountId) -> String {
    format!("{account}/usage")
}

/// One day.
pub fn usage_of_day(account: AccountId, day: Date) -> Key {
    Key::new(usage(account), day.to_string())
}

/// One day that is not over.
pub fn usage_of_open_day(account: AccountId, day: Date) -> Key {
    Key::new(usage(account), format!("{day}/open"))
}

/// Partition of the accounts that are to be erased; sorted by id.
pub fn erasures() -> String {
    format!("{}/erasures", AccountId::SYSTEM)
}

/// How far an account is erased.
pub fn erasure(account: AccountId) -> Key {
    Key::new(erasures(), account.to_string())
}

/// Partition of the accounts that users who are gone still have to leave; sorted by account and user.
pub fn leavings() -> String {
    format!("{}/leavings", AccountId::SYSTEM)
}

/// One of them.
pub fn leaving(account: AccountId, user: UserId) -> Key {
    Key::new(leavings(), format!("{account}/{user}"))
}

/// A bucket of a rate limit that several processes share.
pub fn rate_limit(account: AccountId, limit: &str, whose: &str) -> Key {
    Key::new(format!("{account}/rate-limit/{limit}/{whose}"), "bucket")
}

/// That a user signed in from an address, by a keyed hash of both.
pub fn known_address(hash: &str) -> Key {
    Key::new(format!("{}/known-address/{hash}", AccountId::SYSTEM), "known")
}

/// Which account and which owner the first start made.
pub fn first_account() -> Key {
    Key::new(format!("{}/first-account", AccountId::SYSTEM), "first-account")
}

/// A stream that a consumer could not handle. All of one consumer stand together, so that it finds them when it starts.
pub fn parked(consumer: &str, account: AccountId, stream: &str) -> Key {
    Key::new(format!("{}/parked/{consumer}", AccountId::SYSTEM), format!("{account}/{stream}"))
}

/// Partition of what an operator's long work remembers, so that it goes on after it was ended; sorted by part.
pub fn operation(name: &str) -> String {
    format!("{}/operation/{name}", AccountId::SYSTEM)
}

/// What one part of an operator's long work remembers.
pub fn operation_part(name: &str, part: &str) -> Key {
    Key::new(operation(name), part)
}

/// A claim: a keyed hash of what is claimed.
fn claim(secrets: &dyn SecretBox, purpose: &str, parts: &[&str]) -> ClaimKey {
    // Parts are separated by a character that none of them contains.
    let hash = secrets.keyed_hash(purpose, parts.join("\u{1f}").as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    ClaimKey(format!("{purpose}/{hex}"))
}

/// The name of a session, unique in its account.
pub fn session_name_claim(secrets: &dyn SecretBox, account: AccountId, name: &str) -> ClaimKey {
    claim(secrets, "session_name", &[&account.to_string(), name])
}

/// The lookup id of an API key.
pub fn api_key_claim(secrets: &dyn SecretBox, lookup_id: &str) -> ClaimKey {
    claim(secrets, "api_key", &[lookup_id])
}

/// The e-mail address of a user, whatever its case.
pub fn email_claim(secrets: &dyn SecretBox, email: &str) -> ClaimKey {
    claim(secrets, "email", &[&email.to_lowercase()])
}

/// An idempotency key: per account and route.
pub fn idempotency_claim(secrets: &dyn SecretBox, account: AccountId, route: &str, key: &str) -> ClaimKey {
    claim(secrets, "idempotency", &[&account.to_string(), route, key])
}
