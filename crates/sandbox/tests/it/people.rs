use anyhow::{Context as _, Result};
use wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use wacore::store::traits::ProtocolStore as _;
use wacore::types::events::Event;
use wacore_binary::NodeRef;
use waxwing_sandbox::ProfileChange;
use whatsapp_rust::{Jid, NodeFilter};

use crate::support::{Served, TestClient, in_time, plain_http, text, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

fn contact_jid() -> Jid {
    Jid::pn("15550002222")
}

#[tokio::test]
async fn a_picture_is_set_told_shown_and_deleted() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    assert!(!matches!(
        client.client().contacts().get_profile_picture(&contact_jid(), false).await,
        Ok(Some(_))
    ));
    // Whoever has written with somebody is told.
    contact.send_text(OWNER, "hello").await?;
    client.texts(1).await?;
    let change = ProfileChange { picture: Some(Some("AQID".to_owned())), ..Default::default() };
    let id = contact.change_profile(change).await?.picture_id.context("an id")?;
    let told = client
        .expect("picture", |event| match event {
            Event::PictureUpdate(update) => Some((update.removed, update.picture_id.clone())),
            _ => None,
        })
        .await?;
    assert_eq!(told, (false, Some(id.clone())));
    let own = client.client();
    let shown = own.contacts().get_profile_picture(&contact_jid(), false).await?.context("a picture")?;
    assert_eq!(shown.id, id);
    let bytes = plain_http()?.get(shown.url.replacen("https", "http", 1)).send().await?.bytes().await?;
    assert_eq!(bytes.as_ref(), [1, 2, 3]);

    let info = own.contacts().get_user_info(&[contact_jid()]).await?;
    assert!(info.values().any(|info| info.picture_id.as_deref() == Some(id.as_str())), "{info:?}");

    own.profile().set_profile_picture(vec![9; 1_000]).await?;
    assert!(owner.profile().await?.picture_id.is_some());
    own.profile().remove_profile_picture().await?;
    assert_eq!(owner.profile().await?.picture_id, None);
    let wrong = ProfileChange { picture: Some(Some("?".to_owned())), ..Default::default() };
    assert_eq!(contact.change_profile(wrong).await.unwrap_err().pointer, Some("/picture"));
    Ok(())
}

