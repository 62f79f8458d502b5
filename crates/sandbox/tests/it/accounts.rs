//! What happens to whole accounts, as the clients of others see it.

use anyhow::{Context as _, Result};
use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore::types::events::{BusinessUpdateType, Event};
use waxwing_sandbox::{BusinessProfile, FaultRequest, NewGroup, PhoneHandle};
use whatsapp_rust::Jid;

use crate::support::{Served, TestClient, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";
const MOVED: &str = "+15550009999";

fn contact_jid() -> Jid {
    Jid::pn("15550002222")
}

async fn group_of(phone: &PhoneHandle) -> Result<String> {
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    Ok(phone.create_group(new).await?.jid)
}

/// Waits until the phone has got the message.
async fn got(phone: &PhoneHandle, id: &str, text: &str) -> Result<()> {
    let entry = until("the message", || async {
        Ok(phone.inbox().await?.into_iter().find(|entry| entry.whatsapp_id == id))
    })
    .await?;
    assert_eq!((entry.text.as_deref(), entry.copies), (Some(text), 1));
    Ok(())
}

#[tokio::test]
async fn a_person_who_changes_the_number_is_followed() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let mut companion = served.paired(&contact).await?;
    let group = group_of(&contact).await?;
    contact.send_text(OWNER, "hello").await?;
    client.texts(1).await?;
    let lid = served.network().create_phone(CONTACT, None).await?.0.lid;

    assert_eq!(contact.change_number(OWNER).await.err().map(|refusal| refusal.code), Some("number_taken"));
    let moved = contact.change_number(MOVED).await?;
    assert_eq!(contact.inbox().await.unwrap_err().code, "phone_not_found");
    companion.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await?;
    let (old, new, new_lid) = client
        .expect("number", |event| match event {
            Event::ContactNumberChanged(change) => Some((
                change.old_jid.to_string(),
                change.new_jid.to_string(),
                change.new_lid.as_ref().map(ToString::to_string),
            )),
            _ => None,
        })
        .await?;
    assert_eq!((old, new), (contact_jid().to_string(), "15550009999@s.whatsapp.net".to_owned()));
    assert_eq!(new_lid, Some(lid));
    let in_group = client
        .expect("number in the group", |event| match event {
            Event::GroupUpdate(update) => match &update.action {
                Action::Modify { participants } => Some(participants.first()?.jid.to_string()),
                _ => None,
            },
            _ => None,
        })
        .await?;
    assert_eq!(in_group, "15550009999@s.whatsapp.net");

    moved.send_text(OWNER, "from the new number").await?;
    moved.send_text(&group, "to the group").await?;
    assert_eq!(client.texts(2).await?, ["from the new number", "to the group"]);
    let id = client.send(MOVED, "to the new number").await?;
    client.receipt(&id, "Delivered").await?;
    got(&moved, &id, "to the new number").await
}

#[tokio::test]
async fn sessions_recover_when_a_person_registers_again() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let mut companion = served.paired(&contact).await?;
    let group = group_of(&contact).await?;
    let jid: Jid = group.parse()?;
    let id = client.send(CONTACT, "before").await?;
    got(&contact, &id, "before").await?;
    contact.send_text(OWNER, "before").await?;
    contact.send_text(&group, "to the group").await?;
    client.texts(2).await?;

    contact.register_again().await?;
    companion.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await?;
    let changed = client
        .expect("identity", |event| match event {
            Event::IdentityChange(change) => Some(change.user.user.to_string()),
            _ => None,
        })
        .await?;
    assert_eq!(changed, contact_jid().user.to_string());
    both_ways(&mut client, &contact, &jid, "after").await?;

    // A client that has not heard of it yet writes to the old identity.
    let silence = FaultRequest {
        kind: "delay".to_owned(),
        number: Some(OWNER.to_owned()),
        for_s: Some(60),
        delay_ms: Some(60_000),
        ..Default::default()
    };
    served.network().inject(silence).await?;
    contact.register_again().await?;
    let id = client.send(CONTACT, "to the old identity").await?;
    let in_group = client.client().send_text(jid.clone(), "to the old identity in the group").await?;
    served.advance(60_000);
    got(&contact, &id, "to the old identity").await?;
    got(&contact, &in_group.message_id, "to the old identity in the group").await?;

    // And one that was away.
    let backend = client.stop().await;
    contact.register_again().await?;
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    both_ways(&mut client, &contact, &jid, "after being away").await
}

async fn both_ways(client: &mut TestClient, contact: &PhoneHandle, group: &Jid, text: &str) -> Result<()> {
    let id = client.send(CONTACT, text).await?;
    got(contact, &id, text).await?;
    let id = client.client().send_text(group.clone(), text).await?.message_id;
    got(contact, &id, text).await?;
    contact.send_text(OWNER, text).await?;
    contact.send_text(&group.to_string(), text).await?;
    assert_eq!(client.texts(2).await?, [text, text]);
    Ok(())
}

#[tokio::test]
async fn a_business_says_what_it_is_until_it_is_a_persons_again() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_text(OWNER, "hello").await?;
    client.texts(1).await?;
    let own = client.client();
    assert!(own.get_business_profile(&contact_jid()).await?.is_none());

    let profile = BusinessProfile {
        description: "We mend boats".to_owned(),
        address: Some("1 Quay".to_owned()),
        email: Some("quay@example.org".to_owned()),
        websites: vec!["https://example.org".to_owned()],
        category: Some("Repairs".to_owned()),
    };
    contact.set_business(Some(profile)).await?;
    assert_eq!(told(&mut client).await?, BusinessUpdateType::ProfileUpdated);
    let shown = own.get_business_profile(&contact_jid()).await?.context("a profile")?;
    assert_eq!(shown.description, "We mend boats");
    assert_eq!(
        (shown.address.as_deref(), shown.email.as_deref()),
        (Some("1 Quay"), Some("quay@example.org"))
    );
    assert_eq!(shown.website, ["https://example.org"]);
    assert_eq!(shown.categories.first().map(|category| category.name.as_str()), Some("Repairs"));
    let people = [contact_jid(), Jid::pn("15550001111")];
    let known = own.contacts().is_on_whatsapp(&people).await?;
    let businesses: Vec<_> =
        known.iter().filter(|person| person.is_business).map(|person| person.jid.user.to_string()).collect();
    assert_eq!(businesses, [contact_jid().user.to_string()]);

    contact.set_business(None).await?;
    assert_eq!(told(&mut client).await?, BusinessUpdateType::RemovedAsBusiness);
    assert!(own.get_business_profile(&contact_jid()).await?.is_none());
    let long = BusinessProfile { description: "x".repeat(513), ..Default::default() };
    assert_eq!(contact.set_business(Some(long)).await.unwrap_err().code, "validation_failed");
    Ok(())
}

async fn told(client: &mut TestClient) -> Result<BusinessUpdateType> {
    client
        .expect("news of a business", |event| match event {
            Event::BusinessStatusUpdate(update) => Some(update.update_type),
            _ => None,
        })
        .await
}
