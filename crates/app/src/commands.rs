//! What can be done: one file per use case.

mod authenticate;
mod change_api_key;
mod change_message;
mod create_account;
mod create_api_key;
mod create_session;
mod create_webhook;
mod delete_webhook;
mod end_account;
mod idempotency;
mod invitations;
mod known_addresses;
mod limits;
mod members;
mod onboard;
mod profile;
mod record_outcome;
mod register;
mod second_factor;
mod send_message;
mod session_wishes;
mod sign_in;
mod switch_feature;

use std::sync::Arc;

pub use authenticate::{AuthenticateError, Caller, KeyBounds, Principal, parse_ip_range};
pub use change_api_key::KEY_OVERLAP_S_MAX;
pub use change_message::ChangeMessageError;
pub use create_account::{CreateAccountError, CreatedAccount, NewAccount};
pub use create_api_key::{API_KEYS_MAX, ApiKeyCommandError, CreatedApiKey, DrawnApiKey, NewApiKey};
pub use create_session::{CreateSessionError, NewSession};
pub use create_webhook::{CreateWebhookError, CreatedWebhook, NewWebhook, WEBHOOKS_MAX};
pub use delete_webhook::DeleteWebhookError;
pub use end_account::EndAccountError;
pub use idempotency::{Idempotency, IdempotencyError, Once, Repeatable, StoredAnswer};
pub use invitations::{InvitationError, Joined, NewInvitation, Newcomer};
pub use limits::AccountLimits;
pub use members::AccountCommandError;
pub use onboard::{OnboardError, Onboarded};
pub use profile::ProfileError;
pub use record_outcome::{Outcomes, SeenStatus, SentId, inbound_message_id};
pub use register::{MailTokenError, Registration};
pub use second_factor::TotpOffer;
pub use send_message::{NewMessage, SendMessageError, new_whatsapp_id};
pub use session_wishes::{SessionWish, SessionWishError};
pub use sign_in::{SignInError, SignedIn};
use waxwing_domain::{AccountId, Network, SessionId};

use crate::{
    execute::CommandPorts,
    id_source::IdSource,
    ports::{Entropy, PortError, Records},
    queries,
    views::SessionView,
};

/// The use cases that change something.
#[derive(Clone)]
pub struct Commands {
    /// Journal, encryption, clock.
    pub ports: CommandPorts,
    /// Read models, for what a use case has to know beyond its own stream.
    pub records: Arc<dyn Records>,
    /// Randomness of keys and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// New ids.
    pub ids: Arc<IdSource>,
    /// Which WhatsApp this process serves.
    pub network: Network,
    /// How much one account may have.
    pub limits: AccountLimits,
}

impl Commands {
    /// The session as it stands: the row, else its stream. `None` when it is not there or was deleted.
    async fn session(&self, account: AccountId, id: SessionId) -> Result<Option<SessionView>, PortError> {
        queries::session(&self.ports, &*self.records, account, id).await
    }
}
