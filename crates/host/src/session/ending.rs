//! How a session ends: logged out, or deleted with everything that waits in it.

use std::time::Duration;

use waxwing_app::{
    keys,
    ports::{Guard, PortError, Write},
    views::SessionView,
};
use waxwing_domain::session::{Session as SessionAggregate, SessionStatus};
use waxwing_whatsapp::Connection;

use super::{LOGOUT_TIMEOUT, Session};
use crate::{lanes::Outcome, outbox::Taken};

impl Session {
    /// Unlinks on the server, as far as it answers in time and the host does not stop.
    pub(super) async fn unlink_on(&mut self, connection: &Connection) {
        tokio::select! {
            _ = tokio::time::timeout(LOGOUT_TIMEOUT, connection.logout()) => {}
            _ = self.stop.changed() => {}
        }
    }

    pub(super) async fn log_out(&mut self) -> Result<(), PortError> {
        let Some(view) = self.view.clone() else { return Ok(()) };
        if !self.forgotten {
            self.unlink(&view).await?;
            self.forget_device().await?;
        }
        self.fail_outbox("session_logged_out", "The session was logged out before the message was sent.")
            .await?;
        // What was wished for meanwhile counts.
        self.look().await?;
        if view.status != SessionStatus::LoggedOut || view.logging_out {
            self.record_status(SessionStatus::LoggedOut, Some("requested")).await?;
        }
        let reason = view.reason.as_deref().or(Some("requested"));
        self.live.say(SessionStatus::LoggedOut, reason, None).await;
        self.wait(self.shared.settings.look).await;
        Ok(())
    }

    /// Tells the server that this device is no longer linked, as far as it can be reached.
    async fn unlink(&mut self, view: &SessionView) -> Result<(), PortError> {
        if !self.claim().await?.is_paired() || view.network != waxwing_whatsapp::NETWORK {
            return Ok(());
        }
        let mut open = self.open(view).await?;
        if open.connection.connect().is_ok() {
            let connected = async {
                while let Some(event) = open.events.recv().await {
                    use waxwing_whatsapp::ConnectionEvent as E;
                    if matches!(event, E::Connected { .. } | E::Disconnected { .. }) {
                        return;
                    }
                }
            };
            let mut stop = self.stop.clone();
            let answered = tokio::select! {
                answered = tokio::time::timeout(LOGOUT_TIMEOUT, connected) => answered.is_ok(),
                _ = stop.changed() => return Err(PortError::Unavailable("the host stops".to_owned())),
            };
            if answered {
                let connection = open.connection.clone();
                self.unlink_on(&connection).await;
            }
        }
        open.connection.abort();
        self.state = None;
        Ok(())
    }

    /// Removes the Signal state, which is worthless without the link.
    pub(super) async fn forget_device(&mut self) -> Result<(), PortError> {
        self.forget_history().await?;
        let state = self.claim().await?;
        self.state = None;
        state.erase().await.map_err(|error| PortError::Unavailable(error.to_string()))?;
        self.forgotten = true;
        Ok(())
    }

    /// Fails everything that waits to be sent.
    async fn fail_outbox(&mut self, code: &'static str, detail: &str) -> Result<(), PortError> {
        loop {
            let rows = self.outbox_rows(None).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.outbox.read(&rows, self.shared.ports.clock.now())?;
            self.clear().await;
            for open in self.outbox.take_all() {
                let whatsapp_id = open.row.whatsapp_id.clone();
                let Taken { key, sent } = open.into();
                let outcome = Outcome::Failed { sent, open_row: key, code, detail: detail.to_owned() };
                self.shared.lanes.record(self.account, &whatsapp_id, outcome).await;
            }
            // The lanes remove the rows once the outcomes are committed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            if *self.stop.borrow() {
                return Err(PortError::Unavailable("the host stops".to_owned()));
            }
        }
    }

    /// Messages that were accepted while the session was deleted come into the outbox behind it.
    pub(super) async fn fail_what_is_left(&mut self) -> Result<(), PortError> {
        let id = self.id.to_string();
        match self.shared.ports.commands.load::<SessionAggregate>(self.account, &id).await? {
            // Not projected yet: whoever projects it says so.
            (session, _) if session.is_there() => Ok(()),
            (_, 0) => Ok(()),
            _ => {
                self.fail_outbox("session_deleted", "The session was deleted before the message was sent.")
                    .await
            },
        }
    }

    pub(super) async fn delete(&mut self) -> Result<(), PortError> {
        if let Some(view) = self.view.clone() {
            self.unlink(&view).await?;
        }
        self.forget_device().await?;
        self.fail_outbox("session_deleted", "The session was deleted before the message was sent.").await?;
        self.live.remove().await?;
        let gone = Write::Delete(keys::hosted_session(self.account, self.id), Guard::Always);
        self.shared.ports.records.write_each(vec![gone]).await.map(drop)
    }
}
