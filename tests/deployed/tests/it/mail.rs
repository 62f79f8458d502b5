//! Mails on the serverless shape: by SES, from a queue of their own.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::eventually;
use waxwing_tests_deployed::{
    emulator::{mails_to, verify_sender},
    logs,
    stack::MAIL_FROM,
};

use crate::shared::{QUIET, REFEED, stack};

#[tokio::test]
async fn a_mail_waits_until_ses_takes_the_sender_and_comes_once() -> Result<()> {
    let _quiet = QUIET.read().await;
    let (stack, email) = (stack().await?, "mailed@example.com");
    let client = stack.tenant("mailed")?;
    let asked = client.post("/auth/forgot-password", json!({ "email": email })).await?;
    ensure!(asked.status == 202, "{asked:?}");
    // SES refuses, and the mail is tried again.
    eventually("SES refused the mail", || async {
        Ok(logs::mention(stack, "mailer", "MessageRejected").await?.then_some(()))
    })
    .await?;
    assert_eq!(mails_to(stack, email).await?, [] as [Value; 0]);
    verify_sender(stack, MAIL_FROM).await?;
    let mail = eventually("the mail", || async { Ok(mails_to(stack, email).await?.pop()) }).await?;
    assert_eq!(mail["Source"], MAIL_FROM);
    let text = mail["BodyText"].as_str().context("the text")?;
    let token = text.lines().find(|line| line.len() > 30 && !line.contains(' ')).context("the token")?;
    let password = "a field of five barley stems";
    let reset = client.post("/auth/reset-password", json!({ "token": token, "password": password })).await?;
    ensure!(reset.status == 200, "{reset:?}");
    let login = client.post("/auth/login", json!({ "email": email, "password": password })).await?;
    ensure!(login.status == 200, "{login:?}");
    let _one = REFEED.lock().await;
    // The same commits once more: the next mail comes behind theirs, and theirs do not come again.
    let refed = stack.admin(&["refeed", "--since", "2026-01-01T00:00:00Z", "--consumer", "mail"])?;
    ensure!(refed.status.success(), "{}", String::from_utf8_lossy(&refed.stderr));
    let last = stack.tenant("mailed-last")?;
    last.post("/auth/forgot-password", json!({ "email": "mailed-last@example.com" })).await?;
    eventually("the last mail", || async { Ok(mails_to(stack, "mailed-last@example.com").await?.pop()) })
        .await?;
    assert_eq!(mails_to(stack, email).await?.len(), 1, "once");
    Ok(())
}
