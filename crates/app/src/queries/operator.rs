use serde::Deserialize;
use waxwing_domain::AccountId;

use crate::{
    keys,
    ports::{PortError, Records},
    rows,
};

/// Whether the account is the one that the first start made: its keys are the operator's.
pub async fn is_operator(records: &dyn Records, account: AccountId) -> Result<bool, PortError> {
    #[derive(Deserialize)]
    struct First {
        account: AccountId,
    }
    let first: Option<First> = rows::get(records, &keys::first_account()).await?;
    Ok(first.is_some_and(|first| first.account == account))
}
