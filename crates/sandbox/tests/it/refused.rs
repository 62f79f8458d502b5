//! What the network does not simulate is refused clearly, and nothing hangs.

use anyhow::Result;
use whatsapp_rust::Jid;
use whatsapp_rust::features::{CreateCommunityOptions, StatusSendOptions};
use whatsapp_rust::waproto::whatsapp::message::extended_text_message::FontType;

use crate::support::Served;

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

#[tokio::test]
async fn communities_newsletters_and_status_broadcasts_are_refused() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let own = client.client();
    // So that the client knows whose hidden address is whose.
    let id = client.send(CONTACT, "hello").await?;
    client.receipt(&id, "Delivered").await?;

    let refused = own.community().create(CreateCommunityOptions::new("Town")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("501"), "{refused:?}");
    let refused = own.newsletter().list_subscribed().await.unwrap_err();
    assert!(format!("{refused:?}").contains("501"), "{refused:?}");
    let recipients = [Jid::pn(CONTACT.trim_start_matches('+'))];
    let status = own.status();
    let sent = status
        .send_text("hello", 0xff00_0000, FontType::SYSTEM, &recipients, StatusSendOptions::default())
        .await?;
    assert_eq!(client.acknowledged(&sent.message_id).await?.as_deref(), Some("501"));

    // Everything else goes on.
    let id = client.send(CONTACT, "still here").await?;
    client.receipt(&id, "Delivered").await?;
    assert_eq!(contact.inbox().await?.len(), 2);
    Ok(())
}
