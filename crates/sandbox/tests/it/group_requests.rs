//! Who comes into a group, and who lets them in.

use anyhow::{Context as _, Result};
use wacore::iq::groups::{MemberAddMode, MembershipApprovalMode};
use wacore::stanza::groups::GroupNotificationAction as Action;
use waxwing_sandbox::{JoinAnswer, PhoneHandle};
use whatsapp_rust::Jid;
use whatsapp_rust::features::{GroupCreateOptions, JoinGroupResult};

use crate::support::{Served, TestClient, update};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";
const THIRD: &str = "+15550003333";

fn pn(number: &str) -> Jid {
    Jid::pn(number.trim_start_matches('+'))
}

/// Waits until the admin's client is told who asks.
async fn asked(client: &mut TestClient) -> Result<Vec<String>> {
    update(client, "request", |action| match action {
        Action::CreatedMembershipRequests { requests, .. } => {
            Some(requests.iter().map(|request| request.jid.user.to_string()).collect())
        },
        _ => None,
    })
    .await
}

/// A group of the client alone, in which admins decide who comes in; with its invite code.
async fn closed(client: &mut TestClient) -> Result<(Jid, String)> {
    let own = client.client();
    let options = GroupCreateOptions::builder().subject("Closed".to_owned()).build();
    let group = own.groups().create_group(options).await?.metadata.id;
    own.groups().set_membership_approval(&group, MembershipApprovalMode::On).await?;
    update(client, "approval", |action| {
        matches!(action, Action::MembershipApprovalMode { enabled: true }).then_some(())
    })
    .await?;
    assert!(own.groups().get_metadata(&group).await?.membership_approval);
    let link = own.groups().get_invite_link(&group, false).await?;
    Ok((group, link.rsplit('/').next().context("a code")?.to_owned()))
}

async fn waiting(client: &TestClient, group: &Jid) -> Result<Vec<String>> {
    let requests = client.client().groups().get_membership_requests(group).await?;
    Ok(requests.into_iter().map(|request| request.jid.user.to_string()).collect())
}

