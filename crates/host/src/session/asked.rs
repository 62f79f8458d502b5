//! What is asked of a session that has a connection, beside sending: codes, presence, read marks, calls.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};
use waxwing_app::{
    ports::{PairingCode, PairingCodeError},
    views::QrCode,
};
use waxwing_domain::{PhoneNumber, call::CallReceived, session::SessionStatus};
use waxwing_whatsapp::{Call, CodeError, Connection, LinkCode};

use super::{
    Open, Session,
    connected::{CODE_LASTS, Run},
};
use crate::inbound::ToRead;

/// How long declining a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long is waited before each try to record a call.
const CALL_PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];
/// After the client said that the account is online, which it does a moment after it tells of the account's new name.
pub(super) const AFTER_NAME: Duration = Duration::from_secs(2);

impl Session {
    pub(super) async fn show_qr(&mut self, code: String, ttl: Duration) {
        let ttl = jiff::SignedDuration::from_millis(i64::try_from(ttl.as_millis()).unwrap_or(0));
        let now = self.shared.ports.clock.now();
        let expires_at = now.checked_add(ttl).unwrap_or(now);
        self.live.say(SessionStatus::Pairing, None, Some(QrCode { code, expires_at })).await;
    }

    /// Contacts see the account online or not, as is wished by then. In a task of its own: the socket may be full.
    pub(super) fn show_presence(&self, open: &Open, after: Duration) {
        let (connection, sink, session) = (open.connection.clone(), open.sink.clone(), self.id);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Err(error) = connection.show_online(sink.is_always_online()).await {
                tracing::debug!(%session, %error, "the presence was not shown");
            }
        });
    }

    /// Marks a message as read, as far as the connection lasts: it is a courtesy.
    pub(super) fn mark_read(&self, open: &Open, message: ToRead) {
        let (connection, session) = (open.connection.clone(), self.id);
        tokio::spawn(async move {
            let ToRead { chat, from, whatsapp_id } = message;
            if let Err(error) = connection.mark_read(&chat, from.as_ref(), &[&whatsapp_id]).await {
                tracing::debug!(%session, %error, "a message was not marked as read");
            }
        });
    }

    /// Asks for a code in a task of its own; a session that shows none lets go of the question.
    pub(super) fn on_pairing_code(
        &self,
        open: &Open,
        run: &mut Run,
        phone: PhoneNumber,
        reply: oneshot::Sender<Result<PairingCode, PairingCodeError>>,
    ) {
        if !run.showing {
            return;
        }
        if run.codes_end_at.is_some() {
            run.codes_end_at = Some(Instant::now() + CODE_LASTS);
        }
        let (connection, now) = (open.connection.clone(), self.shared.ports.clock.now());
        tokio::spawn(async move {
            let code = connection.link_code(&phone).await;
            let _ = reply.send(match code {
                Ok(LinkCode { code, ttl }) => {
                    let expires_at = now.checked_add(ttl).unwrap_or(now);
                    Ok(PairingCode { code, expires_at })
                },
                Err(CodeError::NotPairing) => return,
                Err(CodeError::Refused(reason)) => Err(PairingCodeError::Refused(reason)),
            });
        });
    }

    /// Declines a call where that is wished for, and records it; in a task of its own, since neither has to wait for the other
    /// things of the session.
    pub(super) fn on_call(&self, connection: Option<Arc<Connection>>, call: Call) {
        let rejects = self.view.as_ref().is_some_and(|view| view.settings.reject_calls) && !call.missed;
        let (outcomes, account, session) = (self.shared.outcomes.clone(), self.account, self.id);
        tokio::spawn(async move {
            let mut rejected = false;
            if let Some(connection) = connection.filter(|_| rejects) {
                let declined = tokio::time::timeout(CALL_TIMEOUT, connection.reject_call(&call)).await;
                rejected = matches!(declined, Ok(Ok(())));
                if !rejected {
                    tracing::warn!(%session, "a call was not declined");
                }
            }
            let Call { call_id, from, group, video, missed, at, .. } = call;
            let call =
                CallReceived { session_id: session, call_id, from, group, video, rejected, missed, at };
            for pause in CALL_PAUSES {
                tokio::time::sleep(pause).await;
                match outcomes.called(account, call.clone()).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%session, %error, "a call is not recorded yet"),
                }
            }
            tracing::error!(%session, "a call is lost");
        });
    }
}
