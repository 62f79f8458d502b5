//! Switch a feature for one account.

use waxwing_domain::{AccountId, Feature, account::AccountCommand};

use super::{AccountCommandError, Commands};
use crate::execute::Cause;

impl Commands {
    /// Has a feature on or off for the account, or as for the deployment when `enabled` is absent. It counts from the next
    /// request on: each reads the account.
    pub async fn switch_feature(
        &self,
        account: AccountId,
        (feature, enabled): (Feature, Option<bool>),
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let command = AccountCommand::SwitchFeature { feature, enabled, at: self.ports.clock.now() };
        self.account_command(account, command, cause).await
    }
}
