//! How much one account may have. The deployment chooses.

use super::WEBHOOKS_MAX;
use crate::queries::SESSIONS_MAX;

/// How much one account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Sessions that are not deleted.
    pub sessions: usize,
    /// Webhook endpoints.
    pub webhooks: usize,
}

impl AccountLimits {
    /// As chosen: 1 to 10,000 sessions, since lists reach no further, and 1 to 100 webhooks.
    pub fn new(sessions: usize, webhooks: usize) -> Self {
        Self { sessions: sessions.clamp(1, SESSIONS_MAX), webhooks: webhooks.clamp(1, WEBHOOKS_MAX) }
    }
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self { sessions: SESSIONS_MAX, webhooks: WEBHOOKS_MAX }
    }
}
