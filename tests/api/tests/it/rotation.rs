//! Other keys for what is stored, by the command line: nobody notices.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing, binary, eventually};

use crate::auth::{PASSWORD, login, mailed, stranger, text, verified};

const SHOP: &str = "+15550001111";
const CUSTOMER: &str = "+15550002222";

/// `waxwing admin keys …`
fn keys(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    Ok(command.args(["admin", "keys"]).args(arguments).arg("--data-dir").arg(folder).output()?)
}

/// How many keys it says that it made or wrapped.
fn done(output: &Output) -> Result<u64> {
    ensure!(output.status.success(), "{output:?}");
    let printed: Value = serde_json::from_slice(&output.stdout)?;
    printed["data_keys"].as_u64().context("a number of keys")
}

/// The error text of what was refused.
fn refusal(output: &Output) -> Result<String> {
    ensure!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A text to the customer arrives.
async fn send(client: &Client, session: &str, words: &str) -> Result<()> {
    let body = json!({ "session_id": session, "to": CUSTOMER, "type": "text", "text": words });
    ensure!(client.post("/messages", body).await?.status == 202);
    eventually("the message in the inbox", async || {
        let inbox = client.all(&format!("/sandbox/phones/{CUSTOMER}/inbox")).await?;
        Ok(inbox.iter().any(|message| message["text"] == words).then_some(()))
    })
    .await
}

#[tokio::test]
async fn keys_are_rotated_while_the_server_runs_and_while_it_does_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let waxwing = Waxwing::start(folder).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", SHOP).await?;
    client.make_phone(CUSTOMER).await?;
    send(&client, &session, "before").await?;
    verified(&client, "ada@example.com").await?;
    let tokens = login(&client, "ada@example.com", PASSWORD).await?;
    let registered = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve" });
    ensure!(stranger(&client).post("/auth/register", registered).await?.status == 201);
    let proof = mailed(&client, "eve@example.com", "Confirm").await?;

    // The first account, Ada's and Eve's, their users and the first one's, and the system itself.
    ensure!(done(&keys(folder, &["rotate-data"])?)? == 7);
    ensure!(done(&keys(folder, &["rotate-data", "--account", client.account_id()])?)? == 1);
    send(&client, &session, "with another data key").await?;
    let nobody = keys(folder, &["rotate-data", "--account", "acc_00000000000000000000000009"])?;
    ensure!(refusal(&nobody)?.contains("not found"), "{nobody:?}");
    let running = refusal(&keys(folder, &["rotate-master"])?)?;
    ensure!(running.contains("only while the server is stopped"), "{running}");
    ensure!(running.contains(&format!("process {}", waxwing.pid())), "{running}");
    waxwing.stop().await?;

    let old = fs::read(folder.join("master.key"))?;
    ensure!(done(&keys(folder, &["rotate-data"])?)? == 7);
    let rotated = keys(folder, &["rotate-master"])?;
    // Three for each, and a fourth for the first account.
    ensure!(done(&rotated)? == 3 * 7 + 1, "{rotated:?}");
    ensure!(String::from_utf8_lossy(&rotated.stderr).contains("the old key only"), "{rotated:?}");
    let new = fs::read(folder.join("master.key"))?;
    ensure!(new != old && fs::metadata(folder.join("master.key"))?.permissions().mode() & 0o777 == 0o600);
    ensure!(!folder.join("master.key.new").exists());

    let waxwing = Waxwing::start(folder).await?;
    let client = waxwing.client()?;
    client.wait_status(&session, "connected").await?;
    send(&client, &session, "with another master key").await?;
    let listed = client.all("/messages").await?;
    for words in ["before", "with another data key", "with another master key"] {
        ensure!(listed.iter().any(|message| message["text"] == words), "{words}: {listed:?}");
    }
    let ada = client.with_key(text(&tokens, "access_token")?);
    ensure!(ada.get("/me").await?.status == 200, "who was signed in still is");
    let refresh = json!({ "refresh_token": text(&tokens, "refresh_token")? });
    ensure!(stranger(&client).post("/auth/refresh", refresh).await?.status == 200);
    let confirmed = stranger(&client).post("/auth/verify-email", json!({ "token": proof })).await?;
    ensure!(confirmed.status == 200, "a link of a mail works on: {confirmed:?}");
    waxwing.stop().await.map(drop)
}

#[test]
fn a_folder_without_an_installation_stays_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for command in ["rotate-data", "rotate-master"] {
        ensure!(refusal(&keys(folder.path(), &[command])?)?.contains("holds no installation"));
    }
    ensure!(fs::read_dir(folder.path())?.next().is_none());
    Ok(())
}
