//! What the protocol keeps beside Signal: devices, groups, hidden users, messages on their way.

use std::collections::BTreeMap;

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};

use super::{SignalBackend, compound, expiry, from_json, json_row, stamped, to_json, unstamped};
use crate::store::kind::Kind;
use crate::store::tables::Tables;

/// How long a recipient may ask for a message again: the library's own limit is two hours.
const SENT_SECS: i64 = 2 * 60 * 60 + 600;
/// Most messages that are kept for that, and how many go when there are more.
const SENT_MAX: usize = 2048;
const SENT_DROPPED: usize = 512;
/// How long a decrypted message waits for its commit; WhatsApp delivers again for 30 days.
const PENDING_SECS: i64 = 31 * 24 * 60 * 60;
/// How long a retry's base key is of use.
const BASE_KEY_SECS: i64 = 7 * 24 * 60 * 60;

/// The mapping of a hidden user.
pub(crate) fn lid_mapping(tables: &Tables, lid: &str) -> Option<LidPnMappingEntry> {
    json_row(tables, Kind::LidMapping, lid).ok().flatten()
}

/// Finds phone numbers by hidden user, after loading. The mapping that was learnt last wins.
pub(crate) fn index_lids(tables: &mut Tables) {
    let mappings =
        tables.iter(Kind::LidMapping).filter_map(|(_, row)| from_json::<LidPnMappingEntry>(row).ok());
    let mut mappings: Vec<LidPnMappingEntry> = mappings.collect();
    mappings.sort_by_key(|mapping| mapping.updated_at);
    for mapping in mappings {
        tables.set_lid_of(&mapping.phone_number, &mapping.lid);
    }
}

fn put_lid(tables: &mut Tables, entry: &LidPnMappingEntry, json: Vec<u8>) {
    if let Some(old) = lid_mapping(tables, &entry.lid).filter(|old| old.phone_number != entry.phone_number) {
        tables.clear_lid_of(&old.phone_number, &entry.lid);
    }
    tables.set_lid_of(&entry.phone_number, &entry.lid);
    tables.put(Kind::LidMapping, &entry.lid, json);
}

/// Which devices of a group have our key.
type KeyDevices = BTreeMap<String, bool>;

fn change_tc_token(
    tables: &mut Tables,
    jid: &str,
    change: impl FnOnce(Option<TcTokenEntry>) -> Option<TcTokenEntry>,
) -> Result<()> {
    if let Some(entry) = change(json_row(tables, Kind::TcToken, jid)?) {
        tables.put(Kind::TcToken, jid, to_json(&entry)?);
    }
    Ok(())
}

/// Makes room among the sent messages: the oldest go, from memory.
fn drop_oldest_sent(tables: &mut Tables) {
    let mut ages: Vec<i64> =
        tables.iter(Kind::SentMessage).filter_map(|(_, row)| Some(unstamped(row)?.0)).collect();
    if ages.len() < SENT_MAX {
        return;
    }
    let (_, cutoff, _) = ages.select_nth_unstable(SENT_DROPPED);
    let cutoff = *cutoff;
    let mut left = SENT_DROPPED;
    tables.forget_where(Kind::SentMessage, |row| {
        let gone = left > 0 && unstamped(row).is_none_or(|(secs, _)| secs <= cutoff);
        left -= usize::from(gone);
        gone
    });
}

