//! Where the WhatsApp network of this build is: WhatsApp itself, or a sandbox reached over signed HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_app::ports::SandboxControl;
use waxwing_domain::AccountId;
use waxwing_whatsapp::{Endpoint, EndpointError, Endpoints};

/// What the rest of the process needs of the network.
pub(crate) struct Network {
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) sandbox: Option<Arc<dyn SandboxControl>>,
}

/// WhatsApp itself.
#[cfg_attr(feature = "sandbox", expect(dead_code, reason = "a sandbox build never speaks to WhatsApp"))]
pub(crate) struct Whatsapp;

#[async_trait]
impl Endpoints for Whatsapp {
    async fn endpoint(&self, _account: AccountId) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::whatsapp())
    }
}
