//! What is deleted for good → keys that are destroyed, and rows that go.
//!
//! Without its key no commit says anything any more, and the journal stays whole: it can be replayed and checked. A user's
//! key goes as soon as the commit is seen. An account's goes a little later, when its sessions have let go, and then its
//! rows, some at a time; how far that is stands in a row, so it goes on after a stop.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use waxwing_domain::{AccountId, Aggregate, UserId, account::Account, user::User};

use crate::{
    codec,
    commands::{Commands, EndAccountError, SessionWish},
    execute::Cause,
    feed::Consumer,
    keys,
    ports::{Bounds, Commit, Erased, Erasure, FeedItem, Guard, KeyCustody, PortError, Query, Row, Write},
    rows,
};

/// How long the sessions of an account that is gone have time to let go of their rows.
const LETTING_GO: SignedDuration = SignedDuration::from_secs(10);
/// Longer than any process keeps a data key in memory.
const STRAGGLERS: SignedDuration = SignedDuration::from_mins(10);
/// Accounts that are worked on in one turn.
const AT_ONCE: usize = 10;
/// Calls for each of them in one turn: each removes up to some hundred rows.
const CALLS: usize = 50;
/// Between two turns where this runs by itself.
const PAUSE: Duration = Duration::from_secs(5);

/// Erases what was deleted.
pub struct Erasing {
    /// What stops sessions, and where it stands how far this is.
    pub commands: Commands,
    /// Data keys.
    pub keys: Arc<dyn KeyCustody>,
    /// Rows by account.
    pub erasure: Arc<dyn Erasure>,
}

/// How far an account is erased.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    /// When its sessions have had the time to let go; absent until they were asked to.
    due_at: Option<Timestamp>,
    after: Option<String>,
    rows: u64,
    /// Once all rows are gone, this looks again.
    is_second: bool,
}

#[async_trait]
impl Consumer for Erasing {
    fn name(&self) -> &'static str {
        "erasure"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Account::TYPE, User::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        for FeedItem { commit, .. } in items {
            // Types stand in the clear, so a commit is known for what it was after it was erased.
            if commit.types.iter().any(|kind| kind == "user.deleted") {
                let user = user(commit)?;
                // First: which accounts the user was in can be read only while the key is there.
                self.note_accounts_of(user, commit).await?;
                self.keys.destroy(user.key_owner()).await?;
            }
            if commit.types.iter().any(|kind| kind == "account.deleted") {
                self.note(commit).await?;
            }
        }
        Ok(())
    }
}

fn first(partition: String) -> Query {
    Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: AT_ONCE }
}

fn user(commit: &Commit) -> Result<UserId, PortError> {
    UserId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))
}

impl Erasing {
    /// Who deletes a user leaves the accounts at once; where the process ended before, it is done from here.
    async fn note_accounts_of(&self, id: UserId, deleted: &Commit) -> Result<(), PortError> {
        let ports = &self.commands.ports;
        let mut user = User::default();
        for commit in ports.journal.read(deleted.account, &deleted.stream).await? {
            if commit.version < deleted.version {
                let events = codec::open_what_is_left(&*ports.secrets, &commit).await?;
                events.into_iter().for_each(|event| user.apply(event));
            }
        }
        let row = |account| rows::row(keys::leaving(account, id), 1, &());
        let joined = user.joined().iter().map(|joined| Ok(Write::Put(row(joined.account)?, Guard::Always)));
        let writes = joined.collect::<Result<Vec<_>, PortError>>()?;
        match writes.is_empty() {
            true => Ok(()),
            false => self.commands.records.write_each(writes).await.map(drop),
        }
    }

    /// Has users who are gone leave their accounts, up to ten.
    async fn leave(&self) -> Result<(), PortError> {
        for row in self.commands.records.query(first(keys::leavings())).await? {
            let named = row.key.sort.split_once('/');
            let named = named.and_then(|(account, user)| Some((account.parse().ok()?, user.parse().ok()?)));
            let (account, user): (AccountId, UserId) =
                named.ok_or_else(|| PortError::Corrupt(row.key.sort.clone()))?;
            match self.commands.leave_or_end(account, user, &Cause::system()).await {
                Err(EndAccountError::Port(error)) => return Err(error),
                // The last owner who could say what becomes of the account is gone: the operator may delete it.
                Err(error) => tracing::warn!(%account, %error, "an account keeps a member who is gone"),
                Ok(()) => {},
            }
            self.commands.records.write_each(vec![Write::Delete(row.key, Guard::Always)]).await?;
        }
        Ok(())
    }

