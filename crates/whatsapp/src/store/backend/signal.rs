//! Identities, sessions, keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::{Result, StoreError};
use wacore::store::traits::SignalStore;

use super::SignalBackend;
use crate::store::kind::{Kind, PRE_KEYS_PER_ROW};
use crate::store::tables::Tables;

#[async_trait]
impl SignalStore for SignalBackend {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.write(|tables| tables.put(Kind::Identity, address, key)).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        self.write(|tables| {
            identities.iter().for_each(|(address, key)| tables.put(Kind::Identity, address, *key))
        })
        .await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let key = self.read(|tables| tables.get(Kind::Identity, address).map(<[u8; 32]>::try_from));
        key.transpose().map_err(|_| StoreError::Validation("an identity key has 32 bytes".to_owned()))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::Identity, address))).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.read(|tables| tables.get(Kind::Session, address).map(Bytes::copy_from_slice)))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.write(|tables| tables.put(Kind::Session, address, session)).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.write(|tables| put_all(tables, Kind::Session, sessions)).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::Session, address))).await
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        Ok(self.read(|tables| tables.contains(Kind::Session, address)))
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        let theirs = |address: &str| {
            address.strip_prefix(user).is_some_and(|rest| rest.starts_with('@') || rest.starts_with(':'))
        };
        Ok(self.read(|tables| {
            [Kind::Session, Kind::Identity]
                .into_iter()
                .any(|kind| tables.iter(kind).any(|(key, _)| theirs(key)))
        }))
    }

    async fn store_prekey(&self, id: u32, record: &[u8], _uploaded: bool) -> Result<()> {
        self.write(|tables| put_pre_keys(tables, &[(id, Bytes::copy_from_slice(record))])).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], _uploaded: bool) -> Result<()> {
        self.write(|tables| put_pre_keys(tables, keys)).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        Ok(self.read(|tables| pre_key(tables, id)))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        Ok(self.read(|tables| ids.iter().filter_map(|id| Some((*id, pre_key(tables, *id)?))).collect()))
    }

    async fn mark_prekeys_uploaded(&self, _ids: &[u32]) -> Result<()> {
        // Nothing reads the mark: what was uploaded stands in the device's watermarks.
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.write(|tables| {
            let key = row_of(id);
            let mut keys = tables.get(Kind::PreKeys, &key).map(decode).unwrap_or_default();
            if keys.remove(&id).is_none() {
                return;
            }
            match keys.is_empty() {
                true => drop(tables.remove(Kind::PreKeys, &key)),
                false => tables.put(Kind::PreKeys, &key, encode(&keys)),
            }
        })
        .await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        Ok(self.read(|tables| {
            tables.iter(Kind::PreKeys).filter_map(|(_, row)| decode(row).into_keys().max()).max().unwrap_or(0)
        }))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.write(|tables| tables.put(Kind::SignedPreKey, &id.to_string(), record)).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|tables| tables.get(Kind::SignedPreKey, &id.to_string()).map(<[u8]>::to_vec)))
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        Ok(self.read(|tables| {
            tables
                .iter(Kind::SignedPreKey)
                .filter_map(|(id, key)| Some((id.parse().ok()?, key.to_vec())))
                .collect()
        }))
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::SignedPreKey, &id.to_string()))).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.write(|tables| tables.put(Kind::SenderKey, address, record)).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.write(|tables| put_all(tables, Kind::SenderKey, sender_keys)).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|tables| tables.get(Kind::SenderKey, address).map(<[u8]>::to_vec)))
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::SenderKey, address))).await
    }
}

fn put_all(tables: &mut Tables, kind: Kind, rows: &[(Arc<str>, Bytes)]) {
    for (address, record) in rows {
        tables.put(kind, address, record.as_ref());
    }
}

/// The row that a one-time key shares with its neighbours.
fn row_of(id: u32) -> String {
    (id / PRE_KEYS_PER_ROW).to_string()
}

fn pre_key(tables: &Tables, id: u32) -> Option<Bytes> {
    let row = tables.get(Kind::PreKeys, &row_of(id))?;
    PreKeys(row).find(|(found, _)| *found == id).map(|(_, record)| Bytes::copy_from_slice(record))
}

fn put_pre_keys(tables: &mut Tables, keys: &[(u32, Bytes)]) {
    let mut rows: BTreeMap<u32, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for (id, record) in keys {
        let row = rows.entry(id / PRE_KEYS_PER_ROW);
        let row =
            row.or_insert_with(|| tables.get(Kind::PreKeys, &row_of(*id)).map(decode).unwrap_or_default());
        row.insert(*id, record.to_vec());
    }
    for (row, keys) in rows {
        tables.put(Kind::PreKeys, &row.to_string(), encode(&keys));
    }
}

/// The keys of a row: id, length and record of each.
struct PreKeys<'a>(&'a [u8]);

impl<'a> Iterator for PreKeys<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, rest) = self.0.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (record, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.0 = rest;
        Some((u32::from_be_bytes(*id), record))
    }
}

fn decode(row: &[u8]) -> BTreeMap<u32, Vec<u8>> {
    PreKeys(row).map(|(id, record)| (id, record.to_vec())).collect()
}

fn encode(keys: &BTreeMap<u32, Vec<u8>>) -> Vec<u8> {
    let mut row = Vec::new();
    for (id, record) in keys {
        let length = u16::try_from(record.len()).expect("a one-time key has about 70 bytes");
        row.extend_from_slice(&id.to_be_bytes());
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(record);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_one_time_keys_reads_back() {
        let keys = BTreeMap::from([(1, vec![1; 70]), (49, vec![]), (2, vec![9])]);
        assert_eq!(decode(&encode(&keys)), keys);
    }
}
