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
        Bounds, Clock, Consistency, Entropy, Guard, KeyCustody, KeyedHash, PortError, Query, Records as _,
        Row, Sealed, SecretBox, Write,
    },
};
use waxwing_domain::AccountId;
use zeroize::Zeroizing;

use crate::{failure::port_error, records::DynamoRecords, secret_key};

/// Unwrapped keys are looked up anew after this time: so long other processes go on with a key that one destroyed.
const KEYS_KEPT: SignedDuration = SignedDuration::from_mins(5);
/// Data keys of one account.
const KEYS_MAX: usize = 1_000;
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
            Some((number, wrapped)) if !wrapped.is_empty() => self.unwrap(account, number, wrapped).await?,
            Some((number, _)) => return Err(erased(account, number)),
            None => self.make_key(account, 1).await?,
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

    /// The account's newest key: its number, and the wrapped key, empty when it was destroyed.
    async fn newest(&self, account: AccountId) -> Result<Option<(u64, Vec<u8>)>, PortError> {
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
        Ok(Some((number, row.value)))
    }

    async fn stored(&self, account: AccountId, number: u64) -> Result<DataKey, PortError> {
        let row = self.records.get(&keys::data_key(account, number), Consistency::Strong).await?;
        match row {
            Some(row) if !row.value.is_empty() => self.unwrap(account, number, row.value).await,
            Some(_) => Err(erased(account, number)),
            None => Err(PortError::NotFound(format!("data key {}", key_place(account, number)))),
        }
    }

    /// Stores a fresh key, unless somebody else was faster: then theirs.
    async fn make_key(&self, account: AccountId, number: u64) -> Result<DataKey, PortError> {
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
        match self.records.write_each(vec![Write::Put(row, Guard::Absent)]).await?[..] {
            [true] => DataKey::unwrapped(account, number, &plaintext),
            _ => self.stored(account, number).await,
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
        let number = match self.newest(account).await? {
            Some((number, wrapped)) if wrapped.is_empty() => return Err(erased(account, number)),
            newest => newest.map_or(1, |(number, _)| number + 1),
        };
        self.make_key(account, number).await?;
        self.cache.forget(account);
        Ok(())
    }

    async fn destroy(&self, account: AccountId) -> Result<(), PortError> {
        let query = Query {
            index: 0,
            partition: keys::data_keys(account),
            bounds: Bounds::default(),
            descending: false,
            limit: KEYS_MAX,
        };
        let mut rows = self.records.query(query).await?;
        if rows.is_empty() {
            // An account without a key gets a destroyed one: none may be made later.
            let key = keys::data_key(account, 1);
            rows.push(Row { key, value: Vec::new(), version: 0, indexes: Vec::new(), expires_at: None });
        }
        let emptied = rows.into_iter().map(|row| {
            let row = Row { value: Vec::new(), version: row.version + 1, ..row };
            Write::Put(row, Guard::Always)
        });
        let destroyed = self.records.write_each(emptied.collect()).await;
        self.cache.forget(account);
        destroyed.map(drop)
    }
}

fn erased(account: AccountId, number: u64) -> PortError {
    PortError::Erased(format!("data key {}", key_place(account, number)))
}
