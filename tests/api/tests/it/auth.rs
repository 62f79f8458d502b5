//! Users, from the registration to the last sign-out.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use waxwing_tests_api::{Answer, Client, Waxwing, eventually};

pub const PASSWORD: &str = "correct horse";

pub fn is(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status && answer.body["code"] == code, "expected {status} {code}: {answer:?}");
    Ok(())
}

pub fn text<'a>(answer: &'a Answer, field: &str) -> Result<&'a str> {
    answer.body[field].as_str().with_context(|| format!("{field} in {answer:?}"))
}

/// A client that sends no valid credential.
pub fn stranger(client: &Client) -> Client {
    client.with_key("none")
}

async fn register(client: &Client, email: &str) -> Result<Answer> {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    stranger(client).post("/auth/register", body).await
}

pub async fn login(client: &Client, email: &str, password: &str) -> Result<Answer> {
    stranger(client).post("/auth/login", json!({ "email": email, "password": password })).await
}

async fn refresh(client: &Client, token: &str) -> Result<Answer> {
    stranger(client).post("/auth/refresh", json!({ "refresh_token": token })).await
}

/// The token of the newest mail to this address, which the operator's key sees.
pub async fn mailed(operator: &Client, to: &str, subject: &str) -> Result<String> {
    mailed_token(operator, (to, subject), "").await
}

/// The token that begins like this, of a mail to this address about this subject.
async fn mailed_token(operator: &Client, (to, subject): (&str, &str), start: &str) -> Result<String> {
    eventually("a mail", || async {
        let mails = operator.get("/admin/mail").await?;
        ensure!(mails.status == 200, "{mails:?}");
        let all = mails.body["data"].as_array().context("mails")?;
        let mail = all.iter().find(|mail| {
            let is_about = mail["subject"].as_str().is_some_and(|text| text.contains(subject));
            mail["to"] == to
                && is_about
                && mail["token"].as_str().is_none_or(|token| token.starts_with(start))
        });
        let Some(mail) = mail else { return Ok(None) };
        let token = mail["token"].as_str().context("a token")?;
        for body in ["text", "html"] {
            ensure!(mail[body].as_str().is_some_and(|text| text.contains(token)), "{mail}");
        }
        ensure!(mail["created_at"].is_string());
        Ok(Some(token.to_owned()))
    })
    .await
}

