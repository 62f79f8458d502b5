//! The store through the library's traits, on an engine that can fail.

use std::sync::Arc;

use bytes::Bytes;
use wacore::store::traits::{
    AppSyncStore, DeviceStore, LidPnMappingEntry, MsgSecretEntry, MsgSecretStore, ProtocolStore, SignalStore,
};
use waxwing_app::ports::Write;
use waxwing_domain::{AccountId, Lid, PhoneNumber, SessionId};

use super::kind::Kind;
use super::tables::Tables;
use super::{Durability, Poison, SignalBackend, SignalState, StateError};
use crate::doubles::{MemoryRecords, PlainBox, TestClock};

async fn open(records: &Arc<MemoryRecords>, epoch: u64) -> Result<SignalState, StateError> {
    let (account, session) = (AccountId::new(1, [1; 10]), SessionId::new(1, [2; 10]));
    SignalState::open(Arc::clone(records) as _, Arc::new(PlainBox), account, session, epoch).await
}

fn backend(state: &SignalState) -> SignalBackend {
    SignalBackend::new(state.clone(), Arc::new(TestClock::default()))
}

/// The sort keys that a write puts or removes.
fn touched(writes: &[Write]) -> Vec<&str> {
    let keys = writes.iter().filter_map(|write| match write {
        Write::Put(row, _) => Some(row.key.sort.as_str()),
        Write::Delete(key, _) => Some(key.sort.as_str()),
        Write::Check(..) => None,
    });
    keys.collect()
}

async fn fill(store: &SignalBackend) {
    store.put_identity("a@lid", [7; 32]).await.unwrap();
    store.put_session("a@lid", b"session").await.unwrap();
    store.put_sender_key("g:a", b"sender key").await.unwrap();
    store.store_prekey(3, b"key 3", false).await.unwrap();
    store.store_signed_prekey(1, b"signed").await.unwrap();
    store.set_sync_key(b"k1", Default::default()).await.unwrap();
    store.set_sender_key_status("g", &[("d1", true), ("d2", false)]).await.unwrap();
    store.store_sent_message("c", "m", b"payload").await.unwrap();
    store.put_lid_mapping(&mapping("900", "15550001111", 5)).await.unwrap();
    store.put_msg_secrets(vec![secret()]).await.unwrap();
    let macs =
        [wacore::appstate::processor::AppStateMutationMAC { index_mac: vec![1; 32], value_mac: vec![2; 32] }];
    store.put_mutation_macs("regular", 1, &macs).await.unwrap();
    store.touch_tc_token_sender_timestamp("a@lid", 10).await.unwrap();
    store.store_pending_inbound("c", "s", "p", b"pending").await.unwrap();
    store.save(&wacore::store::Device::new()).await.unwrap();
}

fn secret() -> MsgSecretEntry {
    MsgSecretEntry {
        chat: "c".into(),
        sender: "s".into(),
        msg_id: "m".into(),
        secret: [9; 32],
        expires_at: 0,
        message_ts: 4,
    }
}

fn mapping(lid: &str, phone: &str, at: i64) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: phone.to_owned(),
        created_at: at,
        updated_at: at,
        learning_source: "test".to_owned(),
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_kill() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    fill(&store).await;
    let device = store.load().await.unwrap().unwrap();

    // Nobody closes anything: the next process finds what the engine has now.
    let left = records.after_kill();
    let state = open(&left, 2).await.unwrap();
    let store = backend(&state);
    assert_eq!(store.load_identity("a@lid").await.unwrap(), Some([7; 32]));
    assert_eq!(store.get_session("a@lid").await.unwrap().as_deref(), Some(&b"session"[..]));
    assert_eq!(store.get_sender_key("g:a").await.unwrap().as_deref(), Some(&b"sender key"[..]));
    assert_eq!(store.load_prekey(3).await.unwrap().as_deref(), Some(&b"key 3"[..]));
    assert_eq!(store.load_all_signed_prekeys().await.unwrap(), [(1, b"signed".to_vec())]);
    assert_eq!(store.get_latest_sync_key_id().await.unwrap().as_deref(), Some(&b"k1"[..]));
    let devices = vec![("d1".to_owned(), true), ("d2".to_owned(), false)];
    assert_eq!(store.get_sender_key_devices("g").await.unwrap(), devices);
    assert_eq!(store.get_pn_mapping("15550001111").await.unwrap().unwrap().lid, "900");
    assert_eq!(store.get_msg_secret_with_ts("c", "s", "m").await.unwrap(), Some((vec![9; 32], 4)));
    assert_eq!(store.get_mutation_mac("regular", &[1; 32]).await.unwrap(), Some(vec![2; 32]));
    assert_eq!(store.get_tc_token("a@lid").await.unwrap().unwrap().sender_timestamp, Some(10));
    assert_eq!(store.get_pending_inbound("c", "s", "p").await.unwrap().as_deref(), Some(&b"pending"[..]));
    assert_eq!(store.take_sent_message("c", "m").await.unwrap().as_deref(), Some(&b"payload"[..]));
    assert_eq!(store.take_sent_message("c", "m").await.unwrap(), None);
    assert_eq!(store.load().await.unwrap().unwrap().registration_id, device.registration_id);
    assert!(!state.is_paired());
}

