//! What happened to a user, and who is invited to an account → a job → a mail.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use waxwing_domain::{
    AccountId, Aggregate, Timestamp, UserId,
    account::{Account, AccountEvent, Invited},
    user::{EmailChangeRequested, PasswordResetRequested, User, UserEvent, VerificationRequested},
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    mail::Mail,
    ports::{Commit, FeedItem, Job, MailError, Mailer, NewJob, PortError, Queue, StreamName, Work},
    tokens::{MailPurpose, mail_token},
    worker::{JobHandler, Worker},
};

/// Seconds to wait after the first, second, … failed try. After the last one, about a day after the first, or when its token is
/// over, the mail is kept among the dead letters.
const RETRY_DELAYS_S: &[i64] = &[
    5, 30, 60, 300, 900, 1_800, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600, 7_200, 7_200, 7_200, 14_400,
    14_400, 14_400,
];
/// How many mails are leased at once, and sent side by side.
const BATCH: usize = 8;
/// Longer than a mail server takes for all its steps.
const LEASE: Duration = Duration::from_secs(300);

/// The only event of an account that a mail follows from.
const INVITED: &str = "account.invited";

/// What became of the mails of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// They are on their way.
    All,
    /// None follows any more: the time of their tokens is over.
    TooLate,
    /// Whoever they were to is not there any more.
    ToNobody,
}

/// From which commit mails follow. They are made from the journal when they are sent: no address and no token waits in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailJob {
    account: AccountId,
    stream: StreamName,
    version: u64,
}

impl MailJob {
    /// `None` when no mail follows from the commit.
    pub fn of(commit: &Commit) -> Option<Self> {
        let follows = |kind: &str| match commit.stream.kind() {
            User::TYPE => kind.ends_with("_requested"),
            Account::TYPE => kind == INVITED,
            _ => false,
        };
        let Commit { account, stream, version, .. } = commit;
        let job = Self { account: *account, stream: stream.clone(), version: *version };
        commit.types.iter().any(|kind| follows(kind)).then_some(job)
    }
}

/// Commits of users and accounts → jobs.
pub struct MailFanOut {
    /// Where they go.
    pub work: Arc<dyn Work>,
}

#[async_trait]
impl Consumer for MailFanOut {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Account::TYPE, User::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let mut jobs = Vec::new();
        for FeedItem { commit, .. } in items {
            let Some(job) = MailJob::of(commit) else { continue };
            let payload =
                serde_json::to_string(&job).map_err(|error| PortError::Corrupt(error.to_string()))?;
            let id = format!("{}/{}", commit.stream.id(), commit.version);
            jobs.push(NewJob { id, payload, due_at: commit.at });
        }
        match jobs.is_empty() {
            true => Ok(()),
            false => self.work.push(Queue::MAILS, jobs).await,
        }
    }
}

/// Jobs → mails.
pub struct MailDispatch {
    /// Journal, encryption, clock.
    pub ports: CommandPorts,
    /// The queue.
    pub work: Arc<dyn Work>,
    /// Who takes them.
    pub mailer: Arc<dyn Mailer>,
}

#[async_trait]
impl JobHandler for MailDispatch {
    fn queue(&self) -> Queue {
        Queue::MAILS
    }

    async fn handle(&self, job: Job) -> Result<(), PortError> {
        let named = match serde_json::from_str(&job.payload) {
            Ok(named) => named,
            Err(error) => return self.work.bury(Queue::MAILS, &job, &error.to_string()).await,
        };
        let error = match self.send(&named).await {
            // It was on its way when its token was good, and nobody took it. One that comes for the first time is a replay.
            Ok(Sent::TooLate) if job.attempts > 1 => {
                MailError::Refused("its token was over before anybody took it".to_owned())
            },
            Ok(_) => return self.work.complete(Queue::MAILS, &job).await,
            Err(error) => error,
        };
        let waits = matches!(&error, MailError::Port(error) if error.is_transient());
        let tried = usize::try_from(job.attempts).unwrap_or(usize::MAX);
        match RETRY_DELAYS_S.get(tried.saturating_sub(1)).filter(|_| waits) {
            Some(delay_s) => {
                tracing::warn!(job = job.id, tries = job.attempts, %error, "a mail waits");
                let due_at = self.ports.clock.now().checked_add(SignedDuration::from_secs(*delay_s));
                self.work.retry(Queue::MAILS, &job, due_at.unwrap_or(Timestamp::MAX)).await
            },
            None => {
                tracing::warn!(job = job.id, tries = job.attempts, %error, "a mail is given up");
                self.work.bury(Queue::MAILS, &job, &error.to_string()).await
            },
        }
    }
}

