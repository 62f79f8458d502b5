use serde::{Deserialize, de::DeserializeOwned};
use waxwing_domain::AccountId;

use crate::{
    keys,
    ports::{Bounds, PortError, Query, Records},
    rows,
    views::{AccountView, HostView, UserView},
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

/// Rows of a list of the operator that one call looks at, where it looks for some of them.
const LOOKED_AT: usize = 1_000;

/// Some rows of a partition in the order of their keys, and behind which the next ones begin. Short, or empty, while there is
/// more: then few fit.
pub(super) async fn some<T: DeserializeOwned>(
    records: &dyn Records,
    partition: String,
    fits: impl Fn(&T) -> bool,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<T>, Option<String>), PortError> {
    let bounds = Bounds { after, before: None };
    let query = Query { index: 0, partition, bounds, descending: false, limit: LOOKED_AT };
    let found = records.query(query).await?;
    let whole = found.len() < LOOKED_AT;
    let (mut views, mut last) = (Vec::new(), None);
    for row in &found {
        if views.len() == limit {
            return Ok((views, last));
        }
        let view: T = rows::value(row)?;
        last = Some(row.key.sort.clone());
        views.extend(Some(view).filter(|view| fits(view)));
    }
    Ok((views, last.filter(|_| !whole)))
}

/// True when the text occurs in one of these, whatever its case.
fn holds(wanted: &Option<String>, texts: &[&str]) -> bool {
    let Some(wanted) = wanted else { return true };
    let wanted = wanted.to_lowercase();
    texts.iter().any(|text| text.to_lowercase().contains(&wanted))
}

/// Accounts of the installation in which the text occurs.
pub async fn accounts(
    records: &dyn Records,
    text: Option<String>,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<AccountView>, Option<String>), PortError> {
    let fits =
        |view: &AccountView| holds(&text, &[&view.id.to_string(), &view.name, &view.owner.to_string()]);
    some(records, keys::accounts(), fits, limit, after).await
}

/// Users of the installation in which the text occurs.
pub async fn users(
    records: &dyn Records,
    text: Option<String>,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<UserView>, Option<String>), PortError> {
    let fits = |view: &UserView| {
        holds(&text, &[&view.id.to_string(), &view.email, view.name.as_deref().unwrap_or_default()])
    };
    some(records, keys::users(), fits, limit, after).await
}

/// The hosts that are alive, by name.
pub async fn hosts(records: &dyn Records) -> Result<Vec<(String, HostView)>, PortError> {
    let bounds = Bounds::default();
    let query = Query { index: 0, partition: keys::hosts(), bounds, descending: false, limit: LOOKED_AT };
    let rows = records.query(query).await?;
    rows.iter().map(|row| Ok((row.key.sort.clone(), rows::value(row)?))).collect()
}