#[tokio::test]
async fn calls_become_durable_in_their_order() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let called = std::sync::Mutex::new(Vec::new());
    let calls = (0..300_u32).map(|number| {
        let (store, called) = (&state.store, &called);
        async move {
            let change = |tables: &mut Tables| {
                called.lock().unwrap().push(format!("session/{number}"));
                tables.put(Kind::Session, &number.to_string(), number.to_be_bytes());
            };
            store.change(Durability::Now, change).await.unwrap();
        }
    });
    futures::future::join_all(calls).await;
    let writes = records.writes();
    let order: Vec<&str> =
        writes.iter().flat_map(|write| touched(write)).filter(|key| *key != "0header").collect();
    assert_eq!(order, called.into_inner().unwrap());
    assert!(writes.len() < 100, "calls that queue up share a write: {} writes", writes.len());
    for write in &writes[1..] {
        assert!(matches!(write[0], Write::Check(..)), "every write checks the fence");
    }
}

#[tokio::test]
async fn a_value_that_is_there_already_costs_no_write() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    store.put_identity("a", [1; 32]).await.unwrap();
    let before = records.writes().len();
    store.put_identity("a", [1; 32]).await.unwrap();
    store.delete_session("nobody").await.unwrap();
    assert_eq!(records.writes().len(), before);
}

#[tokio::test]
async fn a_later_opening_fences_the_earlier_one() {
    let records = MemoryRecords::shared();
    let old = open(&records, 1).await.unwrap();
    let old_store = backend(&old);
    old_store.put_session("a", b"old").await.unwrap();
    let new = open(&records, 2).await.unwrap();
    let new_store = backend(&new);

    old_store.put_session("a", b"zombie").await.unwrap_err();
    assert_eq!(old.poisoned().await, Poison::Fenced);
    old_store.put_session("b", b"zombie").await.unwrap_err();
    new_store.put_session("b", b"new").await.unwrap();

    let state = open(&records.after_kill(), 2).await.unwrap();
    assert_eq!(backend(&state).get_session("a").await.unwrap().as_deref(), Some(&b"old"[..]));
    assert!(matches!(open(&records, 1).await, Err(StateError::Fenced { wanted: 1, current: 2 })));
}

#[tokio::test]
async fn opening_again_under_the_same_epoch_fences_too() {
    let records = MemoryRecords::shared();
    let old = open(&records, 1).await.unwrap();
    let _new = open(&records, 1).await.unwrap();
    backend(&old).put_session("a", b"zombie").await.unwrap_err();
    assert_eq!(old.poison(), Some(Poison::Fenced));
}

#[tokio::test]
async fn a_failed_write_poisons_for_good() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    records.set_broken(true);
    store.put_session("a", b"1").await.unwrap_err();
    assert!(matches!(state.poisoned().await, Poison::WriteFailed(_)));
    records.set_broken(false);
    store.put_session("a", b"2").await.unwrap_err();
    store.store_pending_inbound("c", "s", "p", b"x").await.unwrap_err();
    assert!(state.flush().await.is_err());
    assert_eq!(records.sort_keys(), ["0header"]);
}

#[tokio::test]
async fn a_short_failure_is_ridden_out() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    records.set_broken(true);
    let repair = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        records.set_broken(false);
    };
    let (written, ()) = tokio::join!(store.put_session("a", b"1"), repair);
    written.unwrap();
    assert_eq!(state.poison(), None);
}

#[tokio::test]
async fn one_time_keys_share_rows() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    let keys: Vec<(u32, Bytes)> = (1..=812).map(|id| (id, Bytes::from(vec![id as u8; 70]))).collect();
    store.store_prekeys_batch(&keys, false).await.unwrap();
    let rows = records.sort_keys().iter().filter(|key| key.starts_with("pre_keys/")).count();
    assert_eq!(rows, 17);
    assert_eq!(records.writes().len(), 2, "the claim, and one write for all of them");
    assert_eq!(store.get_max_prekey_id().await.unwrap(), 812);

    store.remove_prekey(400).await.unwrap();
    let store = backend(&open(&records.after_kill(), 2).await.unwrap());
    assert_eq!(store.load_prekey(400).await.unwrap(), None);
    let loaded = store.load_prekeys_batch(&[399, 400, 401]).await.unwrap();
    assert_eq!(loaded, [(399, Bytes::from(vec![143; 70])), (401, Bytes::from(vec![145; 70]))]);
}

