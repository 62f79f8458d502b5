//! Envelope encryption: data keys wrapped by KMS, kept in Records, and the key of keyed hashes out of Secrets Manager.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use aws_sdk_kms::{primitives::Blob, types::DataKeySpec};
use jiff::SignedDuration;
use tokio::sync::Mutex;
use waxwing_app::{
    envelope::{DataKey, KeyCache, RootKey, decrypt, encrypt, key_id, key_number, key_place},
    keys,
    ports::{
        Bounds, Clock, Consistency, Entropy, Guard, KeyCustody, KeyOwners, KeyedHash, PortError, Query,
        Records as _, Row, Sealed, SecretBox, Write,
    },
};
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::{failure::port_error, records::DynamoRecords, secret_key};

/// Unwrapped keys are looked up anew after this time: so long other processes go on with a key that one destroyed.
const KEYS_KEPT: SignedDuration = SignedDuration::from_mins(5);
/// Data keys that are destroyed in one step.
const DESTROYED_AT_ONCE: usize = 1_000;
/// How often a destruction looks for keys that were made while it ran. One rotation at a time gets in between.
const DESTRUCTIONS: usize = 20;
/// Accounts whose keys can be asked for at once, if their hashes differ.
const LOADING: usize = 64;
/// What a wrapped key is bound to, in the words of KMS.
const PLACE: &str = "waxwing-data-key";

/// Envelope encryption under a KMS key.
pub(crate) struct KmsSecretBox {
    kms: aws_sdk_kms::Client,
    kms_key_id: String,
    records: Arc<DynamoRecords>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hashes: RootKey,
    cache: KeyCache,
    cached_since_ms: AtomicI64,
    loading: [Mutex<()>; LOADING],
}

