use anyhow::{Context as _, Result};
use wacore::iq::groups::ParticipantType;
use wacore::stanza::groups::GroupNotificationAction as Action;
use waxwing_sandbox::{BehaviourChange, GroupChange, GroupInfo, MemberChange, NewGroup, PhoneHandle, Reply};
use whatsapp_rust::Jid;
use whatsapp_rust::features::{GroupCreateOptions, GroupMetadata, GroupParticipantOptions};

use crate::support::{Served, TestClient, until, update};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";
const THIRD: &str = "+15550003333";

fn pn(number: &str) -> Jid {
    Jid::pn(number.trim_start_matches('+'))
}

fn members(named: &[&str]) -> Vec<GroupParticipantOptions> {
    named.iter().map(|number| GroupParticipantOptions::new(pn(number))).collect()
}

async fn made_by(client: &TestClient, subject: &str, with: &[&str]) -> Result<Jid> {
    let options =
        GroupCreateOptions::builder().subject(subject.to_owned()).participants(members(with)).build();
    Ok(client.client().groups().create_group(options).await?.metadata.id)
}

async fn made_by_phone(phone: &PhoneHandle, with: &[&str], mode: &str) -> Result<GroupInfo> {
    let participants = with.iter().map(|number| (*number).to_owned()).collect();
    let new = NewGroup {
        subject: "Club".to_owned(),
        participants,
        addressing_mode: Some(mode.to_owned()),
        ..Default::default()
    };
    Ok(phone.create_group(new).await?)
}

async fn texts_of(phone: &PhoneHandle, count: usize) -> Result<Vec<(String, String, String)>> {
    until("the texts in the inbox", || async {
        let inbox = phone.inbox().await?;
        Ok((inbox.len() >= count).then(|| {
            inbox.into_iter().map(|entry| (entry.from, entry.chat, entry.text.unwrap_or_default())).collect()
        }))
    })
    .await
}

#[tokio::test]
async fn a_client_makes_a_group_and_its_members_read_and_answer() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact, third) =
        (served.phone(OWNER).await?, served.phone(CONTACT).await?, served.phone(THIRD).await?);
    contact
        .change_behaviour(BehaviourChange { reply: Some(Some(Reply::Echo)), ..Default::default() })
        .await?;
    let mut client = served.paired(&owner).await?;
    let group = made_by(&client, "Club", &[CONTACT, THIRD]).await?;
    let id = client.client().send_text(group.clone(), "hello all").await?.message_id;
    assert_eq!(client.acknowledged(&id).await?, None);
    client.receipt(&id, "Delivered").await?;

    let chat = group.to_string();
    assert_eq!(
        texts_of(&third, 2).await?,
        [
            (OWNER.to_owned(), chat.clone(), "hello all".to_owned()),
            (CONTACT.to_owned(), chat.clone(), "hello all".to_owned()),
        ]
    );
    assert_eq!(client.texts(1).await?, ["hello all"]);
    // The second message brings no keys.
    client.client().send_text(group.clone(), "again").await?;
    assert_eq!(client.texts(1).await?, ["again"]);
    assert_eq!(texts_of(&contact, 2).await?[1].2, "again");
    // The phone of the client's owner decrypts it as well, and keeps what others wrote only.
    assert!(owner.inbox().await?.iter().all(|entry| entry.from == CONTACT && entry.chat == chat));

    let ledger = served.network().ledger().await?;
    let first: Vec<_> = ledger.iter().filter(|entry| entry.whatsapp_id == id).collect();
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|entry| entry.group.as_deref() == Some(&chat)
        && (entry.accepted, entry.delivered, entry.copies) == (1, 1, 1)));
    Ok(())
}

#[tokio::test]
async fn a_phone_writes_to_a_group_and_the_client_answers_in_both_addressing_modes() -> Result<()> {
    for mode in ["pn", "lid"] {
        let served = Served::in_memory().await?;
        let (owner, contact, third) =
            (served.phone(OWNER).await?, served.phone(CONTACT).await?, served.phone(THIRD).await?);
        let mut client = served.paired(&owner).await?;
        let group = made_by_phone(&contact, &[OWNER, THIRD], mode).await?;
        let created = update(&mut client, "new group", |action| match action {
            Action::Create { raw } => Some(raw.clone()),
            _ => None,
        })
        .await?;
        assert!(created.get_optional_child("group").is_some(), "{created:?}");

        for text in ["one", "two"] {
            contact.send_text(&group.jid, text).await?;
        }
        assert_eq!(client.texts(2).await?, ["one", "two"]);
        let jid: Jid = group.jid.parse()?;
        let metadata = client.client().groups().get_metadata(&jid).await?;
        assert_eq!((metadata.subject.as_str(), metadata.participants.len()), ("Club", 3));
        assert_eq!(metadata.addressing_mode.as_str(), mode);

        let id = client.client().send_text(jid, "from the client").await?.message_id;
        client.receipt(&id, "Delivered").await?;
        assert_eq!(texts_of(&third, 3).await?[2].2, "from the client");
        assert_eq!(texts_of(&contact, 1).await?[0].0, OWNER);
    }
    Ok(())
}

