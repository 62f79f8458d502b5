//! The history that a phone hands over becomes messages.
//!
//! The network forgets a part once the client has it, so a part is kept in Records first, packed as it came, and goes when all
//! of it is recorded. What is left of it after a crash is imported when the session is connected again.
//!
//! The client library confirms a part before it fetches it: one whose fetch fails is not handed over again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use waxwing_app::{
    identities, keys,
    ports::{Bounds, Consistency, EntropyExt, Guard, Key, PortError, Query, Records, Row, Write},
    rows,
};
use waxwing_domain::{AccountId, Jid, Person, SessionId, message::ReceiveMessage, session::SessionSettings};
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
/// How often writing a row of a part is tried, a second apart: as long as an inbound message is.
const TRIES: u32 = 30;

/// A part that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    /// In how many rows it is.
    rows: u32,
    /// How many of its conversations are recorded.
    done: usize,
    /// Whose history it is.
    owner: Jid,
}

/// The import of one session, in a task of its own.
#[derive(Default)]
pub(super) struct Import {
    task: Option<JoinHandle<Result<(), PortError>>>,
    /// Something may be there to import.
    wanted: bool,
    /// The last one failed.
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

    /// Something may be there to import.
    pub(super) fn look(&mut self) {
        self.wanted = true;
    }

    /// Goes on where an import failed.
    pub(super) fn try_again(&mut self) {
        self.wanted |= std::mem::take(&mut self.failed);
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
    pub(super) async fn keep_history(&mut self, part: HistoryPart) {
        let HistoryPart { kind, progress, packed } = part;
        let Some(view) = self.view.as_ref().filter(|view| view.settings.import_history) else { return };
        let Some(owner) = self.me.clone().or_else(|| view.me.as_ref().map(|me| me.jid.clone())) else {
            return;
        };
        let bytes = packed.len();
        if bytes > PART_BYTES_MAX {
            tracing::error!(session = %self.id, bytes, "a part of the history is too large, and is left out");
            return;
        }
        tracing::info!(session = %self.id, kind, bytes, progress, "a part of the history came");
        match self.keep(&packed, owner).await {
            Ok(()) => self.import.look(),
            Err(error) => tracing::error!(session = %self.id, %error, "a part of the history is lost"),
        }
    }

    async fn keep(&self, packed: &Bytes, owner: Jid) -> Result<(), PortError> {
        let ports = &self.shared.ports;
        let now = ports.clock.now();
        let random: [u8; 8] = ports.entropy.bytes();
        let part = format!("{:015}-{:016x}", now.as_millisecond(), u64::from_be_bytes(random));
        let expires_at = now.checked_add(KEPT).ok();
        let mut rows_written = 0;
        for (index, bytes) in (0_u32..).zip(packed.chunks(ROW_BYTES)) {
            let key = keys::history_bytes(self.account, self.id, &part, index);
            let row = Row { key, value: bytes.to_vec(), version: 1, indexes: Vec::new(), expires_at };
            self.put(row).await?;
            rows_written = index + 1;
        }
        // Last: a part that is named is whole.
        let key = keys::history_part(self.account, self.id, &part);
        let kept = Kept { rows: rows_written, done: 0, owner };
        self.put(Row { expires_at, ..rows::row(key, 1, &kept)? }).await
    }

    async fn put(&self, row: Row) -> Result<(), PortError> {
        let mut tries = 1;
        loop {
            let write = Write::Put(row.clone(), Guard::Always);
            match self.shared.ports.records.write_each(vec![write]).await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                },
                other => return other.map(drop),
            }
        }
    }

    /// Imports what is kept, unless that is being done.
    pub(super) async fn go_on_importing(&mut self, open: &Open) {
        if !self.import.wanted || self.import.task.is_some() {
            return;
        }
        let (Some(view), Some(me)) = (&self.view, open.sink.me()) else { return };
        let importer = Importer {
            shared: self.shared.clone(),
            account: self.account,
            session: self.id,
            me,
            settings: view.settings.clone(),
        };
        self.import.wanted = false;
        match importer.next().await {
            Ok(None) => {},
            Ok(Some(_)) => self.import.task = Some(tokio::spawn(importer.run(open.connection.clone()))),
            Err(_) => self.import.failed = true,
        }
    }

    pub(super) fn on_imported(&mut self, ended: Result<(), PortError>) {
        match ended {
            // Another part may have come meanwhile.
            Ok(()) => self.import.look(),
            Err(error) => {
                tracing::warn!(session = %self.id, %error, "the import of the history pauses");
                self.import.failed = true;
            },
        }
    }

    /// What is kept of a history goes with the link that it came by.
    pub(super) async fn forget_history(&mut self) -> Result<(), PortError> {
        if let Some(task) = self.import.task.take() {
            task.abort();
            let _ = task.await;
        }
        (self.import.wanted, self.import.failed) = (false, false);
        let records = &*self.shared.ports.records;
        while let Some((part, _, kept)) = first_part(records, self.account, self.id).await? {
            forget_part(records, self.account, self.id, &part, kept.rows).await?;
        }
        Ok(())
    }
}

