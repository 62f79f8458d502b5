//! Start, stop, restart, change, log out and delete a session. Each is a wish: the session's host makes it so.

use waxwing_domain::{
    AccountId, SessionId,
    session::{Session, SessionCommand, SessionError, SettingsChange},
};

use super::Commands;
use crate::{
    execute::{Cause, ExecuteError, Execution},
    keys,
    ports::{Claim, PortError},
    projections::session_writes,
    queries,
    views::SessionView,
};

/// What should become of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionWish {
    /// Run.
    Start,
    /// Stand still.
    Stop,
    /// Connect anew.
    Restart,
    /// Unlink from the phone.
    Logout,
    /// Behave otherwise. Another proxy is used at once, by a new connection; the device's name is told when a phone links the
    /// session; everything else counts from now on.
    Change(SettingsChange),
    /// Be gone.
    Delete,
}

/// Why a wish was refused.
#[derive(Debug, thiserror::Error)]
pub enum SessionWishError {
    /// See [`SessionError`].
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Records what should become of a session, and gives it as it is then.
    pub async fn wish_session(
        &self,
        account: AccountId,
        id: SessionId,
        wish: SessionWish,
        cause: &Cause,
    ) -> Result<SessionView, SessionWishError> {
        let session = self.session(account, id).await?.ok_or(SessionError::NotFound)?;
        let at = self.ports.clock.now();
        let command = match wish {
            SessionWish::Start => SessionCommand::Start { at },
            SessionWish::Stop => SessionCommand::Stop { at },
            SessionWish::Restart => SessionCommand::Restart { at },
            SessionWish::Logout => SessionCommand::Logout { at },
            SessionWish::Change(change) => SessionCommand::ChangeSettings { change, at },
            SessionWish::Delete => SessionCommand::Delete { at },
        };
        // A deleted session gives its name back.
        let key = keys::session_name_claim(&*self.ports.secrets, account, &session.name);
        let claims = match command {
            SessionCommand::Delete { .. } => vec![Claim::Release { key }],
            _ => Vec::new(),
        };
        let text = id.to_string();
        let execution = Execution::<Session> { account, id: &text, command, fresh: false, claims, cause };
        match self.ports.execute(execution).await {
            Ok(_) => {},
            Err(ExecuteError::Refused(refusal)) => return Err(refusal.into()),
            Err(ExecuteError::Port(error)) => return Err(error.into()),
            Err(ExecuteError::ClaimTaken(..)) => {
                return Err(PortError::Conflict("a release was refused".to_owned()).into());
            },
        }
        // Who wrote it can read it at once. The projection would get here a moment later, and does after a crash.
        let folded = queries::session_from_stream(&self.ports, account, id).await?;
        let (view, version) = folded.ok_or(SessionError::NotFound)?;
        self.records.write_each(session_writes(account, &view, version)?).await?;
        Ok(view)
    }
}
