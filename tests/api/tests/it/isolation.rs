//! Tenants see nothing of each other: every operation with an id in its address is called with ids of somebody else, made
//! for real. Then their owner calls it with the same ids, or the refusals would prove nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing, eventually};

use crate::{
    auth::is,
    members::{OWNER as ADA, invited, member, owner, user_id},
    operations::{Operation, operations},
};

/// Numbers that stand in no example of a message.
const OWNER: &str = "+15550106471";
const FRIEND: &str = "+15550106472";
/// Of resources of these tags a key that is bound to sessions sees those of its sessions only.
const OF_SESSIONS: [&str; 4] = ["sessions", "messages", "webhooks", "api_keys"];
/// They take away what other operations need, in this order.
const LAST: [&str; 4] = ["leaveSandboxGroup", "unlinkSandboxCompanion", "logoutSession", "deleteSession"];
/// Steps of the random walk.
const STEPS: usize = 400;

/// One of everything that has an id, in one account.
struct Things {
    /// By the resource in the address, and the name of the parameter.
    ids: BTreeMap<(&'static str, &'static str), String>,
    qr: String,
}

/// What is about the whole deployment is for its operator only, which the authorisation matrix looks at.
fn is_a_tenants(operation: &Operation) -> bool {
    operation.has_id() && operation.tag != "admin"
}

fn text(answer: &Answer, field: &str) -> Result<String> {
    Ok(answer.body[field].as_str().with_context(|| format!("{field} in {answer:?}"))?.to_owned())
}

fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

