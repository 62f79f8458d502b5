use anyhow::Result;
use wacore::types::events::Event;
use waxwing_sandbox::{BehaviourChange, FaultRequest};

use crate::support::{Served, TestClient, until};

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
async fn a_replaced_client_is_told_and_stays_away() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = served.paired(&owner).await?;
    served.network().inject(fault("replace")).await?;
    client.expect("replacement", |event| matches!(event, Event::StreamReplaced(_)).then_some(())).await
}

#[tokio::test]
async fn a_client_comes_back_after_refused_connections_and_an_unavailable_service() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = served.paired(&owner).await?;
    for kind in ["refuse_connections", "service_unavailable"] {
        served.network().inject(fault(kind)).await?;
        client.connected().await?;
        assert_eq!(served.network().fault_counts().await?.get(kind), Some(&1), "{kind}");
        assert!(served.network().faults().await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_delayed_stanza_comes_late_and_a_reordered_one_after_its_successor() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_text(OWNER, "zero").await?;
    client.texts(1).await?;

    served.network().inject(FaultRequest { delay_ms: Some(5_000), ..fault("delay") }).await?;
    contact.send_text(OWNER, "late").await?;
    contact.send_text(OWNER, "soon").await?;
    assert_eq!(client.texts(1).await?, ["soon"]);
    served.advance(5_000);
    assert_eq!(client.texts(1).await?, ["late"]);

    served.network().inject(fault("reorder")).await?;
    contact.send_text(OWNER, "first").await?;
    contact.send_text(OWNER, "second").await?;
    assert_eq!(client.texts(2).await?, ["second", "first"]);
    // Where nothing follows, it comes by itself.
    served.network().inject(fault("reorder")).await?;
    contact.send_text(OWNER, "alone").await?;
    served.advance(10_000);
    assert_eq!(client.texts(1).await?, ["alone"]);
    Ok(())
}

#[tokio::test]
async fn messages_to_somebody_who_never_answered_are_limited() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    served
        .network()
        .inject(FaultRequest { limit: Some(1), for_s: Some(600), ..fault("limit_unanswered") })
        .await?;
    let id = client.send(CONTACT, "one").await?;
    assert_eq!(client.acknowledged(&id).await?, None);
    let id = client.send(CONTACT, "two").await?;
    assert_eq!(client.acknowledged(&id).await?.as_deref(), Some("463"));
    contact.send_text(OWNER, "an answer").await?;
    client.texts(1).await?;
    let id = client.send(CONTACT, "three").await?;
    assert_eq!(client.acknowledged(&id).await?, None);
    client.receipt(&id, "Delivered").await?;
    assert_eq!(contact.inbox().await?.len(), 2);
    assert_eq!(served.network().faults().await?[0].struck, 1);
    Ok(())
}

#[tokio::test]
async fn without_one_time_keys_messages_still_arrive_and_the_client_makes_new_ones() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    until("one-time keys", || async { Ok((owner.pre_keys_left(1).await? > 0).then_some(())) }).await?;
    served.network().inject(fault("pre_keys_exhausted")).await?;
    assert_eq!(owner.pre_keys_left(1).await?, 0);
    contact.send_text(OWNER, "hello").await?;
    assert_eq!(client.texts(1).await?, ["hello"]);
    until("new keys", || async { Ok((owner.pre_keys_left(1).await? > 0).then_some(())) }).await
}

#[tokio::test]
async fn a_slow_phone_takes_its_time() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let slow =
        FaultRequest { number: Some(CONTACT.to_owned()), delay_ms: Some(5_000), ..fault("slow_phone") };
    served.network().inject(slow).await?;
    for text in ["one", "two"] {
        let id = client.send(CONTACT, text).await?;
        assert_eq!(client.acknowledged(&id).await?, None);
    }
    assert!(contact.inbox().await?.is_empty());
    served.advance(5_000);
    let inbox =
        until("the texts", || async { Ok(Some(contact.inbox().await?).filter(|inbox| inbox.len() == 2)) })
            .await?;
    assert_eq!(inbox[0].text.as_deref(), Some("one"));
    client.expect("receipt", |event| matches!(event, Event::Receipt(_)).then_some(())).await
}

#[tokio::test]
async fn a_phone_that_is_never_online_gets_nothing_until_the_fault_is_cleared() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let never = FaultRequest { number: Some(CONTACT.to_owned()), ..fault("never_online") };
    served.network().inject(never).await?;
    let id = client.send(CONTACT, "hello").await?;
    assert_eq!(client.acknowledged(&id).await?, None);
    for online in [false, true] {
        contact.change_behaviour(BehaviourChange { online: Some(online), ..Default::default() }).await?;
    }
    assert!(contact.inbox().await?.is_empty());
    let in_force = &served.network().faults().await?[0];
    assert!(in_force.struck > 0 && in_force.remaining.is_none());
    served.network().clear_fault(in_force.id).await?;
    client.receipt(&id, "Delivered").await?;
    assert_eq!(contact.inbox().await?.len(), 1);
    assert_eq!(served.network().clear_fault(in_force.id).await.unwrap_err().code, "fault_not_found");
    Ok(())
}

#[tokio::test]
async fn a_fault_that_is_not_there_is_refused() -> Result<()> {
    let served = Served::in_memory().await?;
    assert_eq!(served.network().inject(fault("anything")).await.unwrap_err().code, "not_supported");
    for (fault, pointer) in [
        (FaultRequest { delay_ms: Some(0), ..fault("delay") }, "/delay_ms"),
        (FaultRequest { delay_ms: Some(1), ..fault("duplicate") }, "/delay_ms"),
        (FaultRequest { limit: Some(1), ..fault("duplicate") }, "/limit"),
        (FaultRequest { limit: Some(-1), ..fault("limit_unanswered") }, "/limit"),
        (fault("never_online"), "/number"),
        (FaultRequest { count: Some(0), ..fault("lose_ack") }, "/count"),
        (FaultRequest { for_s: Some(0), ..fault("lose_ack") }, "/for_s"),
    ] {
        let refusal = served.network().inject(fault).await.unwrap_err();
        assert_eq!(refusal.pointer, Some(pointer), "{refusal}");
    }
    assert!(served.network().faults().await?.is_empty());
    Ok(())
}