/// The first part that is kept: its name, the row's version.
async fn first_part(
    records: &dyn Records,
    account: AccountId,
    session: SessionId,
) -> Result<Option<(String, u64, Kept)>, PortError> {
    let partition = keys::history(account, session);
    let query = Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: 1 };
    let rows = records.query(query).await?;
    rows.first().map(|row| Ok((row.key.sort.clone(), row.version, rows::value(row)?))).transpose()
}

/// Removes a part: its name first, since what has no name is nothing.
async fn forget_part(
    records: &dyn Records,
    account: AccountId,
    session: SessionId,
    part: &str,
    rows: u32,
) -> Result<(), PortError> {
    let name = keys::history_part(account, session, part);
    let bytes = (0..rows).map(|index| keys::history_bytes(account, session, part, index));
    let all: Vec<Key> = std::iter::once(name).chain(bytes).collect();
    for keys in all.chunks(100) {
        let deletes = keys.iter().map(|key| Write::Delete(key.clone(), Guard::Always)).collect();
        records.write_each(deletes).await?;
    }
    Ok(())
}

struct Importer {
    shared: Arc<Shared>,
    account: AccountId,
    session: SessionId,
    me: Person,
    settings: SessionSettings,
}

impl Importer {
    async fn next(&self) -> Result<Option<(String, u64, Kept)>, PortError> {
        first_part(&*self.shared.ports.records, self.account, self.session).await
    }

    async fn forget(&self, part: &str, rows: u32) -> Result<(), PortError> {
        forget_part(&*self.shared.ports.records, self.account, self.session, part, rows).await
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
        if kept.owner != self.me.jid {
            return self.forget(part, kept.rows).await;
        }
        let expires_at = self.shared.ports.clock.now().checked_add(KEPT).ok();
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
            let key = keys::history_part(self.account, self.session, part);
            let row = Row { expires_at, ..rows::row(key, version, &kept)? };
            records.write_each(vec![Write::Put(row, Guard::Newer)]).await?;
        }
    }

    /// The person under the address that keys the chat.
    async fn known(&self, person: Person) -> Result<Person, PortError> {
        if person.phone.is_some() || person.lid.is_none() {
            return Ok(person);
        }
        let records = &*self.shared.ports.records;
        let known = identities::person(records, self.account, self.session, person.jid).await?;
        Ok(known.named(person.name))
    }

    async fn record(&self, message: HistoryMessage) -> Result<(), PortError> {
        let HistoryMessage { whatsapp_id, chat, from, from_me, status, at, content, context } = message;
        let (chat, from) = match chat.jid == from.jid {
            true => {
                let chat = self.known(chat).await?;
                (chat.clone(), chat.named(from.name))
            },
            false => (self.known(chat).await?, from),
        };
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
            ReceiveMessage { session_id, chat, from, to, from_me, whatsapp_id, content, context, at };
        self.shared.outcomes.imported(self.account, message, status, told).await
    }
}