impl Things {
    async fn make(operator: &Client, ada: &Client) -> Result<Self> {
        let session = ada.connected_session("ours", OWNER).await?;
        ada.make_phone(FRIEND).await?;
        let sent = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "ours alone" });
        let message = text(&ada.post("/messages", sent).await?, "id")?;
        let hook = json!({ "url": "http://127.0.0.1:9/", "events": ["*"], "session_ids": [session] });
        let webhook = text(&ada.post("/webhooks", hook).await?, "id")?;
        let key = json!({ "name": "ours", "mode": "test", "scopes": ["*"] });
        let key = text(&ada.post("/api-keys", key).await?, "id")?;
        let eve = member(operator, ada, "eve@example.com", "viewer").await?;
        invited(operator, ada, "bob@example.com", "viewer").await?;
        let invitation = ada.all("/invitations").await?[0]["id"].as_str().context("an id")?.to_owned();
        let group = json!({ "by": OWNER, "subject": "ours", "participants": [FRIEND] });
        let group = text(&ada.post("/sandbox/groups", group).await?, "jid")?;
        let calls = format!("/sandbox/phones/{FRIEND}/calls");
        let call = text(&ada.post(&calls, json!({ "to": OWNER })).await?, "call_id")?;
        let companions = ada.all(&format!("/sandbox/phones/{OWNER}/companions")).await?;
        let device = companions.first().context("a linked device")?["device"].to_string();
        let waiting = text(&ada.post("/sessions", json!({ "name": "waits" })).await?, "id")?;
        let qr = eventually("a code to scan", || async {
            let answer = ada.get(&format!("/sessions/{waiting}/qr")).await?;
            Ok((answer.status == 200).then(|| answer.body["code"].as_str().unwrap_or_default().to_owned()))
        })
        .await?;
        eventually("the message in the list", || async {
            Ok(ada.all("/messages").await?.iter().any(|listed| listed["id"] == message).then_some(()))
        })
        .await?;
        let ids = BTreeMap::from([
            (("sessions", "id"), session),
            (("messages", "id"), message),
            (("webhooks", "id"), webhook),
            (("api-keys", "id"), key),
            (("invitations", "id"), invitation),
            (("members", "user_id"), user_id(&eve).await?),
            (("sandbox", "number"), digits(OWNER).to_owned()),
            (("sandbox", "group"), group),
            (("sandbox", "call_id"), call),
            (("sandbox", "device"), device),
        ]);
        Ok(Self { ids, qr })
    }

    fn id(&self, resource: &str, name: &str) -> Result<String> {
        let found = self.ids.iter().find(|((of, known), _)| (*of, *known) == (resource, name));
        found.map(|(_, id)| id.clone()).with_context(|| format!("make a {resource} with {name} in this test"))
    }

    /// What nobody else may get to see: a device is `1` everywhere.
    fn secrets(&self) -> Vec<&str> {
        let ids = self.ids.iter().filter(|((_, name), _)| *name != "device");
        ids.map(|(_, id)| id.as_str()).chain(["ours alone"]).collect()
    }

    fn address(&self, operation: &Operation) -> Result<String> {
        let resource = operation.path.split('/').nth(1).context("a resource")?;
        let path = operation.at(|name| match (operation.path.contains("/calls"), name) {
            // The friend calls.
            (true, "number") => Ok(digits(FRIEND).to_owned()),
            _ => self.id(resource, name),
        })?;
        let of_group = operation.method == Method::GET && path.contains("/groups/");
        Ok(if of_group { format!("{path}?member={}", digits(OWNER)) } else { path })
    }

    /// A body that an owner of these things could send.
    fn body(&self, operation: &Operation) -> Value {
        match operation.id.as_str() {
            "updateSession" => json!({ "settings": {} }),
            "createPairingCode" => json!({ "phone_number": OWNER }),
            "updateMember" => json!({ "role": "developer" }),
            "changeSandboxGroup" => json!({ "by": OWNER, "subject": "theirs" }),
            "renewSandboxInvite" => json!({ "by": OWNER }),
            "leaveSandboxGroup" => json!({ "by": FRIEND }),
            "answerSandboxJoinRequests" => json!({ "by": OWNER, "approve": true, "participants": [FRIEND] }),
            "changeSandboxParticipants" => {
                json!({ "by": OWNER, "action": "promote", "participants": [FRIEND] })
            },
            "createSandboxCall" => json!({ "to": OWNER }),
            "enterSandboxCode" => json!({ "code": "ABCD2345" }),
            "setSandboxHistory" => json!({ "messages": 1 }),
            "editMessage" => json!({ "text": "x" }),
            "setReaction" => json!({ "emoji": "👍" }),
            "sendFromSandboxPhone" => json!({ "to": FRIEND, "type": "text", "text": "hello" }),
            "scanSandboxQr" => json!({ "qr": self.qr }),
            _ => json!({}),
        }
    }

    /// Requests that name a session elsewhere than in the address.
    fn references(&self) -> Result<Vec<(&'static str, Value)>> {
        let session = self.id("sessions", "id")?;
        Ok(vec![
            ("/messages", json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "x" })),
            ("/messages/send", json!({ "session_id": session, "to": FRIEND, "text": "x" })),
            ("/webhooks", json!({ "url": "http://127.0.0.1:9/", "events": ["*"], "session_ids": [session] })),
            (
                "/api-keys",
                json!({ "name": "x", "mode": "test", "scopes": ["messages:read"], "session_ids": [session] }),
            ),
            ("/sandbox/faults", json!({ "kind": "log_out", "session_id": session })),
        ])
    }
}

fn holds_none(answer: &Answer, secrets: &[&str], what: &str) -> Result<()> {
    let told = answer.body.to_string();
    for secret in secrets {
        ensure!(!told.contains(secret), "{what} tells {secret}: {told}");
    }
    Ok(())
}

async fn bound_key(maker: &Client, session: &str) -> Result<Client> {
    let body = json!({ "name": "bound", "mode": "test", "scopes": ["*"], "session_ids": [session] });
    Ok(maker.with_key(&text(&maker.post("/api-keys", body).await?, "key")?))
}

async fn bare_session(client: &Client) -> Result<String> {
    text(&client.post("/sessions", json!({ "name": "another", "start": false })).await?, "id")
}

