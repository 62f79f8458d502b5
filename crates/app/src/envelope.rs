//! What every engine's [`SecretBox`](crate::ports::SecretBox) is made of: the cipher, the keys in memory, and the root
//! key of keyed hashes. Where wrapped keys are kept and what wraps them is the engine's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::ports::{Entropy, EntropyExt as _, KeyedHash, PortError};

/// Bytes of every key here.
pub const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const KEY_ID_PREFIX: &str = "dk";
/// Unwrapped keys in memory. Past it all are dropped; each costs one read to get back.
const CACHED_KEYS: usize = 10_000;

/// A key in memory, wiped when dropped.
pub type KeyBytes = Zeroizing<[u8; KEY_LEN]>;

/// What the other keys of one installation are derived from.
pub struct RootKey {
    derivation: Hkdf<Sha256>,
}

impl RootKey {
    /// The root key with these bytes.
    pub fn new(key: &KeyBytes) -> Self {
        Self { derivation: Hkdf::new(None, &key[..]) }
    }

    /// The key for `purpose`, which starts with the name of what it is for.
    pub fn derive(&self, purpose: &[&[u8]]) -> KeyBytes {
        let mut key = KeyBytes::default();
        self.derivation
            .expand_multi_info(purpose, &mut key[..])
            .expect("HKDF-SHA256 gives up to 8,160 bytes");
        key
    }

    /// HMAC-SHA256 of `data` under the key for `purpose`.
    pub fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        let key = self.derive(&[b"waxwing/1/keyed-hash/", purpose.as_bytes()]);
        let mut hash = Hmac::<Sha256>::new_from_slice(&key[..]).expect("HMAC takes keys of any length");
        hash.update(data);
        hash.finalize().into_bytes().into()
    }
}

/// XChaCha20-Poly1305 under a random nonce: nonce, ciphertext and tag. [`PortError::Corrupt`] for what is too long.
pub fn encrypt(
    entropy: &dyn Entropy,
    key: &KeyBytes,
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, PortError> {
    let nonce: [u8; NONCE_LEN] = entropy.bytes();
    let cipher = XChaCha20Poly1305::new(&(**key).into());
    let ciphertext = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: associated })
        .map_err(|_| PortError::Corrupt("refused: too long to be encrypted".to_owned()))?;
    Ok([&nonce[..], &ciphertext].concat())
}

/// The reverse of [`encrypt`]. [`PortError::Corrupt`] when the bytes or `associated` differ.
pub fn decrypt(key: &KeyBytes, associated: &[u8], bytes: &[u8]) -> Result<Vec<u8>, PortError> {
    let unreadable = || PortError::Corrupt("the ciphertext or what it is bound to was changed".to_owned());
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(unreadable)?;
    let cipher = XChaCha20Poly1305::new(&(**key).into());
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: associated })
        .map_err(|_| unreadable())
}

/// How commits and rows name an account's data key of this number.
pub fn key_id(number: u64) -> String {
    format!("{KEY_ID_PREFIX}{number}")
}

/// The reverse of [`key_id`].
pub fn key_number(key_id: &str) -> Result<u64, PortError> {
    let number = key_id.strip_prefix(KEY_ID_PREFIX).and_then(|number| number.parse().ok());
    number.ok_or_else(|| PortError::Corrupt(format!("{key_id:?} is no data key's id")))
}

/// A wrapped key is bound to its place: moved to another account or number it does not open.
pub fn key_place(account: AccountId, number: u64) -> String {
    format!("{account}/{}", key_id(number))
}

/// One of an account's data keys.
pub struct DataKey {
    /// From 1; a higher number is a later key.
    pub number: u64,
    /// The key itself.
    pub bytes: KeyBytes,
}

impl DataKey {
    /// A key as it was unwrapped. [`PortError::Corrupt`] when it has not [`KEY_LEN`] bytes.
    pub fn unwrapped(account: AccountId, number: u64, bytes: &[u8]) -> Result<Self, PortError> {
        let mut key = KeyBytes::default();
        if bytes.len() != KEY_LEN {
            let place = key_place(account, number);
            return Err(PortError::Corrupt(format!("data key {place} has a wrong length")));
        }
        key.copy_from_slice(bytes);
        Ok(Self { number, bytes: key })
    }
}

/// What a [`KeyCache`] had seen when it did not know a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    destructions: u64,
}

/// Unwrapped data keys in memory, at most 10,000.
#[derive(Default)]
pub struct KeyCache {
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    keys: HashMap<(AccountId, u64), Arc<DataKey>>,
    /// The key with the highest number, with which to encrypt.
    current: HashMap<AccountId, Arc<DataKey>>,
    /// Counts destructions: a key that was read before one is not cached after it.
    destructions: u64,
}

impl KeyCache {
    /// The account's key of this number.
    pub fn key(&self, account: AccountId, number: u64) -> Result<Arc<DataKey>, Missed> {
        let cached = self.cached();
        let missed = Missed { destructions: cached.destructions };
        cached.keys.get(&(account, number)).map(Arc::clone).ok_or(missed)
    }

    /// The account's key with which to encrypt.
    pub fn current(&self, account: AccountId) -> Result<Arc<DataKey>, Missed> {
        let cached = self.cached();
        let missed = Missed { destructions: cached.destructions };
        cached.current.get(&account).map(Arc::clone).ok_or(missed)
    }

    /// Keeps a key that was read after it was `missed`.
    pub fn remember(
        &self,
        account: AccountId,
        key: DataKey,
        is_current: bool,
        missed: Missed,
    ) -> Arc<DataKey> {
        let key = Arc::new(key);
        let mut cached = self.cached();
        if cached.destructions != missed.destructions {
            // Somebody's keys were destroyed meanwhile, perhaps these: good for this call, not for later ones.
            return key;
        }
        if cached.keys.len() >= CACHED_KEYS {
            cached.keys.clear();
            cached.current.clear();
        }
        cached.keys.insert((account, key.number), Arc::clone(&key));
        if is_current {
            cached.current.insert(account, Arc::clone(&key));
        }
        key
    }

    /// Drops the account's keys, because they were destroyed.
    pub fn forget(&self, account: AccountId) {
        let mut cached = self.cached();
        cached.destructions += 1;
        cached.current.remove(&account);
        cached.keys.retain(|(owner, _), _| *owner != account);
    }

    /// Drops every key, so that each is looked up anew.
    pub fn clear(&self) {
        let mut cached = self.cached();
        cached.keys.clear();
        cached.current.clear();
    }

    fn cached(&self) -> MutexGuard<'_, Cached> {
        // Both maps are whole at every moment, whatever panicked while they were held.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
