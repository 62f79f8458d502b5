use serde::{Deserialize, Serialize};

/// What a member is in an account. Each may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Builds on the API: sends, changes sessions, webhooks and API keys.
    Developer,
    /// Looks after members and the account.
    Admin,
    /// May do everything. An account always has one.
    Owner,
}

use Role::{Admin, Developer, Owner, Viewer};

/// The table of authorisation: for each resource the least role that reads it, and the least that writes it. All of a
/// deployment (`admin`, `metrics`) is besides for the first account only. An API key may be made for what a later version
/// can do.
pub const RESOURCES: [(&str, Role, Role); 21] = [
    ("account", Viewer, Admin),
    ("admin", Owner, Owner),
    ("api_keys", Developer, Developer),
    ("audit", Admin, Admin),
    ("calls", Viewer, Developer),
    ("campaigns", Viewer, Developer),
    ("channels", Viewer, Developer),
    ("chats", Viewer, Developer),
    ("contacts", Viewer, Developer),
    ("events", Viewer, Developer),
    ("groups", Viewer, Developer),
    ("insights", Viewer, Developer),
    ("labels", Viewer, Developer),
    ("media", Viewer, Developer),
    ("members", Admin, Admin),
    ("messages", Viewer, Developer),
    ("metrics", Owner, Owner),
    ("presence", Viewer, Developer),
    ("sandbox", Viewer, Developer),
    ("sessions", Viewer, Developer),
    ("webhooks", Viewer, Developer),
];
/// Scopes that are not about reading or writing a resource.
const OTHERS: [(&str, Role); 2] = [("*", Owner), ("messages:send", Developer)];

/// The least role that has the scope; `None` for one that does not exist.
pub fn least_role(scope: &str) -> Option<Role> {
    if let Some((_, role)) = OTHERS.iter().find(|(known, _)| *known == scope) {
        return Some(*role);
    }
    let (resource, verb) = scope.split_once(':')?;
    let (_, reads, writes) = RESOURCES.iter().find(|(known, ..)| *known == resource)?;
    match verb {
        "read" => Some(*reads),
        "write" => Some(*writes),
        _ => None,
    }
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Viewer, Developer, Admin, Owner];

    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Viewer => "viewer",
            Developer => "developer",
            Admin => "admin",
            Owner => "owner",
        }
    }

    /// True when the role has the scope.
    pub fn may(self, scope: &str) -> bool {
        least_role(scope).is_some_and(|least| least <= self)
    }

    /// All scopes that the role has.
    pub fn scopes(self) -> impl Iterator<Item = String> {
        let of_resources = RESOURCES
            .iter()
            .flat_map(|(resource, ..)| ["read", "write"].map(|verb| format!("{resource}:{verb}")));
        let others = OTHERS.iter().map(|(scope, _)| (*scope).to_owned());
        of_resources.chain(others).filter(move |scope| self.may(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_all_that_those_before_it_may_and_more() {
        for pair in Role::ALL.windows(2) {
            assert!(pair[0].scopes().all(|scope| pair[1].may(&scope)), "{pair:?}");
            assert!(pair[1].scopes().count() > pair[0].scopes().count(), "{pair:?}");
        }
        assert_eq!(Owner.scopes().count(), 2 * RESOURCES.len() + OTHERS.len(), "an owner has them all");
    }

    #[test]
    fn what_a_role_may_is_as_documented() {
        for (scope, least) in [
            ("messages:read", Viewer),
            ("account:read", Viewer),
            ("messages:send", Developer),
            ("sandbox:write", Developer),
            ("api_keys:read", Developer),
            ("members:read", Admin),
            ("account:write", Admin),
            ("metrics:read", Owner),
            ("admin:read", Owner),
            ("*", Owner),
        ] {
            assert_eq!(Role::ALL.map(|role| role.may(scope)), Role::ALL.map(|role| role >= least), "{scope}");
        }
        for unknown in ["", "messages", "messages:fly", "cars:read"] {
            assert!(!Owner.may(unknown), "{unknown}");
        }
    }
}
