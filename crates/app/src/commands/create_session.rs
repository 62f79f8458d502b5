//! Make a session.

use waxwing_domain::{
    AccountId, PhoneNumber, SessionId,
    session::{CreateSession, Session, SessionCommand, SessionError, SessionEvent, SessionSettings},
};

use super::{
    Commands,
    idempotency::{IdempotencyError, Once, Repeatable},
};
use crate::{
    execute::{Cause, Execution},
    keys,
    ports::{Claim, PortError},
    projections::session_writes,
    queries,
    views::SessionView,
};

/// What a caller wants.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Unique in the account.
    pub name: String,
    /// The number that is expected to be linked.
    pub phone_number: Option<PhoneNumber>,
    /// Whether it should run at once.
    pub start: bool,
    /// How it behaves.
    pub settings: SessionSettings,
}

/// Why a session was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateSessionError {
    /// The account has a session of this name.
    #[error("the account already has a session with this name")]
    NameTaken,
    /// The account has as many as it may have.
    #[error("the account already has {0} sessions, and may have no more")]
    TooMany(usize),
    /// The request is not valid.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// See [`IdempotencyError`].
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Makes a session on the network that this process serves.
    pub async fn create_session(
        &self,
        account: AccountId,
        new: NewSession,
        repeatable: Option<Repeatable<'_, SessionView>>,
        cause: &Cause,
    ) -> Result<Once<SessionView>, CreateSessionError> {
        if let Some(answer) = self.repeated(account, repeatable.as_ref()).await? {
            return Ok(Once::Repeated(answer));
        }
        let sessions = queries::all_sessions(&*self.records, account).await?.len();
        if sessions >= self.limits.sessions {
            return Err(CreateSessionError::TooMany(sessions));
        }
        let (unix_ms, random) = self.ids.parts();
        let (id, now) = (SessionId::new(unix_ms, random), self.ports.clock.now());
        let NewSession { name, phone_number, start, settings } = new;
        let name_key = keys::session_name_claim(&*self.ports.secrets, account, &name);
        let create = CreateSession { name, network: self.network, phone_number, start, settings, at: now };
        let view = Session::default()
            .decide(SessionCommand::Create(create.clone()))?
            .into_iter()
            .fold(None, |view, event: SessionEvent| SessionView::after(view, id, event))
            .ok_or(SessionError::NotFound)?;
        let mut claims = self.claims_for(account, repeatable.as_ref(), &view, now).await?;
        claims.push(Claim::Take {
            key: name_key.clone(),
            value: id.to_string().into_bytes(),
            expires_at: None,
        });
        let text = id.to_string();
        let command = SessionCommand::Create(create);
        let execution = Execution::<Session> { account, id: &text, command, fresh: true, claims, cause };
        let executed = self.ports.execute(execution).await;
        let taken = || CreateSessionError::NameTaken;
        let once = self.once(account, repeatable.as_ref(), executed, view, taken).await?;
        if let Once::Done(view) = &once {
            // Who made it finds it in the list at once.
            self.records.write_each(session_writes(account, view, 1)?).await?;
        }
        Ok(once)
    }
}
