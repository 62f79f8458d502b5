use anyhow::Result;
use wacore::iq::prekeys::DigestKeyBundleSpec;
use wacore::types::events::Event;
use waxwing_sandbox::{BehaviourChange, Reply};

use crate::support::{Served, TestClient, text, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

#[tokio::test]
async fn a_text_is_decrypted_acknowledged_delivered_and_read() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    contact.change_behaviour(BehaviourChange { read_after_ms: Some(Some(0)), ..Default::default() }).await?;
    let mut client = served.paired(&owner).await?;

    let id = client.send(CONTACT, "hello").await?;
    assert_eq!(client.acknowledged(&id).await?, None);
    client.receipt(&id, "Delivered").await?;
    client.receipt(&id, "Read").await?;

    let inbox = contact.inbox().await?;
    assert_eq!(inbox.len(), 1);
    assert_eq!(
        (inbox[0].text.as_deref(), inbox[0].from.as_str(), inbox[0].copies),
        (Some("hello"), OWNER, 1)
    );
    assert_eq!(inbox[0].received_at, "2026-09-21T14:13:20.000Z");
    let entry = &served.network().ledger().await?[0];
    assert_eq!((entry.accepted, entry.delivered, entry.read, entry.copies), (1, 1, 1, 1));
    assert!(owner.inbox().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn texts_go_both_ways_and_what_the_owner_sends_reaches_the_companion() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;

    let sent = contact.send_text(OWNER, "from the contact").await?;
    assert_eq!(client.texts(1).await?, ["from the contact"]);
    assert_eq!(owner.inbox().await?.len(), 1);
    until("the companion's receipt", || async {
        Ok(served
            .network()
            .ledger()
            .await?
            .iter()
            .any(|entry| entry.whatsapp_id == sent.whatsapp_id && entry.delivered == 2)
            .then_some(()))
    })
    .await?;

    owner.send_text(CONTACT, "from the owner's phone").await?;
    let (text, chat) = client
        .expect("own message", |event| {
            let own = event
                .messages()
                .find(|inbound| inbound.info.source.is_from_me && text(&inbound.message).is_some())?;
            Some((text(&own.message), own.info.source.chat.to_string()))
        })
        .await?;
    // The client names the chat by the address that hides the number, once it knows it.
    let info = served.network().create_phone(CONTACT, None).await?.0;
    assert!(chat == info.jid || chat == info.lid, "{chat}");
    assert_eq!(text.as_deref(), Some("from the owner's phone"));
    assert_eq!(contact.inbox().await?.len(), 1);

    client.send(CONTACT, "from the companion").await?;
    until("the third text", || async { Ok((contact.inbox().await?.len() == 2).then_some(())) }).await
}

#[tokio::test]
async fn a_repeated_id_is_one_entry_with_two_copies_and_one_answer() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    contact
        .change_behaviour(BehaviourChange { reply: Some(Some(Reply::Echo)), ..Default::default() })
        .await?;
    let mut client = served.paired(&owner).await?;

    client.send_with_id(CONTACT, "once", "3EB0AAAAAAAAAAAAAAAA01").await?;
    client.acknowledged("3EB0AAAAAAAAAAAAAAAA01").await?;
    client.send_with_id(CONTACT, "once", "3EB0AAAAAAAAAAAAAAAA01").await?;
    client.acknowledged("3EB0AAAAAAAAAAAAAAAA01").await?;
    client.send_with_id(CONTACT, "twice", "3EB0AAAAAAAAAAAAAAAA02").await?;

    // The echo of the second text would come after one of the copy.
    let mut echoes = client.texts(2).await?;
    echoes.sort();
    assert_eq!(echoes, ["once", "twice"]);
    let inbox = contact.inbox().await?;
    assert_eq!(inbox.iter().map(|entry| entry.copies).collect::<Vec<_>>(), [2, 1]);
    let ledger = served.network().ledger().await?;
    assert_eq!((ledger[0].accepted, ledger[0].copies), (2, 2));
    assert_eq!(ledger.iter().filter(|entry| entry.from == CONTACT).count(), 2);
    Ok(())
}

#[tokio::test]
async fn what_is_sent_while_the_client_is_away_arrives_in_order() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_text(OWNER, "0").await?;
    client.texts(1).await?;
    let backend = client.stop().await;

    for number in 1..=5 {
        contact.send_text(OWNER, &number.to_string()).await?;
    }
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    assert_eq!(client.texts(5).await?, ["1", "2", "3", "4", "5"]);
    Ok(())
}

