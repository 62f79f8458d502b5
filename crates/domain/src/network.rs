//! Which WhatsApp a session belongs to.

use serde::{Deserialize, Serialize};

/// The network of a session, a key and a host. Each belongs to exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The simulated network that Waxwing carries.
    #[default]
    Sandbox,
    /// WhatsApp itself.
    Whatsapp,
}

impl Network {
    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Whatsapp => "whatsapp",
        }
    }
}
