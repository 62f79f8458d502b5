use std::sync::Arc;

use anyhow::Result;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use waxwing_sandbox::{ManualClock, Options, Sandbox};

use crate::support::{START_MS, Served, TestClient, until};

#[tokio::test]
async fn a_scanned_client_connects_and_uploads_its_keys() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone("+15550001111").await?;
    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    client.pair(&phone).await?;
    assert_eq!(phone.companions().await?, [1]);
    until("one-time keys", || async { Ok((phone.pre_keys_left(1).await? > 0).then_some(())) }).await
}

#[tokio::test]
async fn a_code_is_refused_when_it_is_unknown_malformed_or_used() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone("+15550001111").await?;
    assert_eq!(phone.scan("nonsense").await.unwrap_err().code, "invalid_qr");
    let keys = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(phone.scan(&format!("2@unknown,{keys},{keys},{keys}")).await.unwrap_err().code, "qr_expired");
    let nobody = served.network().phone("+15559999999")?;
    assert_eq!(nobody.scan("x").await.unwrap_err().code, "phone_not_found");

    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    let code = client
        .expect(
            "code",
            |event| if let Event::PairingQrCode(code) = event { Some(code.code.clone()) } else { None },
        )
        .await?;
    phone.scan(&code).await?;
    assert_eq!(phone.scan(&code).await.unwrap_err().code, "qr_expired");
    Ok(())
}

#[tokio::test]
async fn a_phone_links_four_companions_and_no_fifth() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone("+15550001111").await?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(served.paired(&phone).await?);
    }
    let mut fifth = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    let code = fifth
        .expect(
            "code",
            |event| if let Event::PairingQrCode(code) = event { Some(code.code.clone()) } else { None },
        )
        .await?;
    assert_eq!(phone.scan(&code).await.unwrap_err().code, "companion_limit");
    Ok(())
}

#[tokio::test]
async fn a_paired_client_comes_back_and_a_second_login_replaces_the_first() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone("+15550001111").await?;
    let client = served.paired(&phone).await?;
    let backend = client.stop().await;

    let url = served.ws_url().await?;
    let mut again = TestClient::start(&url, Arc::clone(&backend)).await?;
    again.connected().await?;
    let mut second = TestClient::start(&url, backend).await?;
    second.connected().await?;
    again.expect("replacement", |event| matches!(event, Event::StreamReplaced(_)).then_some(())).await
}

#[tokio::test]
async fn a_client_that_knows_another_key_of_the_server_falls_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let phone = served.phone("+15550001111").await?;
    let backend = served.paired(&phone).await?.stop().await;
    let known = served.network().info().await?.root_key;
    served.kill();
    let db = until("the file to be free", || async {
        let db = rusqlite::Connection::open(folder.path().join("sandbox.db")).ok();
        Ok(db.filter(|db| db.execute("DELETE FROM meta", []).is_ok()))
    })
    .await?;
    drop(db);

    let clock = ManualClock::at(START_MS);
    let options = Options::new(clock.clock(), Arc::new(|| [77; 32]));
    let served = Served::serve(Sandbox::open(folder.path(), options)?, clock).await?;
    assert_ne!(served.network().info().await?.root_key, known);
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await
}