/// The operations in an order in which none takes away what a later one needs.
fn orderly(operations: &[Operation]) -> Vec<&Operation> {
    let order = |operation: &&Operation| {
        let last = LAST.iter().position(|id| *id == operation.id).map_or(0, |place| place + 1);
        (last, operation.method == Method::DELETE, operation.method != Method::GET)
    };
    let mut all: Vec<_> = operations.iter().filter(|operation| is_a_tenants(operation)).collect();
    all.sort_by_key(order);
    all
}

#[tokio::test]
async fn nobody_reaches_what_belongs_to_another_account_or_to_other_sessions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let operations = operations(&operator).await?;
    let (ada, carl) = (owner(&operator, ADA).await?, owner(&operator, "carl@example.com").await?);
    let things = Things::make(&operator, &ada).await?;
    let foreign = bound_key(&carl, &bare_session(&carl).await?).await?;
    let bound = bound_key(&ada, &bare_session(&ada).await?).await?;
    let of_sessions = |operation: &Operation| OF_SESSIONS.contains(&operation.tag.as_str());

    let all = orderly(&operations);
    ensure!(all.len() > 40, "{}", all.len());
    for operation in &all {
        let (path, body) = (things.address(operation)?, things.body(operation));
        for (who, client) in [("another owner", &carl), ("another's key", &foreign), ("a bound key", &bound)]
        {
            if who == "a bound key" && !of_sessions(operation) {
                continue;
            }
            let answer = operation.call(client, &path, body.clone()).await?;
            let id = &operation.id;
            ensure!(answer.status == 404, "{who} reaches {id}: {answer:?}");
        }
    }
    for (path, body) in things.references()? {
        for (who, client) in [("another owner", &carl), ("another's key", &foreign), ("a bound key", &bound)]
        {
            let answer = client.post(path, body.clone()).await?;
            ensure!(answer.status == 404, "{who} names a session in POST {path}: {answer:?}");
        }
    }
    let of_session = format!("/messages?session_id={}", things.id("sessions", "id")?);
    for client in [&carl, &foreign, &bound] {
        is(&client.get(&of_session).await?, 404, "not_found")?;
    }
    // All sessions are more than its own.
    let everything = json!({ "url": "http://127.0.0.1:9/", "events": ["*"] });
    is(&bound.post("/webhooks", everything).await?, 403, "forbidden")?;

    // Lists.
    let mut told = String::new();
    for operation in operations.iter().filter(|operation| operation.reads_all()) {
        for (who, client) in [("another owner", &carl), ("another's key", &foreign)] {
            let answer = operation.call(client, &operation.path, json!({})).await?;
            holds_none(&answer, &things.secrets(), &format!("{} of {who}", operation.id))?;
        }
        if of_sessions(operation) {
            let answer = operation.call(&bound, &operation.path, json!({})).await?;
            holds_none(&answer, &things.secrets(), &format!("{} of a bound key", operation.id))?;
        }
        told += &operation.call(&ada, &operation.path, json!({})).await?.body.to_string();
    }
    for kind in ["sessions", "messages", "webhooks", "api-keys", "invitations"] {
        ensure!(told.contains(&things.id(kind, "id")?), "the owner's own list of {kind} has it: {told}");
    }
    for secret in [things.id("members", "user_id")?, things.id("sandbox", "number")?] {
        ensure!(told.contains(&secret), "the owner's own lists have {secret}: {told}");
    }

    // All of it is there, as it was.
    let group = things.id("sandbox", "group")?;
    let shown = ada.get(&format!("/sandbox/groups/{group}?member={}", digits(OWNER))).await?;
    ensure!(shown.body["subject"] == "ours", "{shown:?}");
    let roles = ada.all("/members").await?;
    ensure!(roles.iter().any(|member| member["role"] == "viewer"), "{roles:?}");
    for operation in all {
        let (path, body) = (things.address(operation)?, things.body(operation));
        let answer = operation.call(&ada, &path, body).await?;
        ensure!(answer.status != 404, "the owner of {path} calls {}: {answer:?}", operation.id);
    }
    waxwing.stop().await.map(drop)
}

