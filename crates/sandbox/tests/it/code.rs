use std::sync::Arc;

use anyhow::{Context, Result};
use wacore::pair_code::PairCodeOptions;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;

use crate::support::{Served, TestClient, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

async fn shown(client: &mut TestClient) -> Result<String> {
    // Only a connected client may ask, and it shows a code to scan as soon as it is.
    client.expect("connection", |event| matches!(event, Event::PairingQrCode(_)).then_some(())).await?;
    let options =
        PairCodeOptions { phone_number: OWNER.trim_start_matches('+').to_owned(), ..Default::default() };
    client.client().pair_with_code(options).await.context("a code to type in")
}

#[tokio::test]
async fn a_client_is_linked_by_the_code_that_it_shows() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    let code = shown(&mut client).await?;

    assert_eq!(owner.enter_code("0000").await.unwrap_err().pointer, Some("/code"));
    assert_eq!(contact.enter_code(&code).await.unwrap_err().code, "no_code_shown");
    let first = if code.starts_with('1') { "2" } else { "1" };
    let wrong = format!("{first}{}", &code[1..]);
    assert_eq!(owner.enter_code(&wrong).await.unwrap_err().code, "wrong_code");
    assert!(owner.companions().await?.is_empty());

    owner.enter_code(&code).await?;
    client.connected().await?;
    assert_eq!(owner.companions().await?, [1]);
    assert_eq!(owner.enter_code(&code).await.unwrap_err().code, "no_code_shown");
    client.send(CONTACT, "linked by code").await?;
    until("the text", || async { Ok((contact.inbox().await?.len() == 1).then_some(())) }).await
}

#[tokio::test]
async fn after_three_wrong_codes_the_client_is_told_to_show_another_one() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    let code = shown(&mut client).await?;
    let wrong = format!("{}{}", if code.starts_with('1') { "2" } else { "1" }, &code[1..]);
    for _ in 0..3 {
        assert_eq!(owner.enter_code(&wrong).await.unwrap_err().code, "wrong_code");
    }
    let by_hand = client
        .expect("refresh", |event| match event {
            Event::PairingCodeRefresh(refresh) => Some(refresh.force_manual),
            _ => None,
        })
        .await?;
    assert!(by_hand);
    assert_eq!(owner.enter_code(&code).await.unwrap_err().code, "no_code_shown");
    let options =
        PairCodeOptions { phone_number: OWNER.trim_start_matches('+').to_owned(), ..Default::default() };
    let another = client.client().pair_with_code(options).await?;
    owner.enter_code(&another).await?;
    client.connected().await
}

#[tokio::test]
async fn a_phone_with_four_companions_takes_no_code() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut companions = Vec::new();
    for _ in 0..4 {
        companions.push(served.paired(&owner).await?);
    }
    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    let code = shown(&mut client).await?;
    assert_eq!(owner.enter_code(&code).await.unwrap_err().code, "companion_limit");
    Ok(())
}
