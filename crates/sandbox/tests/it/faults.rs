use anyhow::Result;
use wacore::types::events::Event;
use waxwing_sandbox::FaultRequest;

use crate::support::{Served, TestClient};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

fn fault(kind: &str) -> FaultRequest {
    FaultRequest { kind: kind.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_logged_out_device_is_told_and_cannot_come_back() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let client = served.paired(&owner).await?;
    let backend = client.stop().await;
    served.network().inject(fault("log_out")).await?;
    assert!(owner.companions().await?.is_empty());
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await
}

#[tokio::test]
async fn a_connected_device_that_is_unlinked_is_logged_out() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = served.paired(&owner).await?;
    served.network().inject(fault("log_out")).await?;
    client.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await
}

#[tokio::test]
async fn a_dropped_connection_is_made_again() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = served.paired(&owner).await?;
    served.network().inject(fault("drop_connections")).await?;
    client.expect("disconnection", |event| matches!(event, Event::Disconnected(_)).then_some(())).await?;
    client.connected().await
}

#[tokio::test]
async fn an_outdated_and_a_restricted_client_are_told_so() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let client = served.paired(&owner).await?;
    let backend = client.stop().await;
    served.network().inject(fault("client_outdated")).await?;
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.expect("outdated", |event| matches!(event, Event::ClientOutdated(_)).then_some(())).await?;
    let backend = client.stop().await;
    served.network().inject(FaultRequest { for_s: Some(600), ..fault("restrict") }).await?;
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.expect("ban", |event| matches!(event, Event::TemporaryBan(_)).then_some(())).await?;
    assert_eq!(served.network().faults().await?.len(), 1);
    served.network().clear_faults().await?;
    assert!(served.network().faults().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_doubled_stanza_and_a_lost_acknowledgement_do_no_harm() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    served.network().inject(fault("duplicate")).await?;
    contact.send_text(OWNER, "doubled").await?;
    contact.send_text(OWNER, "single").await?;
    let mut texts = client.texts(2).await?;
    texts.sort();
    assert_eq!(texts, ["doubled", "single"]);

    served.network().inject(fault("lose_ack")).await?;
    let id = client.send(CONTACT, "unanswered").await?;
    client.receipt(&id, "Delivered").await?;
    client.send_with_id(CONTACT, "unanswered", &id).await?;
    assert_eq!(client.acknowledged(&id).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_fault_that_is_not_there_is_refused() -> Result<()> {
    let served = Served::in_memory().await?;
    for kind in ["delay", "anything"] {
        assert_eq!(served.network().inject(fault(kind)).await.unwrap_err().code, "not_supported");
    }
    Ok(())
}