/// Numbers that look random and are the same in each run (Knuth's MMIX generator).
struct Walk(u64);

impl Walk {
    fn below(&mut self, bound: usize) -> Result<usize> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(usize::try_from((self.0 >> 33) % u64::try_from(bound)?)?)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> Result<&'a T> {
        match of.is_empty() {
            true => bail!("one of nothing"),
            false => Ok(&of[self.below(of.len())?]),
        }
    }
}

#[tokio::test]
async fn a_random_walk_of_another_account_sees_and_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let operations: Vec<Operation> = operations(&operator).await?;
    let (ada, carl) = (owner(&operator, ADA).await?, owner(&operator, "carl@example.com").await?);
    let things = Things::make(&operator, &ada).await?;
    let key = json!({ "name": "theirs", "mode": "test", "scopes": ["*"] });
    let carls_key = carl.with_key(&text(&carl.post("/api-keys", key).await?, "key")?);
    let before = async || -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for path in ["/account", "/members", "/invitations", "/webhooks", "/api-keys", "/messages"] {
            all.push(ada.get(path).await?.body);
        }
        let session = ada.get(&format!("/sessions/{}", things.id("sessions", "id")?)).await?.body;
        all.push(json!([session["id"], session["name"], session["settings"], session["status"]]));
        Ok(all)
    };
    eventually("the message on the phone", || async {
        let listed = ada.all("/messages").await?;
        Ok(listed.iter().any(|message| message["status"] == "delivered").then_some(()))
    })
    .await?;
    let was = before().await?;
    // Whoever calls goes on: a sign-out or another name of their own is nothing of ours.
    let walked: Vec<&Operation> = operations
        .iter()
        .filter(|operation| !["auth", "me", "account"].contains(&operation.tag.as_str()))
        .filter(|operation| operation.reads_all() || is_a_tenants(operation) || !operation.has_id())
        .collect();
    let ids: Vec<&String> = things.ids.values().collect();
    let mut walk = Walk(0x0057_6178_7769_6e67);
    for step in 0..STEPS {
        let operation = *walk.one(&walked)?;
        let resource = operation.path.split('/').nth(1).context("a resource")?;
        let wild = walk.below(4)? == 0;
        let stray = (*walk.one(&ids)?).clone();
        let mut path =
            operation.at(|name| if wild { Ok(stray.clone()) } else { things.id(resource, name) })?;
        if operation.method == Method::GET && walk.below(2)? == 0 {
            let parameter = *walk.one(&["session_id", "cursor", "member", "chat"])?;
            path = format!("{path}?{parameter}={}", walk.one(&ids)?);
        }
        let mut body = things.body(operation);
        if walk.below(2)? == 0 {
            let references = things.references()?;
            body = walk.one(&references)?.1.clone();
        }
        let client = if walk.below(2)? == 0 { &carl } else { &carls_key };
        let answer = operation.call(client, &path, body.clone()).await?;
        // What was asked for may be named in the answer.
        let asked = format!("{path} {body}");
        let unasked: Vec<&str> =
            things.secrets().into_iter().filter(|secret| !asked.contains(secret)).collect();
        holds_none(&answer, &unasked, &format!("step {step}, {} {path}", operation.id))?;
        // Their own network has no phone, no session and no group until they make one.
        let names_ours = is_a_tenants(operation) && !wild;
        ensure!(
            !names_ours || matches!(answer.status, 404 | 422),
            "step {step}, {} {path}: {answer:?}",
            operation.id
        );
    }
    ensure!(before().await? == was, "something of ours changed");
    waxwing.stop().await.map(drop)
}
