//! Members of an account: invited, changed, removed, and what each role may do with the others.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing};

use crate::auth::{PASSWORD, is, login, mailed, stranger, text, verified};

pub const OWNER: &str = "ada@example.com";
const EVE: &str = "eve@example.com";

pub async fn send(client: &Client, method: Method, path: &str, body: Value) -> Result<Answer> {
    let headers = [("content-type", "application/json")];
    client.raw(method, &format!("/api/v1{path}"), &headers, Some(body.to_string().into_bytes())).await
}

async fn patch(client: &Client, path: &str, body: Value) -> Result<Answer> {
    send(client, Method::PATCH, path, body).await
}

async fn delete(client: &Client, path: &str) -> Result<Answer> {
    client.raw(Method::DELETE, &format!("/api/v1{path}"), &[], None).await
}

pub async fn signed_in(client: &Client, email: &str, password: &str) -> Result<Client> {
    let tokens = login(client, email, password).await?;
    Ok(client.with_key(text(&tokens, "access_token")?))
}

/// A user who registered, and owns an account.
pub async fn owner(operator: &Client, email: &str) -> Result<Client> {
    verified(operator, email).await?;
    signed_in(operator, email, PASSWORD).await
}

/// The token of the mail that follows from an invitation.
pub async fn invited(operator: &Client, inviter: &Client, email: &str, role: &str) -> Result<String> {
    let invitation = inviter.post("/invitations", json!({ "email": email, "role": role })).await?;
    ensure!(invitation.status == 201 && invitation.body["role"] == role, "{invitation:?}");
    mailed(operator, email, "invited").await
}

async fn accept(client: &Client, token: &str, more: Value) -> Result<Answer> {
    let mut body = json!({ "token": token });
    body.as_object_mut().context("a body")?.extend(more.as_object().context("fields")?.clone());
    stranger(client).post("/invitations/accept", body).await
}

async fn accept_anew(client: &Client, token: &str) -> Result<Answer> {
    accept(client, token, json!({ "name": "Eve", "password": PASSWORD })).await
}

/// A new user who belongs to the inviter's account only.
pub async fn member(operator: &Client, inviter: &Client, email: &str, role: &str) -> Result<Client> {
    let token = invited(operator, inviter, email, role).await?;
    let joined = accept_anew(operator, &token).await?;
    ensure!(joined.status == 200 && joined.body["role"] == role, "{joined:?}");
    signed_in(operator, email, PASSWORD).await
}

pub async fn user_id(client: &Client) -> Result<String> {
    let me = client.get("/me").await?;
    Ok(me.body["user"]["id"].as_str().with_context(|| format!("{me:?}"))?.to_owned())
}

