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

impl Sealed {
    /// As one run of bytes: the length of the key's id, the id, and what is sealed.
    pub fn pack(&self) -> Vec<u8> {
        let length = u8::try_from(self.key_id.len()).expect("ids of data keys are short");
        let mut packed = Vec::with_capacity(1 + self.key_id.len() + self.bytes.len());
        packed.push(length);
        packed.extend_from_slice(self.key_id.as_bytes());
        packed.extend_from_slice(&self.bytes);
        packed
    }

    /// The reverse of [`Sealed::pack`]; `None` for anything else.
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let (length, rest) = packed.split_first()?;
        let (key_id, bytes) = rest.split_at_checked(usize::from(*length))?;
        Some(Self { key_id: String::from_utf8(key_id.to_vec()).ok()?, bytes: bytes.to_vec() })
    }
}

/// A hash that nobody without the key can compute: it stands where an address or a key must not.
pub type KeyedHash = [u8; 32];

/// Envelope encryption: every account has data keys, wrapped by the master key. Destroying an account's keys destroys
/// the content of its journal.
#[async_trait]
pub trait SecretBox: Send + Sync {
    /// Encrypts under the account's current data key (made on first use), bound to `associated`. [`PortError::Erased`] when
    /// the account's keys were destroyed.
    async fn seal(
        &self,
        account: AccountId,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, PortError>;

    /// Decrypts. [`PortError::Erased`] when the key was destroyed, [`PortError::NotFound`] when there never was one,
    /// [`PortError::Corrupt`] when the bytes or `associated` differ.
    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError>;

    /// HMAC-SHA256 under a key derived for `purpose`; the same for ever in one installation.
    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        let sealed = Sealed { key_id: "key_1".to_owned(), bytes: vec![1, 2, 3] };
        assert_eq!(Sealed::unpack(&sealed.pack()), Some(sealed));
        assert_eq!(Sealed::unpack(&[]), None);
        assert_eq!(Sealed::unpack(&[9, 1]), None);
    }
}
