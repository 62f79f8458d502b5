//! Make an API key.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use waxwing_domain::{
    AccountId, ApiKeyId, Network, Secret, SessionId,
    api_key::{
        ApiKey, ApiKeyCommand, ApiKeyCreated, ApiKeyError, ApiKeyEvent, CreateApiKey, SecretHash, mode_of,
    },
};

use super::{Commands, IdempotencyError, Once, Repeatable, authenticate::parse_ip_range};
use crate::{
    execute::{Cause, Execution},
    keys,
    ports::{Claim, EntropyExt, Guard, PortError, Write},
    queries, rows,
    views::ApiKeyView,
};

/// Most keys of one account that work.
pub const API_KEYS_MAX: usize = 500;

/// Characters of a key: no two look alike, none needs escaping.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
/// Length of the part by which a key is found.
pub(super) const LOOKUP_LEN: usize = 16;
/// Length of the part that proves it: 200 bits.
pub(super) const SECRET_LEN: usize = 40;

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its name.
    pub name: String,
    /// Which network it reaches.
    pub network: Network,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Which sessions it may touch.
    pub session_ids: Option<Vec<SessionId>>,
    /// From which addresses it may be used, in CIDR notation.
    pub ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute.
    pub rate_limit_per_min: Option<u32>,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyCommandError {
    /// One of the named sessions does not exist.
    #[error("there is no session {0}")]
    NoSuchSession(SessionId),
    /// The range at this place of the list cannot be read.
    #[error("expected an address or a range in CIDR notation, such as 203.0.113.0/24 or 2001:db8::/32")]
    InvalidIpRange(usize),
    /// The account has 500.
    #[error("the account already has {API_KEYS_MAX} API keys")]
    TooMany,
    /// See [`ApiKeyError`].
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// See [`IdempotencyError`].
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The key that was made, in full: it is shown this once.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedApiKey {
    /// What is shown of it.
    pub view: ApiKeyView,
    /// `wx_test_…` or `wx_live_…`.
    pub key: Secret,
}

/// What stands before the parts of a key of this network.
pub(super) fn prefix(network: Network) -> String {
    format!("wx_{}_", mode_of(network))
}

/// The hash under which a key is stored. The key has 200 random bits, so nothing slower is needed.
pub(super) fn secret_hash(secret: &str) -> SecretHash {
    let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    SecretHash(Secret(digest.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// A key that was drawn and not yet made: who has to keep it before it is committed can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnApiKey(pub Secret);

/// Lookup id and hash of a drawn key.
pub(super) fn parts(drawn: &DrawnApiKey, network: Network) -> Result<(String, SecretHash), PortError> {
    let text = drawn.0.0.strip_prefix(&prefix(network)).unwrap_or_default();
    let parts = text.split_at_checked(LOOKUP_LEN).filter(|(_, secret)| secret.len() == SECRET_LEN);
    parts
        .map(|(lookup_id, secret)| (lookup_id.to_owned(), secret_hash(secret)))
        .ok_or_else(|| PortError::Corrupt("a drawn key of another form".to_owned()))
}

/// By which claim a key is found.
pub(super) fn lookup_claim(commands: &Commands, account: AccountId, id: ApiKeyId, lookup_id: &str) -> Claim {
    let key = keys::api_key_claim(&*commands.ports.secrets, lookup_id);
    Claim::Take { key, value: format!("{account} {id}").into_bytes(), expires_at: None }
}

pub(super) fn drawn_twice() -> ApiKeyCommandError {
    PortError::Conflict("a random key was drawn twice".to_owned()).into()
}

impl Commands {
    /// Draws a key for a network.
    pub fn draw_api_key(&self, network: Network) -> DrawnApiKey {
        let random: [u8; LOOKUP_LEN + SECRET_LEN] = self.entropy.bytes();
        let text = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
        DrawnApiKey(Secret(prefix(network).chars().chain(text).collect()))
    }

    /// Makes a key. One for a network that this process does not serve is made and does not work here.
    pub async fn create_api_key(
        &self,
        account: AccountId,
        drawn: DrawnApiKey,
        new: NewApiKey,
        repeatable: Option<Repeatable<'_, CreatedApiKey>>,
        cause: &Cause,
    ) -> Result<Once<CreatedApiKey>, ApiKeyCommandError> {
        if let Some(answer) = self.repeated(account, repeatable.as_ref()).await? {
            return Ok(Once::Repeated(answer));
        }
        let (lookup_id, secret_hash) = parts(&drawn, new.network)?;
        let (id, at) = (ApiKeyId::from_parts(self.ids.parts()), self.ports.clock.now());
        let lookup = lookup_claim(self, account, id, &lookup_id);
        let create = CreateApiKey {
            name: new.name,
            network: new.network,
            lookup_id,
            secret_hash,
            scopes: new.scopes,
            session_ids: new.session_ids,
            ip_allow_list: new.ip_allow_list,
            expires_at: new.expires_at,
            rate_limit_per_min: new.rate_limit_per_min,
            at,
        };
        let created = self.checked(account, &create).await?;
        let created = CreatedApiKey { view: ApiKeyView::new(id, &created, None), key: drawn.0 };
        let mut claims = self.claims_for(account, repeatable.as_ref(), &created, at).await?;
        claims.push(lookup);
        let (text, command) = (id.to_string(), ApiKeyCommand::Create(create));
        let execution = Execution::<ApiKey> { account, id: &text, command, fresh: true, claims, cause };
        let executed = self.ports.execute(execution).await;
        let once = self.once(account, repeatable.as_ref(), executed, created, drawn_twice).await?;
        if let Once::Done(created) = &once {
            // Who made it finds it in the list at once.
            let row = rows::row(keys::api_key(account, id), 1, &created.view)?;
            self.records.write_each(vec![Write::Put(row, Guard::Newer)]).await?;
        }
        Ok(once)
    }

    /// What the key will be, if it can be made.
    async fn checked(
        &self,
        account: AccountId,
        create: &CreateApiKey,
    ) -> Result<ApiKeyCreated, ApiKeyCommandError> {
        let decided = ApiKey::default().decide(ApiKeyCommand::Create(create.clone()))?;
        let Some(ApiKeyEvent::Created(created)) = decided.into_iter().next() else {
            return Err(PortError::Corrupt("a new key is made by its first event".to_owned()).into());
        };
        for (place, range) in created.ip_allow_list.iter().flatten().enumerate() {
            parse_ip_range(range).ok_or(ApiKeyCommandError::InvalidIpRange(place))?;
        }
        for session in created.session_ids.iter().flatten() {
            if self.session(account, *session).await?.is_none() {
                return Err(ApiKeyCommandError::NoSuchSession(*session));
            }
        }
        match queries::api_keys(&*self.records, account).await?.len() >= API_KEYS_MAX {
            true => Err(ApiKeyCommandError::TooMany),
            false => Ok(created),
        }
    }
}
