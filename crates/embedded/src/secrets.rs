//! Envelope encryption with keys in the same file, wrapped by the master key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use rusqlite::{OptionalExtension as _, params};
use waxwing_app::ports::{Entropy, EntropyExt as _, KeyedHash, PortError, Sealed, SecretBox};
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::{
    codec::{loaded, stored},
    failure::Stop,
    master_key::{KEY_LEN, KeyBytes, MasterKey},
    store::Store,
    writer::Transaction,
};

const NONCE_LEN: usize = 24;
const KEY_ID_PREFIX: &str = "dk";
/// Unwrapped keys in memory. Past it all are dropped; each costs one read to get back.
const CACHED_KEYS: usize = 10_000;

/// One of an account's data keys.
struct DataKey {
    number: u64,
    bytes: KeyBytes,
}

#[derive(Default)]
struct Cache {
    keys: HashMap<(AccountId, u64), Arc<DataKey>>,
    /// The key with the highest number, with which to encrypt.
    current: HashMap<AccountId, Arc<DataKey>>,
    /// Counts destructions: a key that was read before one is not cached after it.
    destructions: u64,
}

/// Envelope encryption under a master key in a file.
pub(crate) struct LocalSecretBox {
    store: Arc<Store>,
    entropy: Arc<dyn Entropy>,
    master: MasterKey,
    wrapping: KeyBytes,
    cache: Mutex<Cache>,
}

impl LocalSecretBox {
    pub(crate) fn new(store: Arc<Store>, entropy: Arc<dyn Entropy>, master: MasterKey) -> Self {
        let wrapping = master.derive(&[b"waxwing/1/wrap-data-keys"]);
        Self { store, entropy, master, wrapping, cache: Mutex::default() }
    }

    /// Destroys every data key of the account. What they encrypted cannot be read any more.
    pub(crate) async fn destroy_keys(&self, account: AccountId) -> Result<(), PortError> {
        let destroyed = self.store.writer.run(move |transaction| destroy(transaction, account)).await;
        self.forget(account);
        destroyed?;
        // The log still holds pages with the wrapped keys.
        self.store.writer.checkpoint().await
    }

    fn forget(&self, account: AccountId) {
        let mut cache = self.cache();
        cache.destructions += 1;
        cache.current.remove(&account);
        cache.keys.retain(|(owner, _), _| *owner != account);
    }

    async fn current_key(&self, account: AccountId) -> Result<Arc<DataKey>, PortError> {
        let destructions = {
            let cache = self.cache();
            if let Some(key) = cache.current.get(&account) {
                return Ok(Arc::clone(key));
            }
            cache.destructions
        };
        let found = self.store.readers.read(move |connection| Ok(newest(connection, account)?)).await?;
        let (number, wrapped) = match found {
            Newest { number, wrapped: Some(wrapped) } => (number, wrapped),
            Newest { number, wrapped: None } => self.make_key(account, number + 1).await?,
        };
        let key = self.unwrap(account, number, &wrapped)?;
        self.remember(account, Arc::new(key), true, destructions)
    }

    /// Stores a fresh key, unless somebody else was faster.
    async fn make_key(&self, account: AccountId, number: u64) -> Result<(u64, Vec<u8>), PortError> {
        let mut key = KeyBytes::default();
        self.entropy.fill(&mut key[..]);
        let wrapped = self.encrypt(&self.wrapping, &wrapping_data(account, number), &key[..])?;
        self.store.writer.run(move |transaction| insert(transaction, account, number, &wrapped)).await
    }

    async fn key(&self, account: AccountId, number: u64) -> Result<Arc<DataKey>, PortError> {
        let destructions = {
            let cache = self.cache();
            if let Some(key) = cache.keys.get(&(account, number)) {
                return Ok(Arc::clone(key));
            }
            cache.destructions
        };
        let read = move |connection: &rusqlite::Connection| {
            let mut statement = connection
                .prepare_cached("SELECT wrapped FROM data_keys WHERE account = ?1 AND number = ?2")?;
            let wrapped: Option<Option<Vec<u8>>> = statement
                .query_row(params![account.to_string(), stored(number)], |row| row.get(0))
                .optional()?;
            Ok(wrapped.flatten())
        };
        let Some(wrapped) = self.store.readers.read(read).await? else {
            return Err(PortError::NotFound(format!("data key {KEY_ID_PREFIX}{number} of {account}")));
        };
        let key = self.unwrap(account, number, &wrapped)?;
        self.remember(account, Arc::new(key), false, destructions)
    }