#[tokio::test]
async fn who_asks_to_join_waits_until_an_admin_decides() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let third = served.phone(THIRD).await?;
    let (mut client, mut other) = (served.paired(&owner).await?, served.paired(&contact).await?);
    let (group, code) = closed(&mut client).await?;
    let (own, groups) = (client.client(), other.client());

    let joined = groups.groups().join_with_invite_code(&code).await?;
    assert!(matches!(&joined, JoinGroupResult::PendingApproval(jid) if *jid == group), "{joined:?}");
    assert_eq!(asked(&mut client).await?, [pn(CONTACT).user.to_string()]);
    assert_eq!(third.join_group(&code).await?, None);
    asked(&mut client).await?;
    assert_eq!(waiting(&client, &group).await?, [pn(CONTACT).user.to_string(), pn(THIRD).user.to_string()]);
    assert!(groups.groups().get_metadata(&group).await.is_err());

    let answers =
        own.groups().approve_membership_requests(&group, &[pn(CONTACT), pn("+15557777777")]).await?;
    let errors: Vec<_> = answers.iter().map(|answer| answer.error.as_deref()).collect();
    assert_eq!(errors, [None, Some("404")]);
    update(&mut other, "welcome", |action| matches!(action, Action::Create { .. }).then_some(())).await?;
    update(&mut client, "addition", |action| matches!(action, Action::Add { .. }).then_some(())).await?;
    own.send_text(group.clone(), "welcome").await?;
    assert_eq!(other.texts(1).await?, ["welcome"]);

    // Who is no admin neither sees nor decides.
    assert!(waiting(&other, &group).await.is_err());
    assert!(groups.groups().approve_membership_requests(&group, &[pn(THIRD)]).await.is_err());
    own.groups().reject_membership_requests(&group, &[pn(THIRD)]).await?;
    update(&mut client, "rejection", |action| {
        matches!(action, Action::RevokedMembershipRequests { .. }).then_some(())
    })
    .await?;
    assert!(waiting(&client, &group).await?.is_empty());
    assert!(third.groups(&Default::default()).await?.data.is_empty());

    own.groups().set_membership_approval(&group, MembershipApprovalMode::Off).await?;
    assert!(third.join_group(&code).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_request_is_taken_back_and_phones_ask_and_decide_as_well() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let third = served.phone(THIRD).await?;
    let (mut client, other) = (served.paired(&owner).await?, served.paired(&contact).await?);
    let (group, code) = closed(&mut client).await?;
    let groups = other.client();
    groups.groups().join_with_invite_code(&code).await?;
    asked(&mut client).await?;
    // Asking twice is one request.
    groups.groups().join_with_invite_code(&code).await?;
    assert_eq!(waiting(&client, &group).await?.len(), 1);
    assert!(groups.groups().cancel_membership_requests(&group, &[pn(THIRD)]).await.is_err());
    let answers = groups.groups().cancel_membership_requests(&group, &[pn(CONTACT)]).await?;
    assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
    update(&mut client, "withdrawal", |action| {
        matches!(action, Action::RevokedMembershipRequests { .. }).then_some(())
    })
    .await?;
    assert!(waiting(&client, &group).await?.is_empty());
    // Nobody was invited in person.
    let revoked = client.client().groups().revoke_request_code(&group, &[pn(CONTACT)]).await?;
    assert_eq!(revoked.iter().map(|answer| answer.error.as_deref()).collect::<Vec<_>>(), [Some("404")]);

    third.join_group(&code).await?;
    let jid = group.to_string();
    let requests = owner.join_requests(&jid).await?;
    assert_eq!(requests.iter().map(|request| request.number.as_str()).collect::<Vec<_>>(), [THIRD]);
    let decide = |number: &str, approve| JoinAnswer { approve, participants: vec![number.to_owned()] };
    assert_eq!(
        owner.answer_join_requests(&jid, decide(CONTACT, true)).await?,
        [(CONTACT.to_owned(), Some(404))]
    );
    owner.answer_join_requests(&jid, decide(THIRD, true)).await?;
    assert_eq!(numbers(&third, &jid).await?, [OWNER, THIRD]);
    assert_eq!(third.join_requests(&jid).await.unwrap_err().code, "forbidden");
    Ok(())
}

async fn numbers(phone: &PhoneHandle, group: &str) -> Result<Vec<String>> {
    Ok(phone.group(group).await?.participants.into_iter().map(|member| member.number).collect())
}

#[tokio::test]
async fn admins_say_who_adds_members_and_who_changes_the_subject() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    served.phone(THIRD).await?;
    let (mut client, other) = (served.paired(&owner).await?, served.paired(&contact).await?);
    let (group, code) = closed(&mut client).await?;
    let (own, member) = (client.client(), other.client());
    own.groups().set_membership_approval(&group, MembershipApprovalMode::Off).await?;
    member.groups().join_with_invite_code(&code).await?;

    for (mode, allowed) in [(MemberAddMode::AdminAdd, false), (MemberAddMode::AllMemberAdd, true)] {
        own.groups().set_member_add_mode(&group, mode).await?;
        let told = update(&mut client, "mode", |action| match action {
            Action::MemberAddMode { mode } => Some(mode.clone()),
            _ => None,
        })
        .await?;
        assert_eq!(told == "all_member_add", allowed);
        assert_eq!(member.groups().add_participants(&group, &[pn(THIRD)]).await.is_ok(), allowed);
    }
    assert_eq!(numbers(&contact, &group.to_string()).await?, [OWNER, CONTACT, THIRD]);

    let subject = wacore::iq::groups::GroupSubject::new("Ours")?;
    own.groups().set_locked(&group, true).await?;
    assert!(member.groups().set_subject(&group, subject.clone()).await.is_err());
    own.groups().set_locked(&group, false).await?;
    member.groups().set_subject(&group, subject).await?;
    let told = update(&mut client, "subject", |action| match action {
        Action::Subject { subject, .. } => Some(subject.clone()),
        _ => None,
    })
    .await?;
    assert_eq!(told, "Ours");
    Ok(())
}
