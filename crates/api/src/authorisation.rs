//! Who may do what, as a page: from the table of roles and the OpenAPI document.

use std::fmt::Write as _;

use serde_json::Value;
use waxwing_domain::account::{RESOURCES, Role, least_role};

const INTRODUCTION: &str = "# Authorisation

`cargo xtask gen` writes this page from the code: the table of roles (`domain/src/account/role.rs`) and the OpenAPI document.

A user may do in an account what the user's role there allows, and an API key what its scopes allow. Each role may do all
that those before it may. A key gets no scope, and a member no role, that whoever makes or invites them has not got. Of an
account all of this holds inside the account only: what belongs to another one looks like nothing at all (404).
";

const SCOPES: &str = "
## Scopes

`*` is all of them, and only an owner has it. `admin` and `metrics` are about the whole deployment: they need, besides, to be
of its first account.

";

const OPERATIONS: &str = "
## Operations

Everybody may remove themselves from the members, whatever their role, except the last owner. About a role decides who has
all that it has: an admin neither makes, changes nor removes owners.

";

/// The page, as Markdown.
pub fn authorisation() -> String {
    let mut page = INTRODUCTION.to_owned() + SCOPES + &head("scope");
    for (resource, ..) in RESOURCES {
        for verb in ["read", "write", "send"] {
            let scope = format!("{resource}:{verb}");
            if let Some(least) = least_role(&scope) {
                row(&mut page, &format!("`{scope}`"), |role| role >= least);
            }
        }
    }
    page += OPERATIONS;
    page += &head("operation | needs");
    let document: Value = serde_json::from_str(&crate::document()).unwrap_or_default();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let (needs, least) = needs(&operation["security"]);
            let method = method.to_uppercase();
            row(&mut page, &format!("`{method} {path}` | {needs}"), |role| {
                least.is_none_or(|least| role >= least)
            });
        }
    }
    page
}

fn head(columns: &str) -> String {
    let roles = Role::ALL.map(Role::as_str).join(" | ");
    let dashes = "| --- ".repeat(columns.split('|').count() + Role::ALL.len());
    format!("| {columns} | {roles} |\n{dashes}|\n")
}

fn row(page: &mut String, begin: &str, may: impl Fn(Role) -> bool) {
    let marks = Role::ALL.map(|role| if may(role) { "yes" } else { "" }).join(" | ");
    // Writing to a string cannot fail.
    let _ = writeln!(page, "| {begin} | {marks} |");
}

/// What an operation needs, by its list of security requirements, and the least role that has it.
fn needs(security: &Value) -> (String, Option<Role>) {
    let names = |name: &str| security.as_array().into_iter().flatten().any(|one| one.get(name).is_some());
    match (security[0]["bearer"][0].as_str(), names("bearer"), names("api_key")) {
        (Some(scope), ..) => (format!("`{scope}`"), least_role(scope)),
        (None, true, true) => ("a credential".to_owned(), None),
        (None, true, false) => ("a user".to_owned(), None),
        (None, false, _) => ("nothing".to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_for_each_operation_which_roles_may() {
        let page = authorisation();
        for line in [
            "| scope | viewer | developer | admin | owner |",
            "| `messages:send` |  | yes | yes | yes |",
            "| `POST /invitations` | `members:write` |  |  | yes | yes |",
            "| `GET /sessions` | `sessions:read` | yes | yes | yes | yes |",
            "| `POST /auth/login` | nothing | yes | yes | yes | yes |",
            "| `PATCH /me` | a user | yes | yes | yes | yes |",
            "| `GET /me` | a credential | yes | yes | yes | yes |",
        ] {
            assert!(page.lines().any(|written| written == line), "{line} in {page}");
        }
    }
}