#[tokio::test]
async fn what_people_say_about_themselves_is_shown_unless_they_hide_it() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let (client, other) = (served.paired(&owner).await?, served.paired(&contact).await?);
    other.client().profile().set_status_text("at sea").await?;
    assert_eq!(contact.profile().await?.about.as_deref(), Some("at sea"));
    // Words that look like an address stay words.
    let change = ProfileChange { about: Some("at sea, me@example.org".to_owned()), ..Default::default() };
    contact.change_profile(change).await?;
    let shown = client.client().contacts().get_user_info(&[contact_jid()]).await?;
    let status = shown.values().find_map(|info| info.status.clone());
    assert_eq!(status.as_deref(), Some("at sea, me@example.org"));

    let privacy = other.client();
    privacy.set_privacy_setting(PrivacyCategory::Status, PrivacyValue::None).await?;
    privacy.set_privacy_setting(PrivacyCategory::Profile, PrivacyValue::None).await?;
    let settings = privacy.fetch_privacy_settings().await?;
    let set = settings.settings.iter().find(|setting| setting.category == PrivacyCategory::Status);
    assert_eq!(set.map(|setting| setting.value.clone()), Some(PrivacyValue::None));
    let shown = client.client().contacts().get_user_info(&[contact_jid()]).await?;
    assert!(shown.values().all(|info| info.status.as_deref() != Some("at sea, me@example.org")), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn what_a_blocked_person_writes_is_not_delivered() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_text(OWNER, "before").await?;
    client.texts(1).await?;
    client.client().blocking().block(&contact_jid()).await?;
    assert_eq!(client.client().blocking().get_blocklist().await?.len(), 1);
    contact.send_text(OWNER, "while blocked").await?;
    client.client().blocking().unblock(&contact_jid()).await?;
    assert!(client.client().blocking().get_blocklist().await?.is_empty());
    contact.send_text(OWNER, "after").await?;
    assert_eq!(client.texts(1).await?, ["after"]);
    assert_eq!(owner.inbox().await?.len(), 2);
    let ledger = served.network().ledger().await?;
    assert_eq!((ledger[1].accepted, ledger[1].delivered, ledger[1].copies), (1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn the_own_devices_learn_whom_one_of_them_blocks_and_what_it_hides() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let (mut first, second) = (served.paired(&owner).await?, served.paired(&owner).await?);
    contact.send_text(OWNER, "hello").await?;
    first.texts(1).await?;
    let (first, second) = (first.client(), second.client());
    let news = || second.wait_for_node(NodeFilter::tag("notification").attr("type", "account_sync"));
    let mut known: Option<String> = None;
    for action in ["block", "unblock"] {
        let told = news();
        match action {
            "block" => first.blocking().block(&contact_jid()).await?,
            _ => first.blocking().unblock(&contact_jid()).await?,
        }
        let told = in_time("news of the list", told).await?;
        let list = told.get().get_optional_child("blocklist").context("the list")?;
        let item = list.get_optional_child("item").context("a person")?;
        let read =
            |node: &NodeRef<'_>, key: &str| node.get_attr(key).map(|value| value.as_str().into_owned());
        assert_eq!(read(item, "action").as_deref(), Some(action));
        // Each change is told apart by the list before it and the list after it.
        assert!(known.is_none() || read(list, "prev_dhash") == known);
        assert_ne!(read(list, "dhash"), read(list, "prev_dhash"));
        known = read(list, "dhash");
    }
    let told = news();
    first.set_privacy_setting(PrivacyCategory::Last, PrivacyValue::None).await?;
    let told = in_time("news of a setting", told).await?;
    let category = told.get().get_optional_child_by_tag(&["privacy", "category"]).context("a setting")?;
    assert!(category.get_attr("name").is_some_and(|name| name == "last"));
    assert!(category.get_attr("value").is_some_and(|value| value == "none"));
    Ok(())
}

#[tokio::test]
async fn who_is_written_to_gets_a_privacy_token() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let (client, other) = (served.paired(&owner).await?, served.paired(&contact).await?);
    client.send(CONTACT, "hello").await?;
    let (owner, _) = served.network().create_phone(OWNER, None).await?;
    let user = owner.lid.trim_end_matches("@lid").to_owned();
    until("the token", || async {
        let token = other.backend.get_tc_token(&user).await?;
        Ok(token.filter(|token| !token.token.is_empty()).map(drop))
    })
    .await
}

#[tokio::test]
async fn a_client_that_logs_out_is_unlinked() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let client = served.paired(&owner).await?;
    client.client().logout().await;
    until("the end of the link", || async { Ok(owner.companions().await?.is_empty().then_some(())) }).await?;
    let mut again = TestClient::start(&served.ws_url().await?, client.stop().await).await?;
    again.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await
}

#[tokio::test]
async fn a_name_that_a_client_gives_itself_is_the_phones_name() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let client = served.paired(&owner).await?;
    let mut other = served.paired(&contact).await?;
    client.client().profile().set_push_name("Ada").await?;
    until("the name", || async { Ok((owner.profile().await?.name.as_deref() == Some("Ada")).then_some(())) })
        .await?;
    client.send(CONTACT, "hello").await?;
    let name = other
        .expect("message", |event| {
            let inbound = event.messages().find(|inbound| text(&inbound.message).is_some())?;
            Some(inbound.info.push_name.to_string())
        })
        .await?;
    assert_eq!(name, "Ada");
    Ok(())
}

#[tokio::test]
async fn a_device_that_the_phone_unlinks_is_logged_out_and_the_others_learn_of_it() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    let (mut first, mut second) = (served.paired(&owner).await?, served.paired(&owner).await?);
    first.expect("link", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await?;
    owner.unlink(2).await?;
    second.expect("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await?;
    first.expect("unlink", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await?;
    assert_eq!(owner.companions().await?, [1]);
    assert_eq!(owner.unlink(2).await.unwrap_err().code, "device_not_found");
    Ok(())
}
