//! What the rest of the process needs of the WhatsApp network.

use std::sync::Arc;

use waxwing_app::ports::SandboxControl;
use waxwing_whatsapp::Endpoints;

/// WhatsApp itself, or a sandbox with its control.
pub(crate) struct Network {
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) sandbox: Option<Arc<dyn SandboxControl>>,
}
