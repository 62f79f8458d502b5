//! What users change about themselves, and mails by way of a mail server.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_api::{Client, MailServer, Waxwing, eventually};

use crate::auth::{PASSWORD, is, login, mailed, stranger, text, verified};

const EMAIL: &str = "ada@example.com";

async fn signed_in(operator: &Client) -> Result<Client> {
    verified(operator, EMAIL).await?;
    let tokens = login(operator, EMAIL, PASSWORD).await?;
    Ok(operator.with_key(text(&tokens, "access_token")?))
}

/// What the app of this secret shows, so many half minutes from now.
#[expect(clippy::disallowed_methods, reason = "authenticator apps go by the clock")]
fn code(secret: &str, steps: u64) -> Result<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let totp = totp_rs::Builder::new()
        .with_secret(totp_rs::Secret::try_from_base32(secret).context("base32")?)
        .with_account_name("x")
        .build()
        .context("a factor")?;
    Ok(totp.generate(now + steps * 30).to_string())
}

#[tokio::test]
async fn a_user_changes_name_password_and_address() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = signed_in(&operator).await?;
    let renamed = ada.patch("/me", json!({ "name": "Countess" })).await?;
    ensure!(renamed.status == 200 && renamed.body["user"]["name"] == "Countess", "{renamed:?}");
    let nameless = ada.patch("/me", json!({ "name": " " })).await?;
    ensure!(nameless.status == 422 && nameless.body["errors"][0]["pointer"] == "/name", "{nameless:?}");
    is(&operator.patch("/me", json!({ "name": "x" })).await?, 403, "no_user")?;

    let change = |password: &'static str, new: &'static str| {
        ada.post("/me/password", json!({ "password": password, "new_password": new }))
    };
    is(&change("wrong horse", "battery staple").await?, 403, "wrong_password")?;
    let weak = change(PASSWORD, "password").await?;
    ensure!(weak.status == 422 && weak.body["errors"][0]["pointer"] == "/new_password", "{weak:?}");
    let tokens = change(PASSWORD, "battery staple").await?;
    ensure!(tokens.status == 200, "{tokens:?}");
    is(&ada.get("/me").await?, 401, "unauthorized")?;
    let ada = operator.with_key(text(&tokens, "access_token")?);

    let to = "ada@example.org";
    let asked = ada.post("/me/email", json!({ "email": to, "password": "battery staple" })).await?;
    ensure!(asked.status == 202, "{asked:?}");
    let (old, new) =
        (mailed(&operator, EMAIL, "is to change").await?, mailed(&operator, to, "new address").await?);
    let nobody = stranger(&operator);
    let confirm = |token: String| nobody.post("/auth/confirm-email-change", json!({ "token": token }));
    let first = confirm(old).await?;
    ensure!(first.status == 200 && first.body["email_changed"] == false, "{first:?}");
    let second = confirm(new.clone()).await?;
    ensure!(second.status == 200 && second.body["email_changed"] == true, "{second:?}");
    ensure!(confirm(new).await?.status == 422, "good once");
    is(&login(&operator, EMAIL, "battery staple").await?, 401, "invalid_credentials")?;
    ensure!(login(&operator, to, "battery staple").await?.status == 200);

    ensure!(ada.get("/me").await?.body["user"]["email"] == to);
    ensure!(ada.post("/auth/logout-all", json!({})).await?.status == 204);
    is(&ada.get("/me").await?, 401, "unauthorized")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_second_factor_is_set_up_needed_and_taken_away() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = signed_in(&operator).await?;
    is(&ada.post("/me/totp/confirm", json!({ "code": "123456" })).await?, 409, "conflict")?;
    let offer = ada.post("/me/totp", json!({ "password": PASSWORD })).await?;
    let secret = text(&offer, "secret")?;
    ensure!(offer.status == 201 && text(&offer, "otpauth_url")?.contains(secret), "{offer:?}");
    ensure!(ada.get("/me").await?.body["user"]["totp_enabled"] == false, "not before the first code");
    let wrong = ada.post("/me/totp/confirm", json!({ "code": "12345" })).await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/code", "{wrong:?}");
    let enabled = ada.post("/me/totp/confirm", json!({ "code": code(secret, 0)? })).await?;
    let codes = enabled.body["recovery_codes"].as_array().context("codes")?;
    ensure!(enabled.status == 200 && codes.len() == 10, "{enabled:?}");
    ensure!(ada.get("/me").await?.body["user"]["totp_enabled"] == true);

    is(&login(&operator, EMAIL, PASSWORD).await?, 401, "totp_required")?;
    let with = |code: String| {
        let body = json!({ "email": EMAIL, "password": PASSWORD, "totp": code });
        let nobody = stranger(&operator);
        async move { nobody.post("/auth/login", body).await }
    };
    is(&with("000000".to_owned()).await?, 401, "invalid_totp")?;
    ensure!(with(code(secret, 1)?).await?.status == 200);
    let recovery = |index: usize| codes[index].as_str().unwrap_or_default().to_owned();
    ensure!(with(recovery(0)).await?.status == 200);
    is(&with(recovery(0)).await?, 401, "invalid_totp")?;
    let disable = json!({ "password": PASSWORD, "code": recovery(1) });
    ensure!(ada.post("/me/totp/disable", disable).await?.status == 204);
    ensure!(login(&operator, EMAIL, PASSWORD).await?.status == 200);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn mails_go_to_the_mail_server_once_also_one_that_is_busy_at_first() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = MailServer::start(2).await?;
    let flags = ["--smtp-url", &server.url, "--mail-from", "Waxwing <waxwing@example.com>"];
    let waxwing = Waxwing::start_with(folder.path(), &flags).await?;
    let operator = waxwing.client()?;
    let body = json!({ "email": EMAIL, "password": PASSWORD, "name": "Ada" });
    ensure!(stranger(&operator).post("/auth/register", body).await?.status == 201);
    let mail = eventually("the mail", async || Ok(server.mails().into_iter().next())).await?;
    ensure!(mail.to == EMAIL && mail.text.contains("From: Waxwing <waxwing@example.com>"), "{mail:?}");
    ensure!(mail.text.contains("Subject: Confirm your address"), "{mail:?}");
    ensure!(mail.text.contains("text/plain") && mail.text.contains("text/html"), "{mail:?}");
    let token = mail.text.lines().find(|line| line.len() == 69 && !line.contains(' ')).context("a token")?;
    let confirmed = stranger(&operator).post("/auth/verify-email", json!({ "token": token })).await?;
    ensure!(confirmed.status == 200, "{confirmed:?}");
    let kept = operator.get("/admin/mail").await?;
    ensure!(kept.body["data"] == json!([]), "it is not kept besides: {kept:?}");
    waxwing.stop().await?;
    let again = Waxwing::start_with(folder.path(), &flags).await?;
    ensure!(login(&again.client()?, EMAIL, PASSWORD).await?.status == 200);
    ensure!(server.mails().len() == 1, "{:?}", server.mails());
    again.stop().await.map(drop)
}
