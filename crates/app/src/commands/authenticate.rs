//! Find out who calls.

use subtle::ConstantTimeEq;
use waxwing_domain::{
    AccountId, ApiKeyId, SessionId,
    api_key::{ApiKey, covers, may_touch},
};

use super::{
    Commands,
    create_api_key::{LOOKUP_LEN, prefix, secret_hash},
};
use crate::{keys, ports::PortError};

/// Longest credential that is looked at.
const CREDENTIAL_LEN_MAX: usize = 256;

/// Who calls, and what that caller may do.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant.
    pub account: AccountId,
    /// The key.
    pub key: ApiKeyId,
    scopes: Vec<String>,
    session_ids: Option<Vec<SessionId>>,
}

impl Caller {
    /// True when the caller has the scope.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| covers(granted, scope))
    }

    /// True when the caller may touch the session.
    pub fn may_touch(&self, session: SessionId) -> bool {
        may_touch(self.session_ids.as_deref(), session)
    }
}

/// Why a credential is not accepted. All reasons look the same from outside.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Unknown, revoked, expired, of another mode, or not a key at all.
    #[error("the credential is not valid")]
    Invalid,
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Finds the key by its lookup id and compares the hash of its secret in constant time.
    pub async fn authenticate(&self, credential: &str) -> Result<Caller, AuthenticateError> {
        if credential.len() > CREDENTIAL_LEN_MAX || !credential.is_ascii() {
            return Err(AuthenticateError::Invalid);
        }
        let rest = credential.strip_prefix(&prefix(self.network)).ok_or(AuthenticateError::Invalid)?;
        let (lookup_id, secret) = rest.split_at_checked(LOOKUP_LEN).ok_or(AuthenticateError::Invalid)?;
        let claim = keys::api_key_claim(&*self.ports.secrets, lookup_id);
        let value = self.ports.journal.claim(&claim).await?.ok_or(AuthenticateError::Invalid)?;
        let (account, id) =
            owner(&value).ok_or_else(|| PortError::Corrupt("claim of an API key".to_owned()))?;
        let (key, _) = self.ports.load::<ApiKey>(account, &id.to_string()).await?;
        let created = key.valid_at(self.ports.clock.now()).ok_or(AuthenticateError::Invalid)?;
        let presented = secret_hash(secret);
        match bool::from(presented.0.0.as_bytes().ct_eq(created.secret_hash.0.0.as_bytes())) {
            true => Ok(Caller {
                account,
                key: id,
                scopes: created.scopes.clone(),
                session_ids: created.session_ids.clone(),
            }),
            false => Err(AuthenticateError::Invalid),
        }
    }
}

fn owner(value: &[u8]) -> Option<(AccountId, ApiKeyId)> {
    let (account, id) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((account.parse().ok()?, id.parse().ok()?))
}
