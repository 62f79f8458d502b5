//! Secrets of messages: votes, answers and edits are encrypted with them.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use super::{SignalBackend, compound, expiry, stamped, unstamped};
use crate::store::kind::Kind;
use crate::store::tables::Tables;

/// A stored secret: until when it is wanted (0: for ever), when its message was sent (0: unknown), the secret.
fn parse(row: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (expires_at, rest) = unstamped(row)?;
    let (message_ts, secret) = unstamped(rest)?;
    Some((expires_at, message_ts, secret))
}

#[async_trait]
impl MsgSecretStore for SignalBackend {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        // The library itself keeps them back and waits for nothing: what is lost in a crash is lost in other clients, too.
        self.write_with_next(|tables| {
            for entry in &entries {
                put(tables, entry);
            }
            entries.len()
        })
        .await
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, msg_id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let key = compound(&[chat, sender, msg_id]);
        Ok(self.read(|tables| {
            let (_, message_ts, secret) = parse(tables.get(Kind::MessageSecret, &key)?)?;
            Some((secret.to_vec(), message_ts))
        }))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let expired = |row: &[u8]| {
            parse(row).is_none_or(|(expires_at, _, _)| expires_at != 0 && expires_at <= cutoff_timestamp)
        };
        // The engine removes the rows by their time.
        Ok(self.state.store.tables().forget_where(Kind::MessageSecret, expired))
    }
}

fn put(tables: &mut Tables, entry: &MsgSecretEntry) {
    let key = compound(&[&entry.chat, &entry.sender, &entry.msg_id]);
    let known = tables.get(Kind::MessageSecret, &key).and_then(parse);
    let (expires_at, message_ts) = match known {
        Some((expires_at, message_ts, _)) => (
            merge_msg_secret_expiry(expires_at, entry.expires_at),
            merge_msg_secret_message_ts(message_ts, entry.message_ts),
        ),
        None => (entry.expires_at, entry.message_ts),
    };
    let row = stamped(expires_at, &stamped(message_ts, &entry.secret));
    let until = (expires_at != 0).then(|| expiry(expires_at, 0)).flatten();
    tables.put_waiting(Kind::MessageSecret, &key, row, until);
}