    fn unwrap(&self, account: AccountId, number: u64, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let bytes = Zeroizing::new(decrypt(&self.wrapping, &wrapping_data(account, number), wrapped)?);
        let mut key = KeyBytes::default();
        if bytes.len() != KEY_LEN {
            return Err(PortError::Corrupt(format!(
                "data key {KEY_ID_PREFIX}{number} of {account} has a wrong length"
            )));
        }
        key.copy_from_slice(&bytes);
        Ok(DataKey { number, bytes: key })
    }

    fn remember(
        &self,
        account: AccountId,
        key: Arc<DataKey>,
        is_current: bool,
        destructions: u64,
    ) -> Result<Arc<DataKey>, PortError> {
        let mut cache = self.cache();
        if cache.destructions != destructions {
            // Somebody's keys were destroyed meanwhile, perhaps these: good for this call, not for later ones.
            return Ok(key);
        }
        if cache.keys.len() >= CACHED_KEYS {
            cache.keys.clear();
            cache.current.clear();
        }
        cache.keys.insert((account, key.number), Arc::clone(&key));
        if is_current {
            cache.current.insert(account, Arc::clone(&key));
        }
        Ok(key)
    }

    fn encrypt(&self, key: &KeyBytes, associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, PortError> {
        let nonce: [u8; NONCE_LEN] = self.entropy.bytes();
        let cipher = XChaCha20Poly1305::new(&(**key).into());
        let ciphertext = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: associated })
            .map_err(|_| PortError::Corrupt("refused: too long to be encrypted".to_owned()))?;
        Ok([&nonce[..], &ciphertext].concat())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Both maps are whole at every moment, whatever panicked while they were held.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SecretBox for LocalSecretBox {
    async fn seal(
        &self,
        account: AccountId,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, PortError> {
        let key = self.current_key(account).await?;
        let bytes = self.encrypt(&key.bytes, associated, plaintext)?;
        Ok(Sealed { key_id: format!("{KEY_ID_PREFIX}{}", key.number), bytes })
    }

    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError> {
        let number = sealed.key_id.strip_prefix(KEY_ID_PREFIX).and_then(|number| number.parse().ok());
        let Some(number) = number else {
            return Err(PortError::Corrupt(format!("{:?} is no data key's id", sealed.key_id)));
        };
        let key = self.key(account, number).await?;
        decrypt(&key.bytes, associated, &sealed.bytes)
    }

    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        self.master.keyed_hash(purpose, data)
    }
}

fn decrypt(key: &KeyBytes, associated: &[u8], bytes: &[u8]) -> Result<Vec<u8>, PortError> {
    let unreadable = || PortError::Corrupt("the ciphertext or what it is bound to was changed".to_owned());
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(unreadable)?;
    let cipher = XChaCha20Poly1305::new(&(**key).into());
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: associated })
        .map_err(|_| unreadable())
}

/// A wrapped key is bound to its place: moved to another account or number it does not open.
fn wrapping_data(account: AccountId, number: u64) -> Vec<u8> {
    format!("{account}/{KEY_ID_PREFIX}{number}").into_bytes()
}

/// The account's newest key: its number (0 when there never was one), and the wrapped key unless it was destroyed.
struct Newest {
    number: u64,
    wrapped: Option<Vec<u8>>,
}

fn newest(connection: &rusqlite::Connection, account: AccountId) -> rusqlite::Result<Newest> {
    let mut statement = connection.prepare_cached(
        "SELECT number, wrapped FROM data_keys WHERE account = ?1 ORDER BY number DESC LIMIT 1",
    )?;
    let found = statement.query_row([account.to_string()], |row| {
        Ok(Newest { number: loaded(row.get(0)?), wrapped: row.get(1)? })
    });
    Ok(found.optional()?.unwrap_or(Newest { number: 0, wrapped: None }))
}

fn insert(
    transaction: &Transaction<'_>,
    account: AccountId,
    number: u64,
    wrapped: &[u8],
) -> Result<(u64, Vec<u8>), Stop> {
    let newest = newest(transaction.connection(), account)?;
    if let Some(wrapped) = newest.wrapped {
        return Ok((newest.number, wrapped));
    }
    if newest.number + 1 != number {
        // Made and destroyed while this caller looked away; the wrapped key is bound to the number it has not got.
        return Err(Stop::Refused(PortError::Unavailable(
            "the account's keys were just destroyed".to_owned(),
        )));
    }
    transaction.execute(
        "INSERT INTO data_keys (account, number, wrapped) VALUES (?1, ?2, ?3)",
        params![account.to_string(), stored(number), wrapped],
    )?;
    Ok((number, wrapped.to_vec()))
}

fn destroy(transaction: &Transaction<'_>, account: AccountId) -> Result<(), Stop> {
    transaction.execute("UPDATE data_keys SET wrapped = NULL WHERE account = ?1", [account.to_string()])?;
    Ok(())
}
