use waxwing_domain::{AccountId, UserId};

use crate::{
    execute::OPERATOR,
    keys,
    ports::{Bounds, PortError, Query, Records},
    rows,
    views::AuditEntry,
};

/// Most entries that one call looks at, where it looks for some of them.
const LOOKED_AT: usize = 1_000;

/// What an account's people are told of who of the operator's it was.
const SOMEBODY_OF_THE_OPERATOR: &str = "operator";

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this user or API key.
    pub actor: Option<String>,
    /// About the thing with this id.
    pub resource: Option<String>,
}

/// Whose log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOf {
    /// What was changed in an account, as its own people see it: of the operator's work on it, not by whom and from where.
    Own(AccountId),
    /// What was changed in an account, as the operator sees it.
    Account(AccountId),
    /// What was changed in the deployment.
    Deployment,
    /// What a user changed about themselves.
    User(UserId),
}

impl AuditOf {
    fn partition(self) -> String {
        match self {
            Self::Own(account) | Self::Account(account) => keys::audit(account),
            Self::Deployment => keys::audit(AccountId::SYSTEM),
            Self::User(user) => keys::audit_of_user(user),
        }
    }

    /// The entry, as far as it is told.
    fn told(self, entry: AuditEntry) -> AuditEntry {
        match (entry.actor.strip_prefix(OPERATOR).map(str::to_owned), self) {
            (None, _) => entry,
            (Some(_), Self::Own(_)) => {
                AuditEntry { actor: SOMEBODY_OF_THE_OPERATOR.to_owned(), address: None, ..entry }
            },
            (Some(id), _) => AuditEntry { actor: id, ..entry },
        }
    }
}

/// Some entries, newest first, and behind which the next ones begin.
pub type AuditPage = (Vec<AuditEntry>, Option<String>);

/// Who changed what there, from behind `after` on. Short, or empty, while there is more: then few fit the filter.
pub async fn audit_log(
    records: &dyn Records,
    of: AuditOf,
    filter: &AuditFilter,
    limit: usize,
    after: Option<String>,
) -> Result<AuditPage, PortError> {
    let wanted = if filter.actor.is_none() && filter.resource.is_none() { limit + 1 } else { LOOKED_AT };
    let query = Query {
        index: 0,
        partition: of.partition(),
        bounds: Bounds { after: None, before: after },
        descending: true,
        limit: wanted,
    };
    let found = records.query(query).await?;
    let whole = found.len() < wanted;
    let (mut entries, mut last) = (Vec::new(), None);
    for row in &found {
        if entries.len() == limit {
            return Ok((entries, last));
        }
        // What is looked for is what is told, or a filter would tell the rest.
        let entry = of.told(rows::value(row)?);
        last = Some(row.key.sort.clone());
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        if is(&filter.actor, &entry.actor) && is(&filter.resource, &entry.resource) {
            entries.push(entry);
        }
    }
    Ok((entries, last.filter(|_| !whole)))
}
