//! The second factor of a sign-in: codes of an app (TOTP, RFC 6238), and codes that replace the app once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RecoveryCodeUsed, TotpDisabled, TotpEnabled, TotpOffered, UserCommand, UserError, UserEvent};
use crate::Secret;

/// State of a user's second factor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SecondFactor {
    offered: Option<TotpOffered>,
    enabled: Option<TotpEnabled>,
}

impl SecondFactor {
    pub(super) fn secret(&self) -> Option<&Secret> {
        self.enabled.as_ref().map(|enabled| &enabled.secret)
    }

    pub(super) fn offered(&self, at: Timestamp) -> Option<&Secret> {
        self.offered.as_ref().filter(|offered| at < offered.expires_at).map(|offered| &offered.secret)
    }

    pub(super) fn recovery_hashes(&self) -> &[Secret] {
        self.enabled.as_ref().map_or(&[], |enabled| &enabled.recovery_hashes)
    }

    /// Which events follow from a command on it.
    pub(super) fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        use UserCommand as C;
        match (command, &self.enabled) {
            (C::OfferTotp { .. } | C::EnableTotp { .. }, Some(_)) => Err(UserError::TotpEnabled),
            (C::OfferTotp { secret, expires_at, at }, None) => {
                Ok(vec![TotpOffered { secret, expires_at, at }.into()])
            },
            (C::EnableTotp { secret, recovery_hashes, at }, None) => match self.offered(at) {
                Some(offered) if *offered == secret => {
                    Ok(vec![TotpEnabled { secret, recovery_hashes, at }.into()])
                },
                _ => Err(UserError::NoTotpOffered),
            },
            (C::UseRecoveryCode { hash, at }, _) => match self.recovery_hashes().contains(&hash) {
                true => Ok(vec![RecoveryCodeUsed { hash, at }.into()]),
                false => Err(UserError::InvalidRecoveryCode),
            },
            (C::DisableTotp { at }, Some(_)) => Ok(vec![TotpDisabled { at }.into()]),
            (C::DisableTotp { .. }, None) => Err(UserError::TotpDisabled),
            _ => Ok(vec![]),
        }
    }

    /// What follows from an event of it.
    pub(super) fn apply(&mut self, event: UserEvent) {
        match event {
            UserEvent::TotpOffered(offered) => self.offered = Some(offered),
            UserEvent::TotpEnabled(enabled) => *self = Self { offered: None, enabled: Some(enabled) },
            UserEvent::RecoveryCodeUsed(used) => {
                if let Some(enabled) = &mut self.enabled {
                    enabled.recovery_hashes.retain(|hash| *hash != used.hash);
                }
            },
            UserEvent::TotpDisabled(_) => *self = Self::default(),
            _ => {},
        }
    }
}
