//! The authorisation matrix: every operation of the OpenAPI document, with every role, and with API keys that have exactly
//! the scope that it needs, all others, and none.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing};

use crate::{
    auth::{PASSWORD, stranger},
    members::{member, owner, signed_in},
    operations::{Needs, Operation, operations},
};

const ROLES: [&str; 4] = ["viewer", "developer", "admin", "owner"];

/// The least role for each scope that an operation needs: the specification, written once more by hand.
const LEAST: [(&str, &str); 18] = [
    ("account:read", "viewer"),
    ("account:write", "admin"),
    ("admin:read", "owner"),
    ("admin:write", "owner"),
    ("api_keys:read", "developer"),
    ("api_keys:write", "developer"),
    ("audit:read", "admin"),
    ("members:read", "admin"),
    ("members:write", "admin"),
    ("messages:read", "viewer"),
    ("messages:send", "developer"),
    ("messages:write", "developer"),
    ("sandbox:read", "viewer"),
    ("sandbox:write", "developer"),
    ("sessions:read", "viewer"),
    ("sessions:write", "developer"),
    ("webhooks:read", "viewer"),
    ("webhooks:write", "developer"),
];
/// A scope that no operation needs.
const IDLE: &str = "insights:read";
/// They end the sign-in that calls them.
const ENDS: [&str; 2] = ["logout", "logoutEverywhere"];

fn expected(role: &str, needs: &Needs) -> Result<bool> {
    let Needs::Scope(scope) = needs else { return Ok(true) };
    let least = LEAST.iter().find(|(known, _)| known == scope);
    let (_, least) = least.with_context(|| format!("{scope} is not in the table of the test"))?;
    let rank = |role: &str| ROLES.iter().position(|known| *known == role);
    Ok(rank(role) >= rank(least))
}

/// Values that are of the right form and name nothing.
fn nothing(name: &str, path: &str) -> Result<String> {
    let id = |prefix: &str| format!("{prefix}_00000000000000000000000000");
    Ok(match (name, path.split('/').nth(1)) {
        ("id", Some("admin")) if path.contains("/queues/") => "nothing".to_owned(),
        ("id", Some("admin")) => id("acc"),
        ("queue", _) => "webhooks".to_owned(),
        ("name", Some("admin")) => "sending".to_owned(),
        ("id", Some("sessions")) => id("ses"),
        ("id", Some("messages")) => id("msg"),
        ("id", Some("webhooks")) => id("whk"),
        ("id", Some("api-keys")) => id("key"),
        ("id", Some("invitations")) => id("inv"),
        ("user_id", _) => id("usr"),
        ("number", _) => "15559999999".to_owned(),
        ("group", _) => "120363000000000000@g.us".to_owned(),
        ("call_id", _) => "AC00".to_owned(),
        ("device", _) => "1".to_owned(),
        _ => bail!("teach this test what {name} of {path} looks like"),
    })
}

async fn called(operation: &Operation, client: &Client) -> Result<Answer> {
    let path = operation.at(|name| nothing(name, &operation.path))?;
    operation.call(client, &path, json!({})).await
}

/// The credential may not do it, whatever else is wrong.
fn is_refused(answer: &Answer) -> bool {
    answer.status == 403 && ["forbidden", "no_user"].iter().any(|code| answer.body["code"] == *code)
}

async fn check(who: &str, operation: &Operation, client: &Client, may: bool) -> Result<()> {
    let answer = called(operation, client).await?;
    let Operation { id, needs, .. } = operation;
    ensure!(answer.status != 401, "{who} is nobody for {id}: {answer:?}");
    ensure!(is_refused(&answer) != may, "{who}, {id}, which needs {needs:?}, expected {may}: {answer:?}");
    Ok(())
}

async fn key(maker: &Client, scopes: &[&str]) -> Result<Client> {
    let made = maker.post("/api-keys", json!({ "name": "key", "mode": "test", "scopes": scopes })).await?;
    Ok(maker.with_key(made.body["key"].as_str().with_context(|| format!("{made:?}"))?))
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let operations = operations(&operator).await?;
    let file: Value = serde_json::from_slice(&std::fs::read(folder.path().join("credentials.json"))?)?;
    let credential = |name: &str| file[name].as_str().context("a credential").map(str::to_owned);
    for role in ROLES {
        let (email, password) = match role {
            "owner" => (credential("admin_email")?, credential("admin_password")?),
            _ => (format!("{role}@example.com"), PASSWORD.to_owned()),
        };
        let client = match role {
            "owner" => signed_in(&operator, &email, &password).await?,
            _ => member(&operator, &operator, &email, role).await?,
        };
        let (last, first): (Vec<_>, Vec<_>) =
            operations.iter().partition(|operation| ENDS.contains(&operation.id.as_str()));
        for operation in first {
            check(role, operation, &client, expected(role, &operation.needs)?).await?;
        }
        for operation in last {
            let again = signed_in(&operator, &email, &password).await?;
            check(role, operation, &again, expected(role, &operation.needs)?).await?;
        }
    }
    // What is about the whole deployment is not for the owner of another account.
    let other = owner(&operator, "ada@example.com").await?;
    let mut of_deployment = operations.iter().filter(|operation| operation.tag == "admin").peekable();
    ensure!(of_deployment.peek().is_some());
    for operation in of_deployment {
        check("the owner of another account", operation, &other, false).await?;
    }
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say_and_nobody_may_do_it_without() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let operations = operations(&operator).await?;
    let scope = |operation: &Operation| match &operation.needs {
        Needs::Scope(scope) => Some(scope.clone()),
        _ => None,
    };
    let scopes: BTreeSet<String> = operations.iter().filter_map(scope).collect();
    ensure!(scopes.len() > 10, "{scopes:?}");
    let (idle, all) = (key(&operator, &[IDLE]).await?, key(&operator, &["*"]).await?);
    for needed in &scopes {
        let exact = key(&operator, &[needed]).await?;
        let others: Vec<&str> = scopes.iter().filter(|scope| *scope != needed).map(String::as_str).collect();
        let others = key(&operator, &others).await?;
        for operation in operations.iter().filter(|operation| scope(operation).as_ref() == Some(needed)) {
            check("a key with the scope", operation, &exact, true).await?;
            check("a key with all scopes", operation, &all, true).await?;
            check("a key with all other scopes", operation, &others, false).await?;
            check("a key without any", operation, &idle, false).await?;
        }
    }
    for operation in &operations {
        match operation.needs {
            Needs::Credential => check("a key without any", operation, &idle, true).await?,
            Needs::User => check("a key with all scopes", operation, &all, false).await?,
            Needs::Nothing | Needs::Scope(_) => {},
        }
        let bare = called(operation, &stranger(&operator)).await?;
        let is_open = operation.needs == Needs::Nothing;
        ensure!(
            (bare.status == 401 && bare.body["code"] == "unauthorized") != is_open,
            "{}: {bare:?}",
            operation.id
        );
    }
    waxwing.stop().await.map(drop)
}