#[tokio::test]
async fn two_clients_of_one_group_write_to_each_other() -> Result<()> {
    let served = Served::in_memory().await?;
    let (one, other) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let (mut first, mut second) = (served.paired(&one).await?, served.paired(&other).await?);
    let group = made_by(&first, "Two", &[CONTACT]).await?;
    let id = first.client().send_text(group.clone(), "from the first").await?.message_id;
    assert_eq!(second.texts(1).await?, ["from the first"]);
    first.receipt(&id, "Delivered").await?;
    second.client().send_text(group, "from the second").await?;
    assert_eq!(first.texts(1).await?, ["from the second"]);
    Ok(())
}

#[tokio::test]
async fn members_come_rise_fall_and_go() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let third = served.phone(THIRD).await?;
    let client = served.paired(&owner).await?;
    let mut other = served.paired(&contact).await?;
    let group = made_by(&client, "Club", &[CONTACT]).await?;
    let groups = client.client();
    let groups = groups.groups();

    let added = groups.add_participants(&group, &[pn(THIRD), pn("+15557777777"), pn(CONTACT)]).await?;
    let errors: Vec<_> = added.iter().map(|answer| answer.error.as_deref()).collect();
    assert_eq!(errors, [None, Some("404"), Some("409")]);
    update(&mut other, "addition", |action| matches!(action, Action::Add { .. }).then_some(())).await?;
    groups.promote_participants(&group, &[pn(THIRD)]).await?;
    let role = |metadata: &GroupMetadata, number: &str| {
        metadata
            .participants
            .iter()
            .find(|member| member.jid.user == pn(number).user)
            .map(|member| member.participant_type)
    };
    let metadata = groups.get_metadata(&group).await?;
    assert_eq!(role(&metadata, OWNER), Some(ParticipantType::SuperAdmin));
    assert_eq!(role(&metadata, THIRD), Some(ParticipantType::Admin));
    groups.demote_participants(&group, &[pn(THIRD)]).await?;
    assert_eq!(role(&groups.get_metadata(&group).await?, THIRD), Some(ParticipantType::Member));
    groups.remove_participants(&group, &[pn(THIRD)]).await?;
    update(&mut other, "removal", |action| matches!(action, Action::Remove { .. }).then_some(())).await?;
    assert_eq!(third.groups(&Default::default()).await?.data, []);

    // Who is gone neither reads nor writes.
    client.client().send_text(group.clone(), "without the third").await?;
    assert_eq!(other.texts(1).await?, ["without the third"]);
    assert!(third.inbox().await?.is_empty());
    assert_eq!(third.send_text(&group.to_string(), "x").await.unwrap_err().code, "forbidden");
    // A member is no admin.
    assert!(other.client().groups().remove_participants(&group, &[pn(OWNER)]).await.is_err());

    groups.leave(&group).await?;
    update(&mut other, "departure", |action| matches!(action, Action::Remove { .. }).then_some(())).await?;
    assert!(groups.get_metadata(&group).await.is_err());
    let left = contact.group(&group.to_string()).await?;
    assert_eq!((left.participants.len(), left.participants[0].role.as_str()), (1, "superadmin"));
    Ok(())
}

