//! App state: keys, versions, and the MACs of mutations.

use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::{ONLY, SignalBackend, compound, json_row, to_json};
use crate::store::kind::Kind;
use crate::store::tables::Tables;

#[async_trait]
impl AppSyncStore for SignalBackend {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.read(|tables| json_row(tables, Kind::SyncKey, &hex(key_id)))
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let json = to_json(&key)?;
        self.write(|tables| {
            tables.put(Kind::SyncKey, &hex(key_id), json);
            tables.put(Kind::LatestSyncKey, ONLY, key_id);
        })
        .await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        self.read(|tables| json_row(tables, Kind::SyncVersion, name)).map(Option::unwrap_or_default)
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        let json = to_json(&state)?;
        self.write(|tables| tables.put(Kind::SyncVersion, name, json)).await
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        let changes = mutations.iter().map(|mac| (mac.index_mac.as_slice(), Some(mac.value_mac.as_slice())));
        self.write(|tables| change_macs(tables, name, changes)).await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|tables| mac(tables, name, index_mac)))
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        Ok(self.read(|tables| {
            index_macs.iter().filter_map(|index| Some((*index, mac(tables, name, index)?))).collect()
        }))
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let changes = index_macs.iter().map(|index| (index.as_slice(), None));
        self.write(|tables| change_macs(tables, name, changes)).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.write(|tables| {
            for bucket in 0..=u8::MAX {
                tables.remove(Kind::MutationMacs, &bucket_key(name, bucket));
            }
        })
        .await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|tables| tables.get(Kind::LatestSyncKey, ONLY).map(<[u8]>::to_vec)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The MACs of a collection whose index begins with the same byte share a row.
fn bucket_key(name: &str, first: u8) -> String {
    compound(&[name, &format!("{first:02x}")])
}

fn bucket_of(name: &str, index: &[u8]) -> String {
    bucket_key(name, index.first().copied().unwrap_or(0))
}

/// The MACs of a row: length and bytes of the index, length and bytes of the value.
struct Macs<'a>(&'a [u8]);

impl<'a> Iterator for Macs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first()?;
        let (index, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        self.0 = rest;
        Some((index, value))
    }
}

fn mac(tables: &Tables, name: &str, index: &[u8]) -> Option<Vec<u8>> {
    let row = tables.get(Kind::MutationMacs, &bucket_of(name, index))?;
    Macs(row).find(|(found, _)| *found == index).map(|(_, value)| value.to_vec())
}

fn change_macs<'a>(
    tables: &mut Tables,
    name: &str,
    changes: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
) {
    let mut rows: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    for (index, value) in changes {
        let row = rows.entry(bucket_of(name, index)).or_insert_with_key(|key| {
            let known = tables.get(Kind::MutationMacs, key).unwrap_or_default();
            Macs(known).map(|(index, value)| (index.to_vec(), value.to_vec())).collect()
        });
        match value {
            Some(value) => drop(row.insert(index.to_vec(), value.to_vec())),
            None => drop(row.remove(index)),
        }
    }
    for (key, macs) in rows {
        match macs.is_empty() {
            true => drop(tables.remove(Kind::MutationMacs, &key)),
            false => tables.put(Kind::MutationMacs, &key, encode(&macs)),
        }
    }
}

fn encode(macs: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut row = Vec::with_capacity(macs.len() * 66);
    for part in macs.iter().flat_map(|(index, value)| [index, value]) {
        row.push(u8::try_from(part.len()).expect("a MAC has 32 bytes"));
        row.extend_from_slice(part);
    }
    row
}
