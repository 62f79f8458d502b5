use anyhow::{Context as _, Result};
use waxwing_sandbox::{Content, FaultRequest, NewGroup};
use whatsapp_rust::{Jid, NodeFilter};

use crate::support::{Served, TestClient, in_time, text, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

fn corrupt(number: &str) -> FaultRequest {
    FaultRequest { kind: "corrupt".to_owned(), number: Some(number.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn a_damaged_message_comes_again_with_the_same_id_in_both_directions() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    client.send(CONTACT, "whole").await?;
    contact.send_text(OWNER, "whole").await?;
    client.texts(1).await?;

    served.network().inject(corrupt(CONTACT)).await?;
    assert_eq!(served.network().faults().await?[0].remaining, Some(1));
    let id = client.send(CONTACT, "damaged on the way out").await?;
    client.receipt(&id, "Delivered").await?;
    let inbox = contact.inbox().await?;
    let entry = inbox.iter().find(|entry| entry.whatsapp_id == id);
    assert_eq!(
        entry.map(|entry| (entry.text.as_deref(), entry.copies)),
        Some((Some("damaged on the way out"), 1))
    );
    assert!(served.network().faults().await?.is_empty());

    served.network().inject(corrupt(OWNER)).await?;
    let sent = contact.send_text(OWNER, "damaged on the way in").await?;
    let id = received(&mut client, "damaged on the way in").await?;
    assert_eq!(id, sent.whatsapp_id);
    let network = served.network();
    let ledger = until("the companion's receipt", || async {
        let ledger = network.ledger().await?;
        Ok(ledger.into_iter().find(|entry| entry.whatsapp_id == id && entry.delivered == 2))
    });
    assert_eq!(ledger.await?.accepted, 1);
    Ok(())
}

/// A receipt that asks for a message again.
fn request() -> NodeFilter {
    NodeFilter::tag("receipt").attr("type", "retry")
}

#[tokio::test]
async fn a_damaged_message_of_a_group_comes_again_with_the_same_id_after_one_request() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    let group = contact.create_group(new).await?.jid;
    let jid: Jid = group.parse()?;
    let own = client.client();
    // The first message brings the sender's key along, the second is the content alone.
    for text in ["with a key", "without a key"] {
        served.network().inject(corrupt(OWNER)).await?;
        let asked = own.wait_for_sent_node(request());
        let sent = contact.send_text(&group, text).await?;
        assert_eq!(received(&mut client, text).await?, sent.whatsapp_id);
        let asked = in_time("the request", asked).await?;
        let retry = asked.get_optional_child("retry").context("which time it asks")?;
        assert_eq!(retry.attrs.get("count").map(|count| count.as_str().into_owned()).as_deref(), Some("1"));
        assert!(served.network().faults().await?.is_empty());
    }
    for text in ["with its key", "without its key"] {
        served.network().inject(corrupt(CONTACT)).await?;
        let asked = own.wait_for_node(request());
        let id = own.send_text(jid.clone(), text).await?.message_id;
        in_time("the request", asked).await?;
        let entry = until("the message", || async {
            Ok(contact.inbox().await?.into_iter().find(|entry| entry.whatsapp_id == id))
        })
        .await?;
        assert_eq!((entry.text.as_deref(), entry.copies), (Some(text), 1));
        assert!(served.network().faults().await?.is_empty());
    }
    let ledger = served.network().ledger().await?;
    assert_eq!(ledger.len(), 4);
    assert!(ledger.iter().all(|entry| entry.accepted == 1 && entry.copies == 1), "{ledger:?}");
    assert_eq!(served.network().fault_counts().await?.get("corrupt"), Some(&4));
    Ok(())
}

#[tokio::test]
async fn a_phone_answers_reacts_edits_and_deletes_what_the_client_knows() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let question = client.send(CONTACT, "question").await?;
    client.receipt(&question, "Delivered").await?;

    let content = Content::Text { text: "answer".to_owned(), target: Some(question.clone()) };
    let answer = contact.send(OWNER, content).await?.whatsapp_id;
    assert_eq!(received(&mut client, "answer").await?, answer);
    for (content, target) in [
        (Content::Reaction { text: "👍".to_owned(), target: question.clone() }, &question),
        (Content::Edit { text: "better".to_owned(), target: answer.clone() }, &answer),
        (Content::Delete { target: answer.clone() }, &answer),
    ] {
        let kind = content.clone();
        let sent = contact.send(OWNER, content).await?.whatsapp_id;
        let about = client
            .expect("what follows", |event| {
                let message = event.messages().find(|inbound| inbound.info.id == sent)?;
                let key = match &kind {
                    Content::Reaction { .. } => &message.message.reaction_message.as_option()?.key,
                    _ => &message.message.protocol_message.as_option()?.key,
                };
                key.as_option()?.id.clone()
            })
            .await?;
        assert_eq!(&about, target);
        let inbox = owner.inbox().await?;
        assert_eq!(inbox.last().and_then(|entry| entry.target.as_ref()), Some(target));
    }
    let theirs = Content::Edit { text: "not mine".to_owned(), target: question };
    assert_eq!(contact.send(OWNER, theirs).await.unwrap_err().pointer, Some("/target"));
    Ok(())
}

/// Waits for a text, and gives its id.
async fn received(client: &mut TestClient, expected: &str) -> Result<String> {
    client
        .expect(expected, |event| {
            event
                .messages()
                .find(|inbound| text(&inbound.message).as_deref() == Some(expected))
                .map(|inbound| inbound.info.id.to_string())
        })
        .await
}