#[tokio::test]
async fn subject_description_and_settings_are_set_told_and_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let group = made_by_phone(&contact, &[OWNER], "pn").await?;
    let jid: Jid = group.jid.parse()?;

    let change = GroupChange {
        subject: Some("Choir".to_owned()),
        description: Some("We sing: us@example.org".to_owned()),
        announcement: Some(true),
        locked: Some(true),
        ..Default::default()
    };
    contact.change_group(&group.jid, change).await?;
    let subject = update(&mut client, "subject", |action| match action {
        Action::Subject { subject, .. } => Some(subject.clone()),
        _ => None,
    })
    .await?;
    let description = update(&mut client, "description", |action| match action {
        Action::Description { description, .. } => Some(description.clone()),
        _ => None,
    })
    .await?;
    assert_eq!((subject.as_str(), description.as_deref()), ("Choir", Some("We sing: us@example.org")));
    update(&mut client, "lock", |action| matches!(action, Action::Locked { .. }).then_some(())).await?;
    update(&mut client, "announcement", |action| matches!(action, Action::Announce).then_some(())).await?;

    // The client is no admin: it may neither write nor change the subject.
    assert!(client.client().groups().set_locked(&jid, false).await.is_err());
    let id = client.client().send_text(jid.clone(), "x").await?.message_id;
    assert_eq!(client.acknowledged(&id).await?.as_deref(), Some("403"));
    let promote = MemberChange { action: "promote".to_owned(), participants: vec![OWNER.to_owned()] };
    contact.change_members(&group.jid, promote).await?;
    client.client().groups().set_announce(&jid, false).await?;
    let backend = client.stop().await;
    served.kill();

    let served = Served::in_folder(folder.path()).await?;
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    let metadata = client.client().groups().get_metadata(&jid).await?;
    assert_eq!(
        (metadata.subject.as_str(), metadata.description.as_deref()),
        ("Choir", Some("We sing: us@example.org"))
    );
    assert!(metadata.is_locked && !metadata.is_announcement);
    let participating = client.client().groups().get_participating().await?;
    assert!(participating.contains_key(&jid));
    client.client().send_text(jid, "as an admin").await?;
    let contact = served.network().phone(CONTACT)?;
    assert_eq!(texts_of(&contact, 1).await?[0].2, "as an admin");
    Ok(())
}

#[tokio::test]
async fn an_invite_link_lets_others_join_until_it_is_revoked() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let client = served.paired(&owner).await?;
    let mut other = served.paired(&contact).await?;
    let third = served.phone(THIRD).await?;
    let group = made_by(&client, "Open", &[]).await?;
    let own = client.client();
    let link = own.groups().get_invite_link(&group, false).await?;
    let code = link.rsplit('/').next().context("a code")?;

    let shown = other.client().groups().get_invite_info(code).await?;
    assert_eq!(shown.subject, "Open");
    let joined = other.client().groups().join_with_invite_code(code).await?;
    assert_eq!(joined.group_jid(), &group);
    own.send_text(group.clone(), "welcome").await?;
    assert_eq!(other.texts(1).await?, ["welcome"]);

    assert_ne!(own.groups().get_invite_link(&group, true).await?, link);
    assert_eq!(third.join_group(code).await.unwrap_err().code, "invalid_invite");
    assert!(other.client().groups().get_invite_link(&group, false).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_phone_without_the_senders_key_asks_again_and_gets_the_message() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let client = served.paired(&owner).await?;
    let group = made_by(&client, "Club", &[CONTACT]).await?;
    client.client().send_text(group.clone(), "first").await?;
    texts_of(&contact, 1).await?;
    contact.lose_ratchets().await?;
    client.client().send_text(group, "second").await?;
    assert_eq!(texts_of(&contact, 2).await?[1].2, "second");
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_linked_later_reads_what_is_written_from_then_on() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut first = served.paired(&owner).await?;
    let group = made_by_phone(&contact, &[OWNER], "pn").await?;
    contact.send_text(&group.jid, "before").await?;
    assert_eq!(first.texts(1).await?, ["before"]);
    let mut second = served.paired(&owner).await?;
    contact.send_text(&group.jid, "after").await?;
    assert_eq!(first.texts(1).await?, ["after"]);
    assert_eq!(second.texts(1).await?, ["after"]);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_group_is_said_with_its_field() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone(OWNER).await?;
    let new = |subject: &str, with: &str| NewGroup {
        subject: subject.to_owned(),
        participants: vec![with.to_owned()],
        ..Default::default()
    };
    for (group, code, pointer) in [
        (new("", OWNER), "validation_failed", "/subject"),
        (new(&"x".repeat(101), OWNER), "validation_failed", "/subject"),
        (new("us@example.org", OWNER), "validation_failed", "/subject"),
        (new("Club", "12"), "validation_failed", "/participants"),
        (new("Club", CONTACT), "phone_not_found", "/participants"),
        (
            NewGroup { addressing_mode: Some("both".to_owned()), ..new("Club", OWNER) },
            "validation_failed",
            "/addressing_mode",
        ),
    ] {
        let refusal = phone.create_group(group).await.unwrap_err();
        assert_eq!((refusal.code, refusal.pointer), (code, Some(pointer)), "{refusal}");
    }
    assert!(phone.groups(&Default::default()).await?.data.is_empty());
    let nowhere = phone.send_text("120363000000000000@g.us", "x").await.unwrap_err();
    assert_eq!((nowhere.code, nowhere.pointer), ("group_not_found", Some("/to")));
    let full = NewGroup {
        subject: "Club".to_owned(),
        participants: (0..1_025).map(|number| format!("+1555{number:07}")).collect(),
        ..Default::default()
    };
    assert_eq!(phone.create_group(full).await.unwrap_err().pointer, Some("/participants"));
    Ok(())
}
