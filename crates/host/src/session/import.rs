//! The history that a phone hands over becomes messages.
//!
//! The network forgets a part once the client has it, so a part is kept in Records first, packed as it came, and goes when all
//! of it is recorded. What is left of it after a crash is imported when the session is connected again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use waxwing_app::{
    keys,
    ports::{Bounds, Consistency, EntropyExt, Guard, Key, PortError, Query, Row, Write},
    rows,
};
use waxwing_domain::{AccountId, Person, SessionId, message::MessageImported, session::SessionSettings};
use waxwing_whatsapp::{Connection, HistoryMessage, HistoryPart};

use super::{Open, Session, Shared};
use crate::inbound::is_ignored;

/// Largest part, packed. WhatsApp's are some megabytes.
const PART_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Bytes of a part in one row.
const ROW_BYTES: usize = 256 * 1_024;
/// How long a part is kept whose session never connects again.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 30);
/// Conversations that are unpacked at once.
const CONVERSATIONS: usize = 20;
/// Messages that are recorded at once.
const COMMITS: usize = 8;
/// How often keeping a part is tried.
const TRIES: u32 = 3;

/// A part that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    /// In how many rows it is.
    rows: u32,
    /// How many of its conversations are recorded.
    done: usize,
}

/// The import of one session, in a task of its own.
#[derive(Default)]
pub(super) struct Import {
    task: Option<JoinHandle<Result<(), PortError>>>,
    /// The last one failed, and there is something left.
    failed: bool,
}