#[async_trait]
impl ProtocolStore for SignalBackend {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let devices: Option<KeyDevices> =
            self.read(|tables| json_row(tables, Kind::SenderKeyDevices, group_jid))?;
        Ok(devices.unwrap_or_default().into_iter().collect())
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        self.write(|tables| {
            let devices: Option<KeyDevices> = json_row(tables, Kind::SenderKeyDevices, group_jid)?;
            let mut devices = devices.unwrap_or_default();
            devices.extend(entries.iter().map(|(device, has_key)| ((*device).to_owned(), *has_key)));
            tables.put(Kind::SenderKeyDevices, group_jid, to_json(&devices)?);
            Ok(())
        })
        .await?
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::SenderKeyDevices, group_jid))).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        self.write(|tables| {
            let groups: Vec<(String, KeyDevices)> = tables
                .iter(Kind::SenderKeyDevices)
                .filter_map(|(group, row)| Some((group.to_owned(), from_json(row).ok()?)))
                .collect();
            for (group, mut devices) in groups {
                devices.retain(|device, _| !device_jids.contains(&device.as_str()));
                tables.put(Kind::SenderKeyDevices, &group, to_json(&devices)?);
            }
            Ok(())
        })
        .await?
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.write(|tables| {
            let groups: Vec<String> =
                tables.iter(Kind::SenderKeyDevices).map(|(group, _)| group.to_owned()).collect();
            for group in groups {
                tables.remove(Kind::SenderKeyDevices, &group);
            }
        })
        .await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.read(|tables| json_row(tables, Kind::LidMapping, lid))
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        self.read(|tables| match tables.lid_of(phone) {
            Some(lid) => json_row(tables, Kind::LidMapping, lid),
            None => Ok(None),
        })
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        let json = to_json(entry)?;
        self.write(|tables| put_lid(tables, entry, json)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        self.write(|tables| {
            for entry in entries {
                put_lid(tables, entry, to_json(entry)?);
            }
            Ok(())
        })
        .await?
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        self.read(|tables| tables.iter(Kind::LidMapping).map(|(_, row)| from_json(row)).collect())
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        let until = expiry(self.now_secs(), BASE_KEY_SECS);
        let key = compound(&[address, message_id]);
        self.write(|tables| tables.put_until(Kind::BaseKey, &key, base_key, until)).await
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let key = compound(&[address, message_id]);
        Ok(self.read(|tables| tables.get(Kind::BaseKey, &key) == Some(current_base_key)))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        let key = compound(&[address, message_id]);
        self.write(|tables| drop(tables.remove(Kind::BaseKey, &key))).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        self.write(|tables| {
            for record in &records {
                tables.put(Kind::DeviceList, &record.user, to_json(record)?);
            }
            Ok(())
        })
        .await?
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.read(|tables| json_row(tables, Kind::DeviceList, user))
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::DeviceList, user))).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|tables| tables.get(Kind::GroupMetadata, group_jid).map(<[u8]>::to_vec)))
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        self.write(|tables| tables.put(Kind::GroupMetadata, group_jid, blob)).await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::GroupMetadata, group_jid))).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.read(|tables| json_row(tables, Kind::TcToken, jid))
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        let json = to_json(entry)?;
        self.write(|tables| tables.put(Kind::TcToken, jid, json)).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.write(|tables| drop(tables.remove(Kind::TcToken, jid))).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        Ok(self.read(|tables| tables.iter(Kind::TcToken).map(|(jid, _)| jid.to_owned()).collect()))
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let live = |entry: &TcTokenEntry| {
            let received = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
            received || entry.sender_timestamp.is_some_and(|at| at >= sender_cutoff)
        };
        self.write(|tables| {
            let stale =
                tables.iter(Kind::TcToken).filter(|(_, row)| from_json(row).is_ok_and(|entry| !live(&entry)));
            let stale: Vec<String> = stale.map(|(jid, _)| jid.to_owned()).collect();
            for jid in &stale {
                tables.remove(Kind::TcToken, jid);
            }
            u32::try_from(stale.len()).unwrap_or(u32::MAX)
        })
        .await
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, sender_timestamp: i64) -> Result<()> {
        self.write(|tables| {
            change_tc_token(tables, jid, |known| {
                let absent = TcTokenEntry {
                    token: Vec::new(),
                    token_timestamp: sender_timestamp,
                    sender_timestamp: None,
                };
                let known = known.unwrap_or(absent);
                let newest = known.sender_timestamp.map_or(sender_timestamp, |at| at.max(sender_timestamp));
                Some(TcTokenEntry { sender_timestamp: Some(newest), ..known })
            })
        })
        .await?
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], token_timestamp: i64) -> Result<()> {
        self.write(|tables| {
            change_tc_token(tables, jid, |known| match known {
                Some(known) if !known.token.is_empty() && token_timestamp < known.token_timestamp => None,
                known => {
                    let sender_timestamp = known.and_then(|known| known.sender_timestamp);
                    Some(TcTokenEntry { token: token.to_vec(), token_timestamp, sender_timestamp })
                },
            })
        })
        .await?
    }

    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        let now = self.now_secs();
        let (key, row) = (compound(&[chat_jid, message_id]), stamped(now, payload));
        // The ratchets are written before or soon after the message leaves, and this with them. A message that is lost with
        // its row has no outcome yet and is sent again, with its id.
        self.write_with_next(|tables| {
            if tables.len(Kind::SentMessage) >= SENT_MAX {
                drop_oldest_sent(tables);
            }
            tables.put_waiting(Kind::SentMessage, &key, row, expiry(now, SENT_SECS));
        })
        .await
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        let key = compound(&[chat_jid, message_id]);
        let row = self.write_soon(|tables| tables.remove(Kind::SentMessage, &key)).await?;
        Ok(row.and_then(|row| Some(unstamped(&row)?.1.to_vec())))
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        // The engine removes the rows by their time.
        let expired = |row: &[u8]| unstamped(row).is_none_or(|(secs, _)| secs < cutoff_timestamp);
        Ok(self.state.store.tables().forget_where(Kind::SentMessage, expired))
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let now = self.now_secs();
        // Only the ratchet's next write depends on these rows: with it they become durable, or before it. The commit
        // usually comes first and takes them back, so that they cost nothing.
        self.write_soon(|tables| {
            for row in rows {
                let key = compound(&[row.chat, row.sender, row.id]);
                let value = stamped(now, row.message);
                tables.put_waiting(Kind::PendingInbound, &key, value, expiry(now, PENDING_SECS));
            }
        })
        .await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let key = compound(&[chat, sender, id]);
        Ok(self.read(|tables| Some(unstamped(tables.get(Kind::PendingInbound, &key)?)?.1.to_vec())))
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete_pending_inbound_batch(&[PendingInboundKey { chat, sender, id }]).await
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        // A removal that is lost makes the message come again, and its commit is idempotent.
        self.write_soon(|tables| {
            for key in keys {
                tables.remove_pending(&compound(&[key.chat, key.sender, key.id]));
            }
        })
        .await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        // The engine removes the rows by their time.
        let expired = |row: &[u8]| unstamped(row).is_none_or(|(secs, _)| secs < cutoff_timestamp);
        Ok(self.state.store.tables().forget_where(Kind::PendingInbound, expired))
    }
}
