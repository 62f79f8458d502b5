//! What the master key of a database wraps, and another master key for all of it.
//!
//! A rotation writes the new key file beside the old one, wraps everything anew in one transaction, and moves the new file
//! over the old one. The check value in the database says at every instant which of two files is its key, so whoever opens
//! the folder after a crash finishes or undoes the rest.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use waxwing_app::{
    envelope::{KEY_LEN, KeyBytes, decrypt, encrypt, key_place},
    ports::{Entropy, PortError},
};
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::{
    codec::{limit, loaded},
    failure::Stop,
    folder_lock::FolderLock,
    log,
    master_key::{self, MasterKey},
    open_error::OpenError,
    schema,
};

/// What the wrapped root of keyed hashes is bound to; no data key's place looks like it.
const HASH_ROOT_PLACE: &[u8] = b"hash-root";
/// Data keys in memory while all are wrapped anew.
const REWRAPPED_AT_ONCE: usize = 500;

/// The keys that an open database works with.
pub(crate) struct Keyring {
    /// Wraps the data keys.
    pub(crate) wrapping: KeyBytes,
    /// What keyed hashes are derived from, whatever the master key is.
    pub(crate) hash_root: KeyBytes,
}

/// What a rotation of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotatedMasterKey {
    /// Data keys that were wrapped anew, current and former ones.
    pub data_keys: u64,
}

/// Gives the installation in `data_dir` another master key, which nobody has seen. The old key opens nothing afterwards but
/// copies that were made before. Whatever ends this early, the folder opens with all that it had. Blocks the thread for
/// some microseconds for each data key. [`OpenError::Locked`] while another process uses the folder.
pub fn rotate_master_key(data_dir: &Path, entropy: &dyn Entropy) -> Result<RotatedMasterKey, OpenError> {
    let _lock = FolderLock::take(data_dir)?;
    let mut connection = schema::open_writable(&data_dir.join(schema::FILE_NAME), None)?;
    let old = Keyring::open(data_dir, &mut connection, entropy)?;
    let master = MasterKey::draw(entropy);
    master.write_beside(data_dir)?;
    // Where this fails the new file stays: a commit that says it failed may stand all the same. The next opening looks.
    let data_keys = rewrap(&mut connection, &old, &master, entropy).map_err(|stop| told(data_dir, stop))?;
    finish(data_dir, &connection)?;
    Ok(RotatedMasterKey { data_keys })
}

impl Keyring {
    /// Reads the folder's master key, which has to be the one that the database knows, and what it wraps. Makes both on first
    /// use, and ends a rotation that was interrupted.
    pub(crate) fn open(
        folder: &Path,
        connection: &mut Connection,
        entropy: &dyn Entropy,
    ) -> Result<Self, OpenError> {
        let read = |sql| connection.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).optional();
        let failed = |error: rusqlite::Error| told(folder, error.into());
        let known = read("SELECT hash FROM master_key_check").map_err(failed)?;
        let wrapped = read("SELECT wrapped FROM hash_root").map_err(failed)?;
        let Some(known) = known else {
            return Self::begin(folder, connection, entropy);
        };
        let master = known_master_key(folder, connection, &known)?;
        let wrapping = master.wrapping_key();
        let hash_root = match wrapped {
            Some(wrapped) => unwrap(&wrapping, HASH_ROOT_PLACE, &wrapped)
                .map_err(|_| told(folder, damaged("the root of keyed hashes")))?,
            None => master.into_bytes(),
        };
        Ok(Self { wrapping, hash_root })
    }

    /// The first start. A key file that is there already is taken: a start before this one may have been killed.
    fn begin(folder: &Path, connection: &mut Connection, entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let master = match MasterKey::read(folder, master_key::FILE_NAME)? {
            Some(master) => master,
            None => {
                let master = MasterKey::draw(entropy);
                master.write_beside(folder)?;
                master_key::put_in_place(folder)?;
                master
            },
        };
        let mut this = Self { wrapping: master.wrapping_key(), hash_root: KeyBytes::default() };
        entropy.fill(&mut this.hash_root[..]);
        let store = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            store_roots(&transaction, &this.hash_root, &master, entropy)?;
            Ok(transaction.commit()?)
        };
        store(connection).map_err(|stop| told(folder, stop))?;
        Ok(this)
    }
}