#[tokio::test]
async fn a_pending_message_that_is_committed_at_once_costs_nothing() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    let before = records.writes().len();
    store.store_pending_inbound("c", "s", "m", b"text").await.unwrap();
    assert_eq!(store.get_pending_inbound("c", "s", "m").await.unwrap().as_deref(), Some(&b"text"[..]));
    store.delete_pending_inbound("c", "s", "m").await.unwrap();
    assert_eq!(records.writes().len(), before);
    store.put_session("s", b"ratchet").await.unwrap();
    assert_eq!(touched(records.writes().last().unwrap()), ["session/s"]);
}

#[tokio::test]
async fn a_pending_message_is_durable_before_the_ratchet_that_decrypted_it() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    store.store_pending_inbound("c", "s", "m", b"text").await.unwrap();
    store.put_session("s", b"ratchet").await.unwrap();
    assert_eq!(touched(records.writes().last().unwrap()), ["pending_inbound/c|s|m", "session/s"]);

    // After a kill it is replayed, and its removal is written with what comes next.
    let left = records.after_kill();
    let store = backend(&open(&left, 2).await.unwrap());
    assert!(store.get_pending_inbound("c", "s", "m").await.unwrap().is_some());
    store.store_pending_inbound("c", "s", "m", b"text").await.unwrap();
    store.delete_pending_inbound("c", "s", "m").await.unwrap();
    store.put_session("s", b"ratchet 2").await.unwrap();
    assert!(!left.sort_keys().iter().any(|key| key.starts_with("pending_inbound/")));
}

#[tokio::test]
async fn what_a_message_leaves_behind_shares_the_write_of_its_ratchets() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    let before = records.writes().len();
    store.store_sent_message("c", "m", b"payload").await.unwrap();
    store.put_msg_secrets(vec![secret()]).await.unwrap();
    store.put_session("s", b"ratchet").await.unwrap();
    assert_eq!(records.writes().len(), before + 1);
    let rows = ["message_secret/c|s|m", "sent_message/c|m", "session/s"];
    assert_eq!(touched(records.writes().last().unwrap()), rows);
}

#[tokio::test]
async fn what_waits_becomes_durable_where_nothing_follows() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    for round in ["1", "2"] {
        store.store_sent_message("c", round, b"payload").await.unwrap();
        let row = format!("sent_message/c|{round}");
        while !records.sort_keys().contains(&row) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn an_erased_state_is_empty_and_stays_fenced() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    fill(&store).await;
    let keys: Vec<(u32, Bytes)> = (0..10_000).map(|id| (id, Bytes::from_static(b"key"))).collect();
    store.store_prekeys_batch(&keys, false).await.unwrap();
    state.erase().await.unwrap();
    assert_eq!(records.sort_keys(), ["0header"]);
    store.put_session("a", b"zombie").await.unwrap_err();
    let state = open(&records, 1).await.unwrap();
    assert!(backend(&state).load().await.unwrap().is_none());
}

#[tokio::test]
async fn a_value_cannot_pass_for_another() {
    let records = MemoryRecords::shared();
    let store = backend(&open(&records, 1).await.unwrap());
    store.put_session("a", b"a's").await.unwrap();
    let moved = records.after_kill();
    moved.swap_values_of("session/a", "session/b");
    assert!(matches!(open(&moved, 2).await, Err(StateError::Port(_))));
}

#[tokio::test]
async fn phone_numbers_and_hidden_users_find_each_other() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    store.put_lid_mapping(&mapping("900", "15550001111", 5)).await.unwrap();
    let (phone, lid) = (PhoneNumber::parse("15550001111").unwrap(), Lid::parse("900").unwrap());
    assert_eq!(state.lid_of(&phone), Some(lid.clone()));
    assert_eq!(state.phone_of(&lid), Some(phone.clone()));

    // The number moves to another hidden user, and the old one to another number.
    store.put_lid_mapping(&mapping("901", "15550001111", 6)).await.unwrap();
    store.put_lid_mapping(&mapping("900", "15550002222", 7)).await.unwrap();
    for state in [state, open(&records.after_kill(), 2).await.unwrap()] {
        assert_eq!(state.lid_of(&phone), Some(Lid::parse("901").unwrap()));
        assert_eq!(state.phone_of(&lid), Some(PhoneNumber::parse("15550002222").unwrap()));
    }
}

#[tokio::test]
async fn only_so_many_sent_messages_are_kept() {
    let records = MemoryRecords::shared();
    let state = open(&records, 1).await.unwrap();
    let store = backend(&state);
    for number in 0..2100 {
        store.store_sent_message("c", &format!("m{number}"), b"x").await.unwrap();
    }
    assert!(store.take_sent_message("c", "m2099").await.unwrap().is_some());
    let kept = state.store.tables().len(Kind::SentMessage);
    assert!(kept < 2048, "{kept} are kept");
}