pub async fn verified(client: &Client, email: &str) -> Result<()> {
    let made = register(client, email).await?;
    ensure!(made.status == 201, "{made:?}");
    // A user who is gone may have had the address, and the mails to that one are still listed.
    let id = made.body["user"]["id"].as_str().and_then(|id| id.strip_prefix("usr_")).context("an id")?;
    let token = mailed_token(client, (email, "Confirm"), id).await?;
    let confirmed = stranger(client).post("/auth/verify-email", json!({ "token": token })).await?;
    ensure!(confirmed.status == 200, "{confirmed:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_registers_signs_in_stays_and_leaves() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let made = register(&operator, "ada@example.com").await?;
    ensure!(made.status == 201 && made.body["user"]["email"] == "ada@example.com", "{made:?}");
    ensure!(!made.body.to_string().contains(PASSWORD) && made.body["role"] == "owner");
    is(&register(&operator, "ADA@example.com").await?, 409, "email_taken")?;
    is(&login(&operator, "ada@example.com", PASSWORD).await?, 403, "email_not_verified")?;

    let token = mailed(&operator, "ada@example.com", "Confirm").await?;
    let nobody = stranger(&operator);
    let verify = || nobody.post("/auth/verify-email", json!({ "token": token }));
    ensure!(verify().await?.status == 200);
    let again = verify().await?;
    ensure!(again.status == 422 && again.body["errors"][0]["pointer"] == "/token", "{again:?}");

    let tokens = login(&operator, "ada@example.com", PASSWORD).await?;
    ensure!(tokens.status == 200 && tokens.body["token_type"] == "Bearer", "{tokens:?}");
    ensure!(tokens.body["expires_in_s"] == 900, "{tokens:?}");
    let ada = operator.with_key(text(&tokens, "access_token")?);
    let me = ada.get("/me").await?;
    ensure!(me.status == 200 && me.body["user"]["email_verified"] == true, "{me:?}");
    ensure!(me.body["account"]["id"] == made.body["account"]["id"] && me.body["role"] == "owner", "{me:?}");
    ensure!(me.body["credential"] == "access_token" && me.body["api_key"] == Value::Null, "{me:?}");
    let session = ada.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    ensure!(session.status == 201, "an owner may do everything: {session:?}");
    let path = format!("/sessions/{}", text(&session, "id")?);
    ensure!(operator.get(&path).await?.status == 404, "accounts see their own");
    is(&ada.get("/admin/mail").await?, 403, "forbidden")?;

    let next = refresh(&operator, text(&tokens, "refresh_token")?).await?;
    ensure!(next.status == 200, "{next:?}");
    let ada = operator.with_key(text(&next, "access_token")?);
    ensure!(ada.get("/me").await?.status == 200);
    is(&refresh(&operator, text(&tokens, "refresh_token")?).await?, 401, "unauthorized")?;
    is(&refresh(&operator, text(&next, "refresh_token")?).await?, 401, "unauthorized")?;
    is(&ada.get("/me").await?, 401, "unauthorized")?;

    let again = |email: &'static str| nobody.post("/auth/resend-verification", json!({ "email": email }));
    let (known, unknown) = (again("ada@example.com").await?, again("nobody@example.com").await?);
    ensure!(known.status == 202 && unknown.status == 202 && known.body == unknown.body, "{known:?}");
    let forgot = |email: &'static str| nobody.post("/auth/forgot-password", json!({ "email": email }));
    let (known, unknown) = (forgot("ada@example.com").await?, forgot("nobody@example.com").await?);
    ensure!(known.status == 202 && unknown.status == 202 && known.body == unknown.body, "{known:?}");
    let token = mailed(&operator, "ada@example.com", "password").await?;
    let reset = |password: &'static str| {
        nobody.post("/auth/reset-password", json!({ "token": token, "password": password }))
    };
    let weak = reset("short").await?;
    ensure!(weak.status == 422 && weak.body["errors"][0]["pointer"] == "/password", "{weak:?}");
    ensure!(reset("battery staple").await?.status == 200);
    ensure!(reset("battery staple").await?.status == 422, "good once");
    is(&login(&operator, "ada@example.com", PASSWORD).await?, 401, "invalid_credentials")?;
    let tokens = login(&operator, "ada@example.com", "battery staple").await?;
    let ada = operator.with_key(text(&tokens, "access_token")?);
    ensure!(ada.post("/auth/logout", json!({})).await?.status == 204);
    is(&ada.get("/me").await?, 401, "unauthorized")?;
    is(&refresh(&operator, text(&tokens, "refresh_token")?).await?, 401, "unauthorized")?;
    is(&ada.post("/auth/logout", json!({})).await?, 401, "unauthorized")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn what_a_registration_lacks_is_named_and_strangers_learn_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let whole = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    for (field, value) in [
        ("email", json!("ada")),
        ("email", json!(7)),
        ("password", json!("1234567")),
        ("password", json!("abcd".repeat(33))),
        ("password", json!("ada@example.com")),
        ("name", json!(" ")),
        ("name", json!("x".repeat(101))),
        ("colour", json!("red")),
    ] {
        let mut body = whole.clone();
        body[field] = value;
        let answer = stranger(&operator).post("/auth/register", body).await?;
        let pointer = format!("/{field}");
        ensure!(answer.status == 422 && answer.body["errors"][0]["pointer"] == pointer, "{answer:?}");
    }
    verified(&operator, "ada@example.com").await?;
    let (mut known, mut unknown) = (
        login(&operator, "ada@example.com", "battery staple").await?,
        login(&operator, "nobody@example.com", "battery staple").await?,
    );
    is(&known, 401, "invalid_credentials")?;
    for answer in [&mut known, &mut unknown] {
        answer.body["request_id"] = Value::Null;
    }
    ensure!(known.body == unknown.body, "{known:?} {unknown:?}");
    let wrong = stranger(&operator).post("/auth/verify-email", json!({ "token": "x".repeat(69) })).await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/token", "{wrong:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn tokens_that_we_did_not_sign_are_refused() -> Result<()> {
    let (ours, theirs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let waxwing = Waxwing::start(ours.path()).await?;
    let operator = waxwing.client()?;
    verified(&operator, "ada@example.com").await?;
    let tokens = login(&operator, "ada@example.com", PASSWORD).await?;
    let token = text(&tokens, "access_token")?;
    let mut parts = token.split('.');
    let (header, claims) = (parts.next().context("a header")?, parts.next().context("claims")?);
    let signature = parts.next().context("a signature")?;
    ensure!(operator.with_key(token).get("/me").await?.status == 200);
    // {"typ":"JWT","alg":"none","kid":"1"}
    let none = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIiwia2lkIjoiMSJ9";
    for forged in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!("{header}.{header}.{signature}"),
    ] {
        is(&operator.with_key(&forged).get("/me").await?, 401, "unauthorized")?;
    }
    // Another installation has another key.
    let other = Waxwing::start(theirs.path()).await?;
    is(&other.client()?.with_key(token).get("/me").await?, 401, "unauthorized")?;
    // The same one after a restart has the same.
    waxwing.stop().await?;
    let waxwing = Waxwing::start(ours.path()).await?;
    ensure!(waxwing.client()?.with_key(token).get("/me").await?.status == 200);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn the_first_admin_signs_in_and_a_key_says_what_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let file: Value = serde_json::from_slice(&std::fs::read(folder.path().join("credentials.json"))?)?;
    let credential = |name: &str| file[name].as_str().context("a credential").map(str::to_owned);
    let tokens = login(&operator, &credential("admin_email")?, &credential("admin_password")?).await?;
    let admin = operator.with_key(text(&tokens, "access_token")?);
    ensure!(admin.get("/admin/mail").await?.status == 200, "the operator's account");
    let me = operator.get("/me").await?;
    ensure!(me.status == 200 && me.body["credential"] == "api_key", "{me:?}");
    ensure!(me.body["account"]["id"] == operator.account_id() && me.body["user"] == Value::Null, "{me:?}");
    let key = &me.body["api_key"];
    ensure!(key["mode"] == "test" && key["scopes"] == json!(["*"]) && key["key"] == Value::Null, "{me:?}");
    let out = operator.raw(Method::POST, "/api/v1/auth/logout", &[], None).await?;
    is(&out, 403, "forbidden")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn registration_is_limited_and_can_be_closed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let mut tries = JoinSet::new();
    for number in 0..40 {
        let client = operator.clone();
        tries.spawn(async move {
            // A client that names another address each time is not believed.
            let forwarded = format!("198.51.100.{number}");
            let headers = [("authorization", "none"), ("x-forwarded-for", forwarded.as_str())];
            let email = format!("{number}@example.com");
            let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
            client.post_with("/auth/register", &headers, body).await
        });
    }
    let answers = tries.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    ensure!(made.len() >= 20 && !refused.is_empty(), "{} and {}", made.len(), refused.len());
    for answer in refused {
        is(answer, 429, "rate_limited")?;
        let wait: u32 = answer.headers["retry-after"].to_str()?.parse()?;
        ensure!((1..=60).contains(&wait), "{answer:?}");
    }
    waxwing.stop().await?;
    let waxwing = Waxwing::start_with(folder.path(), &["--registration", "closed"]).await?;
    is(&register(&waxwing.client()?, "late@example.com").await?, 403, "registration_closed")?;
    waxwing.stop().await.map(drop)
}