impl MailDispatch {
    /// Runs until `stop` becomes true; what is leased by then is finished.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let (work, handler) = (self.work.clone(), Arc::new(self));
        Worker { work, handler, batch: BATCH, side_by_side: BATCH, lease: LEASE }.run(stop).await;
    }

    /// Sends the mails of a commit. One that is refused, or waits, holds up none behind it.
    pub async fn send(&self, job: &MailJob) -> Result<Sent, MailError> {
        let commits = self.ports.journal.read(job.account, &job.stream).await?;
        let Some(commit) = commits.iter().find(|commit| commit.version == job.version) else {
            let (stream, version) = (&job.stream, job.version);
            return Err(PortError::Corrupt(format!("{stream} has no commit {version}")).into());
        };
        let mails = match self.mails_of(commit).await {
            Err(PortError::Erased(_)) => return Ok(Sent::ToNobody),
            mails => mails?,
        };
        let mut failed = Ok(());
        for (index, mail) in mails.iter().enumerate() {
            // Sorts by time, and is the same when the commit comes again.
            let (ms, stream) = (commit.at.as_millisecond().max(0), commit.stream.id());
            let sent = self.mailer.send(&format!("{ms:015}/{stream}/{}/{index}", commit.version), mail).await;
            match (&failed, &sent) {
                // What waits is tried again; what is refused is known by then.
                (Ok(()), Err(_)) | (Err(MailError::Refused(_)), Err(MailError::Port(_))) => failed = sent,
                _ => {},
            }
        }
        failed.map(|()| if mails.is_empty() { Sent::TooLate } else { Sent::All })
    }

    async fn mails_of(&self, commit: &Commit) -> Result<Vec<Mail>, PortError> {
        if commit.stream.kind() == Account::TYPE {
            let events = codec::open::<AccountEvent>(&*self.ports.secrets, commit).await?;
            let mails = events.into_iter().filter_map(|event| self.invitation(commit.account, event));
            return Ok(mails.collect());
        }
        let user =
            UserId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let events = codec::open::<UserEvent>(&*self.ports.secrets, commit).await?;
        Ok(events.into_iter().flat_map(|event| self.mails(user, event)).collect())
    }

    fn invitation(&self, account: AccountId, event: AccountEvent) -> Option<Mail> {
        let AccountEvent::Invited(Invited { email, account_name, nonce, expires_at, .. }) = event else {
            return None;
        };
        let token = mail_token(&*self.ports.secrets, MailPurpose::Invitation, account, &nonce);
        let mail = Mail::invitation(email, &account_name, token, expires_at);
        (self.ports.clock.now() < expires_at).then_some(mail)
    }

    /// The mails that follow, unless their tokens are over: a replay of old commits writes to nobody.
    fn mails(&self, user: UserId, event: UserEvent) -> Vec<Mail> {
        use MailPurpose::{ChangeEmail, ResetPassword, VerifyEmail};
        let token = |purpose, nonce| mail_token(&*self.ports.secrets, purpose, user, nonce);
        let (expires_at, mails) = match event {
            UserEvent::VerificationRequested(VerificationRequested { email, nonce, expires_at, .. }) => {
                (expires_at, vec![Mail::verification(email, token(VerifyEmail, &nonce), expires_at)])
            },
            UserEvent::PasswordResetRequested(PasswordResetRequested {
                email, nonce, expires_at, ..
            }) => (expires_at, vec![Mail::password_reset(email, token(ResetPassword, &nonce), expires_at)]),
            UserEvent::EmailChangeRequested(EmailChangeRequested {
                from,
                to,
                old_nonce,
                new_nonce,
                expires_at,
                ..
            }) => {
                let (old, new) = (token(ChangeEmail, &old_nonce), token(ChangeEmail, &new_nonce));
                let mails =
                    vec![Mail::old_address(from, old, expires_at), Mail::new_address(to, new, expires_at)];
                (expires_at, mails)
            },
            _ => return Vec::new(),
        };
        if self.ports.clock.now() < expires_at { mails } else { Vec::new() }
    }
}