impl KmsSecretBox {
    /// Reads the key of keyed hashes, which is needed for every claim.
    pub(crate) async fn load(
        (kms, kms_key_id): (aws_sdk_kms::Client, String),
        (secrets, hash_key_secret_id): (aws_sdk_secretsmanager::Client, &str),
        records: Arc<DynamoRecords>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PortError> {
        let hashes = secret_key::read(&secrets, hash_key_secret_id).await?;
        let cached_since_ms = AtomicI64::new(clock.now().as_millisecond());
        let (hashes, cache) = (RootKey::new(&hashes), KeyCache::default());
        let loading = std::array::from_fn(|_| Mutex::default());
        Ok(Self { kms, kms_key_id, records, clock, entropy, hashes, cache, cached_since_ms, loading })
    }

    async fn current_key(&self, account: AccountId) -> Result<Arc<DataKey>, PortError> {
        self.drop_old_keys();
        let missed = match self.cache.current(account) {
            Ok(key) => return Ok(key),
            Err(missed) => missed,
        };
        let _one = self.loading(account).lock().await;
        // Whoever came first has it by now.
        if let Ok(key) = self.cache.current(account) {
            return Ok(key);
        }
        let key = match self.newest(account).await? {
            Some(Newest { number, row }) if !row.value.is_empty() => {
                self.unwrap(account, number, row.value).await?
            },
            Some(Newest { number, .. }) => return Err(erased(account, number)),
            None => self.make_first_key(account).await?,
        };
        Ok(self.cache.remember(account, key, true, missed))
    }

    async fn key(&self, account: AccountId, number: u64) -> Result<Arc<DataKey>, PortError> {
        self.drop_old_keys();
        let missed = match self.cache.key(account, number) {
            Ok(key) => return Ok(key),
            Err(missed) => missed,
        };
        let _one = self.loading(account).lock().await;
        if let Ok(key) = self.cache.key(account, number) {
            return Ok(key);
        }
        let key = self.stored(account, number).await?;
        Ok(self.cache.remember(account, key, false, missed))
    }

    /// Held while a key of the account is asked for: a batch of commits that come to a cold process together asks once.
    fn loading(&self, account: AccountId) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LOADING as u64).unwrap_or(0);
        &self.loading[place]
    }

    /// The account's newest key, if it ever had one.
    async fn newest(&self, account: AccountId) -> Result<Option<Newest>, PortError> {
        let query = Query {
            index: 0,
            partition: keys::data_keys(account),
            bounds: Bounds::default(),
            descending: true,
            limit: 1,
        };
        let Some(row) = self.records.query(query).await?.pop() else { return Ok(None) };
        let number = row.key.sort.parse().map_err(|_| {
            PortError::Corrupt(format!("{:?} is no number of a data key of {account}", row.key.sort))
        })?;
        Ok(Some(Newest { number, row }))
    }

    async fn stored(&self, account: AccountId, number: u64) -> Result<DataKey, PortError> {
        let row = self.records.get(&keys::data_key(account, number), Consistency::Strong).await?;
        match row {
            Some(row) if !row.value.is_empty() => self.unwrap(account, number, row.value).await,
            Some(_) => Err(erased(account, number)),
            None => Err(missing(account, number)),
        }
    }

    /// Stores a fresh key, unless somebody else was faster: then theirs.
    async fn make_first_key(&self, account: AccountId) -> Result<DataKey, PortError> {
        let (plaintext, row) = self.draw_key(account, 1).await?;
        match self.records.write_each(vec![Write::Put(row, Guard::Absent)]).await?[..] {
            [true] => DataKey::unwrapped(account, 1, &plaintext),
            _ => self.stored(account, 1).await,
        }
    }

    /// A fresh key, and its row, which is not stored yet.
    async fn draw_key(
        &self,
        account: AccountId,
        number: u64,
    ) -> Result<(Zeroizing<Vec<u8>>, Row), PortError> {
        let made = self
            .kms
            .generate_data_key()
            .key_id(&self.kms_key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(PLACE, key_place(account, number))
            .send()
            .await
            .map_err(|error| port_error(&self.kms_key(), &error))?;
        let (Some(plaintext), Some(wrapped)) = (made.plaintext, made.ciphertext_blob) else {
            return Err(PortError::Unavailable(format!("{}: it made no data key", self.kms_key())));
        };
        let plaintext = Zeroizing::new(plaintext.into_inner());
        let row = Row {
            key: keys::data_key(account, number),
            value: wrapped.into_inner(),
            version: 1,
            indexes: Vec::new(),
            expires_at: None,
        };
        Ok((plaintext, row))
    }

    /// The account's newest key, which is not destroyed.
    async fn living(&self, account: AccountId) -> Result<Newest, PortError> {
        match self.newest(account).await? {
            None => Err(missing(account, 1)),
            Some(Newest { number, row }) if row.value.is_empty() => Err(erased(account, number)),
            Some(newest) => Ok(newest),
        }
    }

    /// Destroys until the newest key is destroyed: then no other can be made.
    async fn destroy_all(&self, account: AccountId) -> Result<(), PortError> {
        for _ in 0..DESTRUCTIONS {
            self.destroy_listed(account).await?;
            if self.newest(account).await?.is_some_and(|newest| newest.row.value.is_empty()) {
                return Ok(());
            }
        }
        Err(PortError::Unavailable(format!("data keys of {account} are made while they are destroyed")))
    }

    async fn destroy_listed(&self, account: AccountId) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let query = Query {
                index: 0,
                partition: keys::data_keys(account),
                bounds: Bounds { after: after.clone(), before: None },
                descending: false,
                limit: DESTROYED_AT_ONCE,
            };
            let mut rows = self.records.query(query).await?;
            if rows.is_empty() && after.is_none() {
                // An account without a key gets a destroyed one: none may be made later.
                let key = keys::data_key(account, 1);
                rows.push(Row { key, value: Vec::new(), version: 0, indexes: Vec::new(), expires_at: None });
            }
            let is_last = rows.len() < DESTROYED_AT_ONCE;
            after = rows.last().map(|row| row.key.sort.clone());
            let emptied = rows.into_iter().map(|row| {
                let row = Row { value: Vec::new(), version: row.version + 1, ..row };
                Write::Put(row, Guard::Always)
            });
            self.records.write_each(emptied.collect()).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The wrapped key says itself which KMS key wrapped it, so that the setting can move on to a new one.
    async fn unwrap(&self, account: AccountId, number: u64, wrapped: Vec<u8>) -> Result<DataKey, PortError> {
        let decrypted = self
            .kms
            .decrypt()
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(PLACE, key_place(account, number))
            .send()
            .await
            .map_err(|error| port_error(&self.kms_key(), &error))?;
        let plaintext = Zeroizing::new(decrypted.plaintext.map(Blob::into_inner).unwrap_or_default());
        DataKey::unwrapped(account, number, &plaintext)
    }

    fn kms_key(&self) -> String {
        format!("KMS key {}", self.kms_key_id)
    }

    fn drop_old_keys(&self) {
        let now_ms = self.clock.now().as_millisecond();
        let since_ms = self.cached_since_ms.load(Ordering::Acquire);
        let is_due = i128::from(now_ms) - i128::from(since_ms) > KEYS_KEPT.as_millis();
        // Of several that notice it, one does it.
        if is_due
            && self
                .cached_since_ms
                .compare_exchange(since_ms, now_ms, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            self.cache.clear();
        }
    }
}

#[async_trait]
impl SecretBox for KmsSecretBox {
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
impl KeyCustody for KmsSecretBox {
    async fn rotate(&self, account: AccountId) -> Result<(), PortError> {
        let newest = self.living(account).await?;
        let (_, row) = self.draw_key(account, newest.number + 1).await?;
        // Or a key could be made behind a destruction that has seen all that there were.
        let lives = Write::Check(newest.row.key, Guard::Exactly(newest.row.version));
        let rotated = self.records.write_all(vec![lives, Write::Put(row, Guard::Absent)]).await;
        self.cache.forget(account);
        match rotated {
            // Somebody else rotated, which does as well, or destroyed.
            Err(PortError::Conflict(_)) => self.living(account).await.map(drop),
            rotated => rotated,
        }
    }

    async fn owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError> {
        self.records.key_owners(after).await
    }

    async fn destroy(&self, account: AccountId) -> Result<(), PortError> {
        let destroyed = self.destroy_all(account).await;
        self.cache.forget(account);
        destroyed
    }
}

/// The newest key of an account.
struct Newest {
    number: u64,
    /// With the wrapped key, or nothing when it was destroyed.
    row: Row,
}

fn missing(account: AccountId, number: u64) -> PortError {
    PortError::NotFound(format!("data key {}", key_place(account, number)))
}

fn erased(account: AccountId, number: u64) -> PortError {
    PortError::Erased(format!("data key {}", key_place(account, number)))
}
