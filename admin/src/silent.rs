use async_trait::async_trait;
use waxwing_app::ports::Gateway;
use waxwing_domain::{AccountId, SessionId};

/// Tells session hosts nothing. They look by themselves every 30 s, and an operator's machine seldom reaches the private
/// addresses at which they are: each hint would only be waited for.
#[derive(Debug, Clone, Copy)]
pub struct SilentGateway;

#[async_trait]
impl Gateway for SilentGateway {
    async fn session_changed(&self, _account: AccountId, _session: SessionId) {}

    async fn outbox_changed(&self, _account: AccountId, _session: SessionId) {}
}
