//! Envelope encryption with keys in the same file, wrapped by the master key.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};
use waxwing_app::{
    envelope::{DataKey, KeyBytes, KeyCache, RootKey, decrypt, encrypt, key_id, key_number, key_place},
    ports::{Entropy, KeyCustody, KeyOwners, KeyedHash, PortError, Sealed, SecretBox},
};
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::{
    codec::{limit, loaded, stored},
    failure::Stop,
    keyring::Keyring,
    store::Store,
    writer::Transaction,
};

/// Owners of data keys that one call names.
const OWNERS_AT_ONCE: usize = 100;

/// Envelope encryption under a master key in a file.
pub(crate) struct LocalSecretBox {
    store: Arc<Store>,
    entropy: Arc<dyn Entropy>,
    wrapping: KeyBytes,
    hashes: RootKey,
    cache: KeyCache,
}

impl LocalSecretBox {
    pub(crate) fn new(store: Arc<Store>, entropy: Arc<dyn Entropy>, keyring: Keyring) -> Self {
        let Keyring { wrapping, hash_root } = keyring;
        Self { store, entropy, wrapping, hashes: RootKey::new(&hash_root), cache: KeyCache::default() }
    }

    async fn current_key(&self, account: AccountId) -> Result<Arc<DataKey>, PortError> {
        let missed = match self.cache.current(account) {
            Ok(key) => return Ok(key),
            Err(missed) => missed,
        };
        let found = self.store.readers.read(move |connection| Ok(newest(connection, account)?)).await?;
        let (number, wrapped) = match found {
            Newest { number, wrapped: Some(wrapped) } => (number, wrapped),
            Newest { number: 0, .. } => self.make_key(account, 1).await?,
            Newest { number, .. } => return Err(erased(account, number)),
        };
        Ok(self.cache.remember(account, self.unwrap(account, number, &wrapped)?, true, missed))
    }

    /// Stores a fresh key, unless somebody else was faster.
    async fn make_key(&self, account: AccountId, number: u64) -> Result<(u64, Vec<u8>), PortError> {
        let mut key = KeyBytes::default();
        self.entropy.fill(&mut key[..]);
        let place = key_place(account, number);
        let wrapped = encrypt(&*self.entropy, &self.wrapping, place.as_bytes(), &key[..])?;
        self.store.writer.run(move |transaction| insert(transaction, account, number, &wrapped)).await
    }

    async fn key(&self, account: AccountId, number: u64) -> Result<Arc<DataKey>, PortError> {
        let missed = match self.cache.key(account, number) {
            Ok(key) => return Ok(key),
            Err(missed) => missed,
        };
        let read = move |connection: &rusqlite::Connection| {
            let mut statement = connection
                .prepare_cached("SELECT wrapped FROM data_keys WHERE account = ?1 AND number = ?2")?;
            let wrapped: Option<Option<Vec<u8>>> = statement
                .query_row(params![account.to_string(), stored(number)], |row| row.get(0))
                .optional()?;
            Ok(wrapped)
        };
        let wrapped = match self.store.readers.read(read).await? {
            Some(Some(wrapped)) => wrapped,
            Some(None) => return Err(erased(account, number)),
            None => return Err(missing(account, number)),
        };
        Ok(self.cache.remember(account, self.unwrap(account, number, &wrapped)?, false, missed))
    }

    fn unwrap(&self, account: AccountId, number: u64, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let place = key_place(account, number);
        let bytes = Zeroizing::new(decrypt(&self.wrapping, place.as_bytes(), wrapped)?);
        DataKey::unwrapped(account, number, &bytes)
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
        let bytes = encrypt(&*self.entropy, &key.bytes, associated, plaintext)?;
        Ok(Sealed { key_id: key_id(key.number), bytes })
    }

    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError> {
        let key = self.key(account, key_number(&sealed.key_id)?).await?;
        decrypt(&key.bytes, associated, &sealed.bytes)
    }

    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        self.hashes.keyed_hash(purpose, data)
    }
}

#[async_trait]
impl KeyCustody for LocalSecretBox {
    async fn rotate(&self, account: AccountId) -> Result<(), PortError> {
        let found = self.store.readers.read(move |connection| Ok(newest(connection, account)?)).await?;
        match found {
            Newest { number: 0, .. } => return Err(missing(account, 1)),
            Newest { number, wrapped: None } => return Err(erased(account, number)),
            Newest { number, .. } => self.make_key(account, number + 1).await?,
        };
        self.cache.forget(account);
        Ok(())
    }

    async fn owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError> {
        let after = after.unwrap_or_default().to_owned();
        self.store.readers.read(move |connection| owners(connection, &after)).await
    }

    async fn destroy(&self, account: AccountId) -> Result<(), PortError> {
        let destroyed = self.store.writer.run(move |transaction| destroy(transaction, account)).await;
        self.cache.forget(account);
        destroyed?;
        // The log still holds pages with the wrapped keys.
        self.store.writer.checkpoint().await
    }
}

fn missing(account: AccountId, number: u64) -> PortError {
    PortError::NotFound(format!("data key {}", key_place(account, number)))
}

fn erased(account: AccountId, number: u64) -> PortError {
    PortError::Erased(format!("data key {}", key_place(account, number)))
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
    match newest.wrapped {
        // Somebody else was faster.
        Some(wrapped) if newest.number >= number => return Ok((newest.number, wrapped)),
        None if newest.number > 0 => return Err(Stop::Refused(erased(account, newest.number))),
        _ => {},
    }
    transaction.execute(
        "INSERT INTO data_keys (account, number, wrapped) VALUES (?1, ?2, ?3)",
        params![account.to_string(), stored(number), wrapped],
    )?;
    Ok((number, wrapped.to_vec()))
}

/// Those behind `after` whose keys are not destroyed.
fn owners(connection: &rusqlite::Connection, after: &str) -> Result<KeyOwners, Stop> {
    // All of an owner's keys are destroyed together, and the first stays as long as any.
    let mut statement = connection.prepare_cached(
        "SELECT account FROM data_keys WHERE account > ?1 AND number = 1 AND wrapped IS NOT NULL ORDER BY account LIMIT ?2",
    )?;
    let found = statement.query_map(params![after, limit(OWNERS_AT_ONCE)], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = found.collect::<Result<_, _>>()?;
    let owners = found.iter().map(|owner| {
        AccountId::parse(owner)
            .map_err(|_| Stop::Refused(PortError::Corrupt(format!("{owner:?} owns a data key"))))
    });
    let owners = owners.collect::<Result<_, _>>()?;
    Ok(KeyOwners { owners, next: found.into_iter().nth(OWNERS_AT_ONCE - 1) })
}

fn destroy(transaction: &Transaction<'_>, account: AccountId) -> Result<(), Stop> {
    // An account without a key gets a destroyed one: none may be made later.
    transaction.execute(
        "INSERT OR IGNORE INTO data_keys (account, number, wrapped) VALUES (?1, 1, NULL)",
        [account.to_string()],
    )?;
    transaction.execute("UPDATE data_keys SET wrapped = NULL WHERE account = ?1", [account.to_string()])?;
    Ok(())
}
