//! Make an API key.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use waxwing_domain::{
    AccountId, ApiKeyId, Network, Secret, SessionId,
    api_key::{ApiKey, ApiKeyCommand, ApiKeyError, CreateApiKey, SecretHash, mode_of},
};

use super::Commands;
use crate::{
    execute::{Cause, ExecuteError, Execution},
    keys,
    ports::{Claim, EntropyExt, PortError},
};

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
    /// What it may do.
    pub scopes: Vec<String>,
    /// Which sessions it may touch.
    pub session_ids: Option<Vec<SessionId>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
}

/// The key that was made, in full: it is shown this once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedApiKey {
    /// Its id.
    pub id: ApiKeyId,
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

impl Commands {
    /// Draws a key for the network that this process serves.
    pub fn draw_api_key(&self) -> DrawnApiKey {
        let random: [u8; LOOKUP_LEN + SECRET_LEN] = self.entropy.bytes();
        let text = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
        DrawnApiKey(Secret(prefix(self.network).chars().chain(text).collect()))
    }

    /// Makes a key for the network that this process serves.
    pub async fn create_api_key(
        &self,
        account: AccountId,
        drawn: DrawnApiKey,
        new: NewApiKey,
        cause: &Cause,
    ) -> Result<CreatedApiKey, ExecuteError<ApiKeyError>> {
        let text = drawn.0.0.strip_prefix(&prefix(self.network)).unwrap_or_default();
        let parts = text.split_at_checked(LOOKUP_LEN).filter(|(_, secret)| secret.len() == SECRET_LEN);
        let Some((lookup_id, secret)) = parts else {
            return Err(PortError::Corrupt("a drawn key of another form".to_owned()).into());
        };
        let id = ApiKeyId::from_parts(self.ids.parts());
        let create = CreateApiKey {
            name: new.name,
            network: self.network,
            lookup_id: lookup_id.to_owned(),
            secret_hash: secret_hash(secret),
            scopes: new.scopes,
            session_ids: new.session_ids,
            expires_at: new.expires_at,
            at: self.ports.clock.now(),
        };
        let key = keys::api_key_claim(&*self.ports.secrets, lookup_id);
        let value = format!("{account} {id}").into_bytes();
        let stream = id.to_string();
        let execution = Execution::<ApiKey> {
            account,
            id: &stream,
            command: ApiKeyCommand::Create(create),
            fresh: true,
            claims: vec![Claim::Take { key, value, expires_at: None }],
            cause,
        };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(CreatedApiKey { id, key: drawn.0.clone() }),
            Err(ExecuteError::ClaimTaken(..)) => {
                Err(PortError::Conflict("a random key was drawn twice".to_owned()).into())
            },
            Err(error) => Err(error),
        }
    }
}
