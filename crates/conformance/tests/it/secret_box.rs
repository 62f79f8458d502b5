use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use waxwing_app::ports::{KeyedHash, PortError, Sealed, SecretBox};
use waxwing_conformance as conformance;
use waxwing_domain::AccountId;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Forgets,
    ShowsThePlaintext,
    RepeatsNonces,
    IgnoresTheContext,
    ChecksNothing,
    IgnoresTheKeyId,
    SharesKeys,
    DrawsAKeyEachTime,
    HashIgnoresThePurpose,
    HashRunsTogether,
    HashIsRandom,
}

/// A toy with the shape of a secret box: nothing here protects anything.
struct Toy {
    count: AtomicU64,
    fault: Fault,
}

fn digest(parts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

impl Toy {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn count(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    fn key(&self, account: AccountId) -> u64 {
        match self.fault {
            Fault::SharesKeys => 0,
            Fault::DrawsAKeyEachTime => self.count(),
            _ => digest(&account),
        }
    }

    fn mask(&self, key: u64, nonce: u64, bytes: &[u8]) -> Vec<u8> {
        if self.has(Fault::ShowsThePlaintext) {
            return bytes.to_vec();
        }
        (0_u64..).zip(bytes).map(|(place, byte)| byte ^ digest(&(key, nonce, place)) as u8).collect()
    }

    fn tag(&self, key: u64, associated: &[u8], masked: &[u8]) -> u64 {
        digest(&(key, if self.has(Fault::IgnoresTheContext) { b"" } else { associated }, masked))
    }
}

#[async_trait]
impl SecretBox for Toy {
    async fn seal(
        &self,
        account: AccountId,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, PortError> {
        let key = self.key(account);
        let nonce = if self.has(Fault::RepeatsNonces) { 7 } else { self.count() };
        let plaintext = if self.has(Fault::Forgets) { b"" } else { plaintext };
        let masked = [&nonce.to_be_bytes()[..], &self.mask(key, nonce, plaintext)].concat();
        let tag = self.tag(key, associated, &masked);
        Ok(Sealed { key_id: "toy".to_owned(), bytes: [&tag.to_be_bytes()[..], &masked].concat() })
    }

    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError> {
        if sealed.key_id != "toy" && !self.has(Fault::IgnoresTheKeyId) {
            return Err(PortError::NotFound(sealed.key_id.clone()));
        }
        let corrupt = || PortError::Corrupt("the tag".to_owned());
        let (tag, masked) = sealed.bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let (nonce, body) = masked.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let key = self.key(account);
        if u64::from_be_bytes(*tag) != self.tag(key, associated, masked) && !self.has(Fault::ChecksNothing) {
            return Err(corrupt());
        }
        Ok(self.mask(key, u64::from_be_bytes(*nonce), body))
    }

    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        let hash = match self.fault {
            Fault::HashIgnoresThePurpose => digest(&data),
            Fault::HashRunsTogether => digest(&[purpose.as_bytes(), data].concat()),
            Fault::HashIsRandom => self.count(),
            _ => digest(&(purpose, data)),
        };
        let mut wide = [0; 32];
        wide[..8].copy_from_slice(&hash.to_be_bytes());
        wide
    }
}

async fn suite(fault: Fault) {
    conformance::secret_box(&Toy { count: AtomicU64::new(1), fault }).await;
}

#[tokio::test]
async fn a_correct_secret_box_passes() {
    suite(Fault::None).await;
}

#[tokio::test]
async fn a_faulty_secret_box_is_found() {
    let cases = [
        (Fault::Forgets, "what was sealed opens to what it was"),
        (Fault::ShowsThePlaintext, "do not show the plaintext"),
        (Fault::RepeatsNonces, "sealed differently each time"),
        (Fault::IgnoresTheContext, "another context are `Corrupt`"),
        (Fault::ChecksNothing, "changed bytes or another context are `Corrupt`"),
        (Fault::IgnoresTheKeyId, "a key that is not there is `NotFound`"),
        (Fault::SharesKeys, "another account's key does not open"),
        (Fault::DrawsAKeyEachTime, "what was sealed opens to what it was"),
        (Fault::HashIgnoresThePurpose, "hashes differ where purpose or data differ"),
        (Fault::HashRunsTogether, "hashes differ where purpose or data differ"),
        (Fault::HashIsRandom, "the same purpose and data hash to the same"),
    ];
    all_break(cases, suite).await;
}