impl Import {
    /// Returns when the import ends; never while there is none.
    pub(super) async fn done(&mut self) -> Result<(), PortError> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let ended = task.await;
        self.task = None;
        ended.unwrap_or_else(|error| Err(PortError::Unavailable(error.to_string())))
    }

    /// True when an import failed and should be tried again.
    pub(super) fn is_wanted(&self) -> bool {
        self.failed && self.task.is_none()
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Session {
    /// Keeps a part of the history until it is imported.
    pub(super) async fn keep_history(&mut self, open: &Open, part: HistoryPart) {
        let HistoryPart { kind, progress, packed } = part;
        if !self.view.as_ref().is_some_and(|view| view.settings.import_history) {
            return;
        }
        let bytes = packed.len();
        if bytes > PART_BYTES_MAX {
            tracing::error!(session = %self.id, bytes, "a part of the history is too large, and is left out");
            return;
        }
        tracing::info!(session = %self.id, kind, bytes, progress, "a part of the history came");
        for tried in 1.. {
            match self.keep(&packed).await {
                Ok(()) => break,
                Err(error) if tried == TRIES => {
                    tracing::error!(session = %self.id, %error, "a part of the history is lost");
                    return;
                },
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        self.go_on_importing(open).await;
    }

    async fn keep(&self, packed: &Bytes) -> Result<(), PortError> {
        let ports = &self.shared.ports;
        let now = ports.clock.now();
        let random: [u8; 8] = ports.entropy.bytes();
        let part = format!("{:015}-{:016x}", now.as_millisecond(), u64::from_be_bytes(random));
        let expires_at = now.checked_add(KEPT).ok();
        let mut rows_written = 0;
        for (index, bytes) in (0_u32..).zip(packed.chunks(ROW_BYTES)) {
            let key = keys::history_bytes(self.account, self.id, &part, index);
            let row = Row { key, value: bytes.to_vec(), version: 1, indexes: Vec::new(), expires_at };
            ports.records.write_each(vec![Write::Put(row, Guard::Always)]).await?;
            rows_written = index + 1;
        }
        // Last: a part that is named is whole.
        let key = keys::history_part(self.account, self.id, &part);
        let row = Row { expires_at, ..rows::row(key, 1, &Kept { rows: rows_written, done: 0 })? };
        ports.records.write_each(vec![Write::Put(row, Guard::Always)]).await.map(drop)
    }

    /// Imports what is kept, unless that is being done.
    pub(super) async fn go_on_importing(&mut self, open: &Open) {
        let Some(view) = self.view.as_ref().filter(|_| self.import.task.is_none()) else { return };
        let Some(me) = open.sink.me() else { return };
        let importer = Importer {
            shared: self.shared.clone(),
            account: self.account,
            session: self.id,
            me,
            settings: view.settings.clone(),
        };
        match importer.next().await {
            Ok(None) => self.import.failed = false,
            Ok(Some(_)) => {
                self.import.failed = false;
                self.import.task = Some(tokio::spawn(importer.run(open.connection.clone())));
            },
            Err(_) => self.import.failed = true,
        }
    }

    pub(super) fn on_imported(&mut self, ended: Result<(), PortError>) {
        if let Err(error) = ended {
            tracing::warn!(session = %self.id, %error, "the import of the history pauses");
            self.import.failed = true;
        }
    }
}

struct Importer {
    shared: Arc<Shared>,
    account: AccountId,
    session: SessionId,
    me: Person,
    settings: SessionSettings,
}

impl Importer {
    /// The first part that is kept: its name, and the row's version.
    async fn next(&self) -> Result<Option<(String, u64, Kept)>, PortError> {
        let partition = keys::history(self.account, self.session);
        let query = Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: 1 };
        let rows = self.shared.ports.records.query(query).await?;
        rows.first().map(|row| Ok((row.key.sort.clone(), row.version, rows::value(row)?))).transpose()
    }

    async fn run(self, connection: Arc<Connection>) -> Result<(), PortError> {
        let _turn = self.shared.imports.acquire().await;
        while let Some((part, version, kept)) = self.next().await? {
            self.import(&connection, &part, version, kept).await?;
        }
        Ok(())
    }

    async fn import(
        &self,
        connection: &Arc<Connection>,
        part: &str,
        mut version: u64,
        mut kept: Kept,
    ) -> Result<(), PortError> {
        let records = &self.shared.ports.records;
        let mut packed = Vec::new();
        for index in 0..kept.rows {
            let key = keys::history_bytes(self.account, self.session, part, index);
            match records.get(&key, Consistency::Strong).await? {
                Some(row) => packed.extend(row.value),
                None => return self.forget(part, kept.rows).await,
            }
        }
        let packed = Bytes::from(packed);
        loop {
            let (history, done) = (connection.history(packed.clone()), kept.done);
            let read = tokio::task::spawn_blocking(move || history.conversations(done, CONVERSATIONS)).await;
            let messages = match read {
                Ok(Ok(Some(messages))) => messages,
                Ok(Ok(None)) => return self.forget(part, kept.rows).await,
                Ok(Err(error)) => {
                    tracing::error!(session = %self.session, %error, "it is left out");
                    return self.forget(part, kept.rows).await;
                },
                Err(error) => return Err(PortError::Unavailable(error.to_string())),
            };
            let recorded = stream::iter(messages.into_iter().map(Ok));
            recorded.try_for_each_concurrent(COMMITS, |message| self.record(message)).await?;
            kept.done += CONVERSATIONS;
            version += 1;
            let row = rows::row(keys::history_part(self.account, self.session, part), version, &kept)?;
            records.write_each(vec![Write::Put(row, Guard::Newer)]).await?;
        }
    }

    async fn record(&self, message: HistoryMessage) -> Result<(), PortError> {
        let HistoryMessage { whatsapp_id, chat, from, from_me, status, at, content } = message;
        if is_ignored(&chat.jid, &self.settings) {
            return Ok(());
        }
        let sender = (!from_me).then_some(&from.jid);
        let known = keys::whatsapp_id(self.account, self.session, &chat.jid, sender, &whatsapp_id);
        // It came in, or was sent, before the session was linked anew.
        if self.shared.ports.records.get(&known, Consistency::Eventual).await?.is_some() {
            return Ok(());
        }
        let to = match chat.jid.is_person() && !from_me {
            true => self.me.clone(),
            false => chat.clone(),
        };
        let (session_id, told) = (self.session, self.settings.history_webhooks);
        let message =
            MessageImported { session_id, chat, from, to, from_me, whatsapp_id, content, status, told, at };
        self.shared.outcomes.imported(self.account, message).await
    }

    /// Removes a part: its name first, since what has no name is nothing.
    async fn forget(&self, part: &str, rows: u32) -> Result<(), PortError> {
        let name = keys::history_part(self.account, self.session, part);
        let bytes = (0..rows).map(|index| keys::history_bytes(self.account, self.session, part, index));
        let all: Vec<Key> = std::iter::once(name).chain(bytes).collect();
        for keys in all.chunks(100) {
            let deletes = keys.iter().map(|key| Write::Delete(key.clone(), Guard::Always)).collect();
            self.shared.ports.records.write_each(deletes).await?;
        }
        Ok(())
    }
}
