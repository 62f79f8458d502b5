//! What is asked of a session that has a connection, beside sending: presence, read marks, calls, codes to type in.

use std::time::Duration;

use tokio::sync::oneshot;
use waxwing_app::ports::{PairingCode, PairingCodeError};
use waxwing_domain::{PhoneNumber, session::SessionCallReceived};
use waxwing_whatsapp::{Call, CodeError, LinkCode};

use super::{Open, Session, connected::Run};
use crate::inbound::ToRead;

/// How long declining a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn is_always_online(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.settings.always_online)
    }

    /// Contacts see the account online or not, as is wished. In a task of its own: the socket may be full.
    pub(super) fn show_presence(&self, open: &Open) {
        let (connection, online) = (open.connection.clone(), self.is_always_online());
        let session = self.id;
        tokio::spawn(async move {
            if let Err(error) = connection.show_online(online).await {
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
        run: &Run,
        phone: PhoneNumber,
        reply: oneshot::Sender<Result<PairingCode, PairingCodeError>>,
    ) {
        if !run.showing {
            return;
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

    /// Records a call, and declines it where that is wished for.
    pub(super) async fn on_call(&mut self, open: &Open, call: Call) {
        let rejects = self.view.as_ref().is_some_and(|view| view.settings.reject_calls) && !call.missed;
        let rejected = rejects
            && match tokio::time::timeout(CALL_TIMEOUT, open.connection.reject_call(&call)).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!(session = %self.id, %error, "a call was not declined");
                    false
                },
                Err(_) => false,
            };
        let Call { call_id, from, group, video, missed, at, .. } = call;
        let call = SessionCallReceived { call_id, from, group, video, rejected, missed, at };
        if let Err(error) = self.shared.outcomes.called(self.account, self.id, call).await {
            tracing::warn!(session = %self.id, %error, "a call was not recorded");
        }
    }
}