/// The master key with this check value, in its place.
fn known_master_key(folder: &Path, connection: &Connection, known: &[u8]) -> Result<MasterKey, OpenError> {
    let is_known = |master: &MasterKey| master.check_value() == *known;
    match MasterKey::read(folder, master_key::FILE_NAME) {
        Ok(Some(master)) if is_known(&master) => {
            // Of a rotation that was interrupted before its transaction was done.
            master_key::discard_new(folder)?;
            Ok(master)
        },
        found => match MasterKey::read(folder, master_key::NEW_FILE_NAME) {
            Ok(Some(master)) if is_known(&master) => {
                finish(folder, connection)?;
                Ok(master)
            },
            _ => Err(found.map_or_else(
                |error| error,
                |found| found.map_or_else(|| master_key::missing(folder), |_| master_key::foreign(folder)),
            )),
        },
    }
}

/// Ends a rotation whose transaction is done.
fn finish(folder: &Path, connection: &Connection) -> Result<(), OpenError> {
    // The log still holds pages with keys that the old master key opens. Where a reader of another program keeps it from being
    // emptied, the last one to close the database does it.
    log::empty(connection).map_err(|error| told(folder, error.into()))?;
    master_key::put_in_place(folder)
}

/// Wraps every data key and the root of keyed hashes under `new`, in one transaction.
fn rewrap(
    connection: &mut Connection,
    old: &Keyring,
    new: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<u64, Stop> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let wrapping = new.wrapping_key();
    let (mut count, mut after) = (0, (String::new(), 0));
    loop {
        let page = wrapped_keys(&transaction, &after)?;
        let Some((account, number, _)) = page.last() else { break };
        after = (account.clone(), *number);
        count += page.len() as u64;
        for (account, number, wrapped) in page {
            let owner = AccountId::parse(&account).map_err(|_| damaged(&format!("the owner {account:?}")))?;
            let place = key_place(owner, loaded(number));
            let key = unwrap(&old.wrapping, place.as_bytes(), &wrapped)
                .map_err(|_| damaged(&format!("data key {place}")))?;
            let wrapped = encrypt(entropy, &wrapping, place.as_bytes(), &key[..]).map_err(Stop::Refused)?;
            transaction
                .prepare_cached("UPDATE data_keys SET wrapped = ?3 WHERE account = ?1 AND number = ?2")?
                .execute(params![account, number, wrapped])?;
        }
    }
    store_roots(&transaction, &old.hash_root, new, entropy)?;
    transaction.commit()?;
    Ok(count)
}

/// The next data keys that are not destroyed, by owner and number.
fn wrapped_keys(
    connection: &Connection,
    after: &(String, i64),
) -> rusqlite::Result<Vec<(String, i64, Vec<u8>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT account, number, wrapped FROM data_keys
         WHERE (account, number) > (?1, ?2) AND wrapped IS NOT NULL ORDER BY account, number LIMIT ?3",
    )?;
    let rows = statement.query_map(params![after.0, after.1, limit(REWRAPPED_AT_ONCE)], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.collect()
}

/// Says to the database which master key is its own, and keeps the root of keyed hashes under it.
fn store_roots(
    connection: &Connection,
    hash_root: &KeyBytes,
    master: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<(), Stop> {
    let wrapped = encrypt(entropy, &master.wrapping_key(), HASH_ROOT_PLACE, &hash_root[..]);
    connection.execute(
        "INSERT OR REPLACE INTO hash_root (one, wrapped) VALUES (1, ?1)",
        [wrapped.map_err(Stop::Refused)?],
    )?;
    connection.execute(
        "INSERT OR REPLACE INTO master_key_check (one, hash) VALUES (1, ?1)",
        [master.check_value()],
    )?;
    Ok(())
}

fn unwrap(wrapping: &KeyBytes, place: &[u8], wrapped: &[u8]) -> Result<KeyBytes, PortError> {
    let bytes = Zeroizing::new(decrypt(wrapping, place, wrapped)?);
    let mut key = KeyBytes::default();
    if bytes.len() != KEY_LEN {
        return Err(PortError::Corrupt("a key has a wrong length".to_owned()));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

fn damaged(what: &str) -> Stop {
    Stop::Refused(PortError::Corrupt(format!("{what} cannot be unwrapped")))
}

fn told(folder: &Path, stop: Stop) -> OpenError {
    let path = folder.join(schema::FILE_NAME);
    match stop {
        Stop::Failed(error) => schema::refusal(&path, &error),
        Stop::Refused(error) => OpenError::Corrupt { path, detail: error.to_string() },
    }
}