fn wrong(answer: &Answer, pointer: &str) -> Result<()> {
    ensure!(answer.status == 422 && answer.body["errors"][0]["pointer"] == pointer, "{pointer}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn somebody_is_invited_joins_rises_falls_and_is_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, OWNER).await?;
    let token = invited(&operator, &ada, EVE, "developer").await?;
    let listed = ada.all("/invitations").await?;
    ensure!(listed.len() == 1 && listed[0]["email"] == EVE, "{listed:?}");
    ensure!(!json!(listed).to_string().contains(&token), "the token stands in the mail only");
    wrong(&accept(&operator, &token, json!({})).await?, "/name")?;
    wrong(&accept(&operator, &token, json!({ "name": "Eve" })).await?, "/password")?;
    wrong(&accept(&operator, &token, json!({ "name": "Eve", "password": "password" })).await?, "/password")?;
    wrong(&accept(&operator, &token, json!({ "name": " ", "password": PASSWORD })).await?, "/name")?;
    let joined = accept_anew(&operator, &token).await?;
    ensure!(joined.status == 200 && joined.body["role"] == "developer", "{joined:?}");
    ensure!(joined.body["user"]["email_verified"] == true, "the mail proved the address: {joined:?}");
    wrong(&accept_anew(&operator, &token).await?, "/token")?;
    ensure!(ada.all("/invitations").await?.is_empty());

    let tokens = login(&operator, EVE, PASSWORD).await?;
    let eve = operator.with_key(text(&tokens, "access_token")?);
    let me = eve.get("/me").await?;
    ensure!(
        me.body["role"] == "developer" && me.body["account"]["id"] == joined.body["account"]["id"],
        "{me:?}"
    );
    ensure!(me.body["accounts"].as_array().is_some_and(|all| all.len() == 1), "{me:?}");
    let session = |name: &'static str| eve.post("/sessions", json!({ "name": name, "start": false }));
    ensure!(session("first").await?.status == 201);
    is(&eve.get("/members").await?, 403, "forbidden")?;

    // What a member is counts at once.
    let (ada_id, eve_id) = (user_id(&ada).await?, user_id(&eve).await?);
    let (ada_path, eve_path) = (format!("/members/{ada_id}"), format!("/members/{eve_id}"));
    let changed = patch(&ada, &eve_path, json!({ "role": "viewer" })).await?;
    ensure!(
        changed.status == 200 && changed.body["role"] == "viewer" && changed.body["name"] == "Eve",
        "{changed:?}"
    );
    is(&session("second").await?, 403, "forbidden")?;
    ensure!(eve.get("/sessions").await?.status == 200);
    ensure!(patch(&ada, &eve_path, json!({ "role": "admin" })).await?.status == 200);
    let members = eve.all("/members").await?;
    let roles: Vec<_> = members.iter().map(|member| (&member["email"], &member["role"])).collect();
    ensure!(roles == [(&json!(OWNER), &json!("owner")), (&json!(EVE), &json!("admin"))], "{members:?}");
    wrong(&patch(&ada, &eve_path, json!({ "role": "king" })).await?, "/role")?;

    // Nobody makes another more than they are.
    for refused in [
        patch(&eve, &eve_path, json!({ "role": "owner" })).await?,
        patch(&eve, &ada_path, json!({ "role": "viewer" })).await?,
        delete(&eve, &ada_path).await?,
        eve.post("/invitations", json!({ "email": "bob@example.com", "role": "owner" })).await?,
    ] {
        is(&refused, 403, "role_too_high")?;
    }
    // The last owner stays.
    is(&delete(&ada, &ada_path).await?, 409, "last_owner")?;
    is(&patch(&ada, &ada_path, json!({ "role": "admin" })).await?, 409, "last_owner")?;

    // Who is removed is out at once.
    ensure!(delete(&ada, &eve_path).await?.status == 204);
    is(&eve.get("/me").await?, 401, "unauthorized")?;
    let refreshed = stranger(&operator)
        .post("/auth/refresh", json!({ "refresh_token": tokens.body["refresh_token"] }))
        .await?;
    is(&refreshed, 401, "unauthorized")?;
    is(&login(&operator, EVE, PASSWORD).await?, 403, "not_a_member")?;
    is(&delete(&ada, &eve_path).await?, 404, "not_found")?;
    is(&patch(&ada, &eve_path, json!({ "role": "viewer" })).await?, 404, "not_found")?;

    // And can come back, and go again.
    let invitation = ada.post("/invitations", json!({ "email": EVE, "role": "viewer" })).await?;
    ensure!(invitation.status == 201, "{invitation:?}");
    let again = waxwing_tests_api::eventually("another mail", async || {
        Ok(Some(mailed(&operator, EVE, "invited").await?).filter(|newest| *newest != token))
    })
    .await?;
    ensure!(accept(&operator, &again, json!({})).await?.status == 200, "a user is there already");
    let eve = signed_in(&operator, EVE, PASSWORD).await?;
    is(&delete(&eve, &ada_path).await?, 403, "forbidden")?;
    ensure!(delete(&eve, &eve_path).await?.status == 204, "everybody may go");
    is(&eve.get("/me").await?, 401, "unauthorized")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_user_of_two_accounts_chooses_one_at_sign_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let (ada, eve) = (owner(&operator, OWNER).await?, owner(&operator, EVE).await?);
    let of =
        async |client: &Client| -> Result<Value> { Ok(client.get("/account").await?.body["id"].clone()) };
    let (ours, theirs) = (of(&eve).await?, of(&ada).await?);
    let token = invited(&operator, &ada, EVE, "viewer").await?;
    ensure!(accept(&operator, &token, json!({})).await?.status == 200);
    let me = eve.get("/me").await?;
    let accounts: Vec<_> = me.body["accounts"]
        .as_array()
        .context("accounts")?
        .iter()
        .map(|one| (&one["id"], &one["role"]))
        .collect();
    ensure!(accounts == [(&ours, &json!("owner")), (&theirs, &json!("viewer"))], "{me:?}");
    ensure!(me.body["account"]["id"] == ours && me.body["role"] == "owner", "the sign-in is what it was");

    let to = |account: Value| {
        let body = json!({ "email": EVE, "password": PASSWORD, "account_id": account });
        let nobody = stranger(&operator);
        async move { nobody.post("/auth/login", body).await }
    };
    let guest = operator.with_key(text(&to(theirs.clone()).await?, "access_token")?);
    ensure!(of(&guest).await? == theirs && of(&signed_in(&operator, EVE, PASSWORD).await?).await? == ours);
    ensure!(guest.get("/me").await?.body["role"] == "viewer");
    is(&guest.post("/sessions", json!({ "name": "x", "start": false })).await?, 403, "forbidden")?;
    ensure!(eve.post("/sessions", json!({ "name": "x", "start": false })).await?.status == 201);
    ensure!(guest.all("/sessions").await?.is_empty(), "each sign-in sees its account only");
    is(&to(json!(operator.account_id())).await?, 403, "not_a_member")?;
    wrong(&to(json!("usr_1")).await?, "/account_id")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn an_invitation_leads_nobody_in_but_the_one_who_reads_the_mail() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, OWNER).await?;
    let invite = |email: &'static str, role: &'static str| {
        ada.post("/invitations", json!({ "email": email, "role": role }))
    };
    wrong(&invite("eve", "viewer").await?, "/email")?;
    wrong(&invite(EVE, "king").await?, "/role")?;
    is(&invite(OWNER, "viewer").await?, 409, "account_member")?;
    let token = invited(&operator, &ada, EVE, "viewer").await?;
    is(&invite("EVE@example.com", "admin").await?, 409, "already_invited")?;
    for forged in [
        "x".repeat(69),
        token.chars().rev().collect(),
        format!("{}{}", &token[..68], if token.ends_with('A') { 'B' } else { 'A' }),
        // The first account is another one.
        format!("{}{}", operator.account_id().trim_start_matches("acc_"), &token[26..]),
    ] {
        wrong(&accept_anew(&operator, &forged).await?, "/token")?;
    }
    let id = ada.all("/invitations").await?[0]["id"].as_str().context("an id")?.to_owned();
    ensure!(delete(&ada, &format!("/invitations/{id}")).await?.status == 204);
    is(&delete(&ada, &format!("/invitations/{id}")).await?, 404, "not_found")?;
    wrong(&accept_anew(&operator, &token).await?, "/token")?;
    ensure!(ada.all("/members").await?.len() == 1 && ada.all("/invitations").await?.is_empty());

    // Somebody else registered with the address and waits until its owner is let in.
    let mallory = json!({ "email": "bob@example.com", "password": "mallory waits", "name": "Bob" });
    ensure!(stranger(&operator).post("/auth/register", mallory).await?.status == 201);
    let token = invited(&operator, &ada, "bob@example.com", "viewer").await?;
    wrong(&accept(&operator, &token, json!({})).await?, "/name")?;
    ensure!(accept_anew(&operator, &token).await?.status == 200);
    is(&login(&operator, "bob@example.com", "mallory waits").await?, 401, "invalid_credentials")?;
    ensure!(login(&operator, "bob@example.com", PASSWORD).await?.status == 200);

    // The same request again is one invitation.
    let body = json!({ "email": "carl@example.com", "role": "viewer" });
    let headers = [("idempotency-key", "one")];
    let first = ada.post_with("/invitations", &headers, body.clone()).await?;
    let again = ada.post_with("/invitations", &headers, body).await?;
    ensure!(first.status == 201 && again.status == 201 && first.body == again.body, "{again:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_key_gives_no_more_than_its_maker_has() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, OWNER).await?;
    let eve = member(&operator, &ada, EVE, "developer").await?;
    let made = async |client: &Client, scopes: Value| {
        client.post("/api-keys", json!({ "name": "key", "mode": "test", "scopes": scopes })).await
    };
    for scope in ["*", "members:write", "account:write", "admin:read", "metrics:read"] {
        is(&made(&eve, json!(["messages:send", scope])).await?, 403, "forbidden")?;
    }
    ensure!(made(&eve, json!(["messages:send", "api_keys:write"])).await?.status == 201);
    let strong = made(&ada, json!(["*"])).await?;
    let rotate = format!("/api-keys/{}/rotate", text(&strong, "id")?);
    is(&eve.post(&rotate, json!({})).await?, 403, "forbidden")?;

    // A key decides about the roles that may do no more than the key.
    let invite = async |client: &Client, email: &str, role: &str| {
        client.post("/invitations", json!({ "email": email, "role": role })).await
    };
    let (narrow, strong) = (
        made(&ada, json!(["members:read", "members:write"])).await?,
        operator.with_key(text(&strong, "key")?),
    );
    let narrow = operator.with_key(text(&narrow, "key")?);
    is(&invite(&narrow, "one@example.com", "viewer").await?, 403, "role_too_high")?;
    ensure!(narrow.all("/members").await?.len() == 2);
    ensure!(invite(&strong, "one@example.com", "owner").await?.status == 201);
    let invitation = narrow.all("/invitations").await?[0]["id"].as_str().context("an id")?.to_owned();
    is(&delete(&narrow, &format!("/invitations/{invitation}")).await?, 403, "role_too_high")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn an_account_takes_another_name_and_mails_say_it_as_text() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, OWNER).await?;
    let eve = member(&operator, &ada, EVE, "viewer").await?;
    is(&patch(&eve, "/account", json!({ "name": "mine" })).await?, 403, "forbidden")?;
    wrong(&patch(&ada, "/account", json!({ "name": " " })).await?, "/name")?;
    let renamed = patch(&ada, "/account", json!({ "name": "<b>Ada</b>" })).await?;
    ensure!(renamed.status == 200 && renamed.body["name"] == "<b>Ada</b>", "{renamed:?}");
    ensure!(eve.get("/account").await?.body == renamed.body);
    invited(&operator, &ada, "bob@example.com", "viewer").await?;
    let mails = operator.get("/admin/mail").await?.body["data"].as_array().context("mails")?.clone();
    let mail = mails.iter().find(|mail| mail["to"] == "bob@example.com").context("the mail")?;
    let holds = |part: &str, what: &str| mail[part].as_str().is_some_and(|text| text.contains(what));
    ensure!(holds("text", "<b>Ada</b>") && holds("html", "&lt;b&gt;Ada") && !holds("html", "<b>"), "{mail}");
    waxwing.stop().await.map(drop)
}