#[tokio::test]
async fn a_one_time_key_is_used_up_when_somebody_new_writes() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let before =
        until("one-time keys", || async { Ok(Some(owner.pre_keys_left(1).await?).filter(|left| *left > 0)) })
            .await?;
    contact.send_text(OWNER, "first").await?;
    contact.send_text(OWNER, "second").await?;
    client.texts(2).await?;
    assert_eq!(owner.pre_keys_left(1).await?, before - 1);
    Ok(())
}

#[tokio::test]
async fn a_signed_key_that_was_rotated_is_used_from_then_on() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let own = client.client();
    let before = own.execute(DigestKeyBundleSpec::new()).await?;
    own.rotate_signed_pre_key().await?;
    let after = own.execute(DigestKeyBundleSpec::new()).await?;
    assert_ne!((before.skey_id, before.skey_pubkey), (after.skey_id, after.skey_pubkey));
    // Whoever begins now begins with what the network holds.
    contact.send_text(OWNER, "to the new key").await?;
    assert_eq!(client.texts(1).await?, ["to the new key"]);
    Ok(())
}

#[tokio::test]
async fn two_sessions_of_one_network_write_to_each_other() -> Result<()> {
    let served = Served::in_memory().await?;
    let (one, other) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut first = served.paired(&one).await?;
    let mut second = served.paired(&other).await?;

    let id = first.send(CONTACT, "from one client").await?;
    assert_eq!(second.texts(1).await?, ["from one client"]);
    first.receipt(&id, "Delivered").await?;
    second.send(OWNER, "from the other").await?;
    assert_eq!(first.texts(1).await?, ["from the other"]);
    until("both on the phones", || async {
        Ok((one.inbox().await?.len() == 1 && other.inbox().await?.len() == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn an_offline_phone_gets_its_messages_when_it_is_online_again() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    contact.change_behaviour(BehaviourChange { online: Some(false), ..Default::default() }).await?;
    let mut client = served.paired(&owner).await?;
    let id = client.send(CONTACT, "later").await?;
    client.acknowledged(&id).await?;
    assert!(contact.inbox().await?.is_empty());
    contact.change_behaviour(BehaviourChange { online: Some(true), ..Default::default() }).await?;
    client.receipt(&id, "Delivered").await?;
    assert_eq!(contact.inbox().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_message_to_a_number_without_a_phone_is_not_delivered() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let mut client = served.paired(&owner).await?;
    let known = client.client().contacts().is_on_whatsapp(&[whatsapp_rust::Jid::pn("15557777777")]).await?;
    assert!(known.iter().all(|answer| !answer.is_registered), "{known:?}");
    match client.send("+15557777777", "hello?").await {
        Ok(id) => assert_eq!(client.acknowledged(&id).await?.as_deref(), Some("404")),
        Err(error) => anyhow::bail!("the client refuses: {error:#}"),
    }
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_linked_later_gets_what_a_running_client_sends() -> Result<()> {
    let served = Served::in_memory().await?;
    let (one, other) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut first = served.paired(&one).await?;
    let id = first.send(CONTACT, "to the phone only").await?;
    first.receipt(&id, "Delivered").await?;
    let mut second = served.paired(&other).await?;
    // The client hears of the new device on its own time.
    first.expect("device list", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await?;
    first.send(CONTACT, "to both").await?;
    assert_eq!(second.texts(1).await?, ["to both"]);
    Ok(())
}

#[tokio::test]
async fn a_phone_that_lost_its_ratchet_asks_again_and_gets_the_message() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    contact
        .change_behaviour(BehaviourChange { reply: Some(Some(Reply::Echo)), ..Default::default() })
        .await?;
    let mut client = served.paired(&owner).await?;
    client.send(CONTACT, "first").await?;
    // After the answer the client no longer sends what a phone could begin a ratchet from.
    assert_eq!(client.texts(1).await?, ["first"]);
    contact.lose_ratchets().await?;
    client.send(CONTACT, "second").await?;
    assert_eq!(client.texts(1).await?, ["second"]);
    let ledger = served.network().ledger().await?;
    let second =
        ledger.iter().filter(|entry| entry.from == OWNER).nth(1).map(|entry| (entry.accepted, entry.copies));
    assert_eq!(second, Some((1, 1)));
    Ok(())
}