    async fn note(&self, commit: &Commit) -> Result<(), PortError> {
        let pending = Pending { due_at: None, after: None, rows: 0, is_second: false };
        let row = rows::row(keys::erasure(commit.account), 1, &pending)?;
        self.commands.records.write_each(vec![Write::Put(row, Guard::Absent)]).await.map(drop)
    }

    /// Goes on with the accounts whose time has come, up to ten of them and some thousand rows of each. Says how many rows
    /// went.
    pub async fn turn(&self) -> Result<u64, PortError> {
        self.leave().await?;
        let mut gone = 0;
        for row in self.commands.records.query(first(keys::erasures())).await? {
            // What one account's end meets does not hold up the others.
            match self.go_on(&row).await {
                Ok(rows) => gone += rows,
                Err(error) => tracing::warn!(account = row.key.sort, %error, "an account waits to be erased"),
            }
        }
        Ok(gone)
    }

    async fn go_on(&self, row: &Row) -> Result<u64, PortError> {
        let (pending, now): (Pending, _) = (rows::value(row)?, self.commands.ports.clock.now());
        let account =
            AccountId::parse(&row.key.sort).map_err(|_| PortError::Corrupt(row.key.sort.clone()))?;
        match pending.due_at {
            None => self.let_go(account, pending, row.version).await.map(|()| 0),
            Some(due_at) if now < due_at => Ok(0),
            Some(_) => self.erase(account, pending, row.version).await,
        }
    }

    /// Unlinks the sessions of the account, whose hosts then remove what they keep. When the keys go stands fast before: no
    /// session holds that up.
    async fn let_go(&self, account: AccountId, mut pending: Pending, version: u64) -> Result<(), PortError> {
        pending.due_at = Some(self.commands.ports.clock.now() + LETTING_GO);
        self.keep(account, &pending, version).await?;
        self.commands.wish_all_sessions(account, &SessionWish::Delete, &Cause::system()).await
    }

    async fn keep(&self, account: AccountId, pending: &Pending, version: u64) -> Result<(), PortError> {
        let row = rows::row(keys::erasure(account), version + 1, pending)?;
        self.commands.records.write_each(vec![Write::Put(row, Guard::Newer)]).await.map(drop)
    }

    async fn erase(&self, account: AccountId, mut pending: Pending, version: u64) -> Result<u64, PortError> {
        // First: what follows only tidies up.
        self.keys.destroy(account).await?;
        let before = pending.rows;
        for _ in 0..CALLS {
            let Erased { rows, next } = self.erasure.erase_rows(account, pending.after.as_deref()).await?;
            pending.rows += rows;
            pending.after = next;
            if pending.after.is_none() {
                self.end_of_pass(account, &mut pending, version).await?;
                return Ok(pending.rows - before);
            }
        }
        self.keep(account, &pending, version).await?;
        Ok(pending.rows - before)
    }

    /// Who had a key in memory may have written rows behind the first pass; a second one finds them.
    async fn end_of_pass(
        &self,
        account: AccountId,
        pending: &mut Pending,
        version: u64,
    ) -> Result<(), PortError> {
        if !pending.is_second {
            pending.is_second = true;
            pending.due_at = Some(self.commands.ports.clock.now() + STRAGGLERS);
            return self.keep(account, pending, version).await;
        }
        tracing::info!(%account, rows = pending.rows, "an account is erased");
        let done = Write::Delete(keys::erasure(account), Guard::Always);
        self.commands.records.write_each(vec![done]).await.map(drop)
    }

    /// Takes turns until `stop` becomes true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.turn().await {
                tracing::warn!(%error, "what was deleted waits to be erased");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => {}
            }
        }
    }
}
