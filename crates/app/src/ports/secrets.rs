use async_trait::async_trait;
use waxwing_domain::AccountId;

use super::PortError;

/// Something encrypted under one of an account's data keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which data key.
    pub key_id: String,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// A hash that nobody without the key can compute: it stands where an address or a key must not.
pub type KeyedHash = [u8; 32];

/// Envelope encryption: every account has data keys, wrapped by the master key. Destroying an account's keys destroys
/// the content of its journal.
#[async_trait]
pub trait SecretBox: Send + Sync {
    /// Encrypts under the account's current data key (made on first use), bound to `associated`.
    async fn seal(
        &self,
        account: AccountId,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, PortError>;

    /// Decrypts. [`PortError::NotFound`] when the key was destroyed, [`PortError::Corrupt`] when the bytes or `associated` differ.
    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError>;

    /// HMAC-SHA256 under a key derived for `purpose`; the same for ever in one installation.
    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash;
}
