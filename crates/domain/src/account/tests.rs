use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::{Secret, user::Proof};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn user(number: u64) -> UserId {
    UserId::new(number, [0; 10])
}

fn invitation(number: u64) -> InvitationId {
    InvitationId::new(number, [0; 10])
}

fn create(name: &str) -> AccountCommand {
    AccountCommand::Create { name: name.into(), owner: user(1), at: at(0) }
}

fn created() -> AccountEvent {
    AccountCreated { name: "Shop".into(), owner: user(1), at: at(0) }.into()
}

fn added(number: u64, role: Role) -> AccountEvent {
    MemberAdded { user: user(number), role, at: at(1) }.into()
}

fn invite(number: u64, email: &str, role: Role, authority: Option<Role>, second: i64) -> AccountCommand {
    AccountCommand::Invite {
        invitation: invitation(number),
        email: email.into(),
        role,
        proof: Proof { nonce: Secret(format!("nonce {number}")), expires_at: at(second) + INVITATION_TTL },
        authority,
        at: at(second),
    }
}

fn invited(number: u64, email: &str, role: Role, second: i64) -> AccountEvent {
    Invited {
        invitation: invitation(number),
        email: email.into(),
        role,
        account_name: "Shop".into(),
        nonce: Secret(format!("nonce {number}")),
        expires_at: at(second) + INVITATION_TTL,
        at: at(second),
    }
    .into()
}

fn accept(number: u64, who: u64, second: i64) -> AccountCommand {
    AccountCommand::AcceptInvitation { invitation: invitation(number), user: user(who), at: at(second) }
}

fn change(who: u64, role: Role, authority: Option<Role>) -> AccountCommand {
    AccountCommand::ChangeRole { user: user(who), role, authority, at: at(9) }
}

fn remove(who: u64, authority: Option<Role>) -> AccountCommand {
    AccountCommand::RemoveMember { user: user(who), authority, at: at(9) }
}

fn leave(who: u64) -> AccountCommand {
    AccountCommand::Leave { user: user(who), at: at(9) }
}

fn removed(who: u64) -> AccountEvent {
    MemberRemoved { user: user(who), at: at(9) }.into()
}

fn given(events: Vec<AccountEvent>) -> AggregateTestExecutor<Account> {
    TestFramework::<Account>::with(()).given(events)
}

fn account(events: Vec<AccountEvent>) -> Account {
    let mut account = Account::default();
    events.into_iter().for_each(|event| account.apply_event(event));
    account
}

const OWNER: Option<Role> = Some(Role::Owner);
const ADMIN: Option<Role> = Some(Role::Admin);

#[test]
fn an_account_is_made_once_and_has_a_name_and_an_owner() {
    given(vec![]).when(create("Shop")).then_expect_events(vec![created()]);
    given(vec![created()]).when(create("Shop")).then_expect_error(AccountError::AlreadyExists);
    given(vec![]).when(create(" ")).then_expect_error(AccountError::InvalidName);
    assert_eq!(account(vec![created()]).role_of(user(1)), OWNER);
    assert_eq!(account(vec![created()]).role_of(user(2)), None);
}

#[test]
fn an_account_takes_another_name() {
    let rename = |name: &str| AccountCommand::Rename { name: name.into(), at: at(5) };
    let renamed = AccountEvent::from(AccountRenamed { name: "Store".into(), at: at(5) });
    given(vec![created()]).when(rename("Store")).then_expect_events(vec![renamed.clone()]);
    given(vec![created()]).when(rename("Shop")).then_expect_events(vec![]);
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    for name in ["", " ", &long] {
        given(vec![created()]).when(rename(name)).then_expect_error(AccountError::InvalidName);
    }
    assert_eq!(account(vec![created(), renamed]).created().unwrap().name, "Store");
}

#[test]
fn nothing_but_its_making_happens_to_an_account_that_does_not_exist() {
    let rename = AccountCommand::Rename { name: "Shop".into(), at: at(5) };
    let revoke = AccountCommand::RevokeInvitation { invitation: invitation(1), authority: OWNER, at: at(5) };
    for command in [
        rename,
        revoke,
        invite(1, "eve@example.com", Role::Viewer, OWNER, 5),
        accept(1, 2, 5),
        change(1, Role::Viewer, OWNER),
        remove(1, OWNER),
        leave(1),
    ] {
        given(vec![]).when(command).then_expect_error(AccountError::NotFound);
    }
}

#[test]
fn an_invitation_is_accepted_once_in_its_time() {
    let open = vec![created(), invited(1, "eve@example.com", Role::Viewer, 5)];
    let accepted = |second| {
        vec![
            InvitationAccepted { invitation: invitation(1), user: user(2), at: at(second) }.into(),
            MemberAdded { user: user(2), role: Role::Viewer, at: at(second) }.into(),
        ]
    };
    let end = 5 + INVITATION_TTL.as_secs();
    given(open.clone()).when(accept(1, 2, end - 1)).then_expect_events(accepted(end - 1));
    given(open.clone()).when(accept(1, 2, end)).then_expect_error(AccountError::NoSuchInvitation);
    given(open.clone()).when(accept(1, 1, 6)).then_expect_error(AccountError::AlreadyMember);
    given(open.clone()).when(accept(2, 2, 6)).then_expect_error(AccountError::NoSuchInvitation);
    let used = [open.clone(), accepted(6)].concat();
    given(used).when(accept(1, 3, 7)).then_expect_error(AccountError::NoSuchInvitation);
    let revoked = InvitationRevoked { invitation: invitation(1), at: at(6) };
    given([open, vec![revoked.into()]].concat())
        .when(accept(1, 2, 7))
        .then_expect_error(AccountError::NoSuchInvitation);
}

#[test]
fn an_address_is_invited_once_at_a_time() {
    let open = vec![created(), invited(1, "eve@example.com", Role::Viewer, 5)];
    let again = |second| invite(2, "EVE@example.com", Role::Viewer, OWNER, second);
    given(vec![created()])
        .when(invite(1, "eve@example.com", Role::Viewer, OWNER, 5))
        .then_expect_events(vec![invited(1, "eve@example.com", Role::Viewer, 5)]);
    given(open.clone()).when(again(6)).then_expect_error(AccountError::AlreadyInvited);
    let end = 5 + INVITATION_TTL.as_secs();
    let anew = invited(2, "EVE@example.com", Role::Viewer, end);
    given(open.clone()).when(again(end)).then_expect_events(vec![anew.clone()]);
    let state = account([open, vec![anew]].concat());
    assert_eq!(state.invitations.len(), 1, "what is over is not kept");
    given(vec![created()])
        .when(invite(1, "eve", Role::Viewer, OWNER, 5))
        .then_expect_error(AccountError::InvalidEmail);
}

#[test]
fn members_and_open_invitations_are_limited() {
    let numbers = 1..=INVITATIONS_MAX as u64;
    let all = numbers.map(|number| invited(number, &format!("{number}@example.com"), Role::Viewer, 5));
    let full: Vec<_> = std::iter::once(created()).chain(all).collect();
    let one_more = invite(1_000, "eve@example.com", Role::Viewer, OWNER, 6);
    given(full.clone()).when(one_more.clone()).then_expect_error(AccountError::TooManyInvitations);
    assert_eq!(account(full[..INVITATIONS_MAX].to_vec()).decide(one_more).unwrap().len(), 1);

    let members = (2..=MEMBERS_MAX as u64).map(|number| added(number, Role::Viewer));
    let open = invited(1, "eve@example.com", Role::Viewer, 5);
    let full: Vec<_> = [created(), open].into_iter().chain(members).collect();
    given(full.clone()).when(accept(1, 1_000, 6)).then_expect_error(AccountError::TooManyMembers);
    assert_eq!(account(full[..MEMBERS_MAX].to_vec()).decide(accept(1, 1_000, 6)).unwrap().len(), 2);
}

#[test]
fn an_account_keeps_an_owner() {
    let two = vec![created(), added(2, Role::Owner)];
    for command in [leave(1), remove(1, OWNER), change(1, Role::Admin, OWNER)] {
        given(vec![created(), added(2, Role::Admin)])
            .when(command.clone())
            .then_expect_error(AccountError::LastOwner);
        assert_eq!(account(two.clone()).decide(command).unwrap().len(), 1);
    }
    given(vec![created()]).when(change(1, Role::Owner, OWNER)).then_expect_events(vec![]);
    let one = [two, vec![removed(1)]].concat();
    given(one).when(leave(2)).then_expect_error(AccountError::LastOwner);
}

#[test]
fn nobody_decides_about_a_role_above_their_own() {
    let events = vec![
        created(),
        added(2, Role::Admin),
        added(3, Role::Viewer),
        added(4, Role::Owner),
        invited(1, "eve@example.com", Role::Owner, 5),
    ];
    let revoke =
        |authority| AccountCommand::RevokeInvitation { invitation: invitation(1), authority, at: at(9) };
    for refused in [
        invite(2, "bob@example.com", Role::Owner, ADMIN, 9),
        invite(2, "bob@example.com", Role::Viewer, None, 9),
        revoke(ADMIN),
        change(3, Role::Owner, ADMIN),
        change(2, Role::Owner, ADMIN),
        change(4, Role::Viewer, ADMIN),
        change(3, Role::Viewer, None),
        remove(4, ADMIN),
        remove(2, Some(Role::Developer)),
        remove(3, None),
    ] {
        given(events.clone()).when(refused).then_expect_error(AccountError::RoleTooHigh);
    }
    for allowed in [
        invite(2, "bob@example.com", Role::Admin, ADMIN, 9),
        revoke(OWNER),
        change(3, Role::Admin, ADMIN),
        change(3, Role::Owner, OWNER),
        remove(2, ADMIN),
        remove(4, OWNER),
        leave(3),
    ] {
        assert_eq!(account(events.clone()).decide(allowed).unwrap().len(), 1);
    }
    for unknown in [change(7, Role::Viewer, None), remove(7, None), leave(7)] {
        given(events.clone()).when(unknown).then_expect_error(AccountError::NoSuchMember);
    }
    let state = account([events, vec![removed(2)]].concat());
    assert_eq!((state.role_of(user(2)), state.members().len()), (None, 3));
}

#[test]
fn an_account_is_suspended_restored_and_gone_for_good() {
    let (suspend, restore) = (AccountCommand::Suspend { at: at(5) }, AccountCommand::Restore { at: at(6) });
    let suspended = AccountEvent::from(AccountSuspended { at: at(5) });
    given(vec![created()]).when(suspend.clone()).then_expect_events(vec![suspended.clone()]);
    given(vec![created()]).when(restore.clone()).then_expect_events(vec![]);
    let events = vec![created(), suspended];
    assert!(account(events.clone()).is_suspended());
    given(events.clone()).when(suspend).then_expect_events(vec![]);
    let restored = AccountEvent::from(AccountRestored { at: at(6) });
    given(events.clone()).when(restore).then_expect_events(vec![restored.clone()]);
    assert!(!account([events.clone(), vec![restored]].concat()).is_suspended());

    let deleted = AccountEvent::from(AccountDeleted { at: at(7) });
    given(events.clone())
        .when(AccountCommand::Delete { at: at(7) })
        .then_expect_events(vec![deleted.clone()]);
    let gone = [events, vec![deleted]].concat();
    let left = account(gone.clone());
    assert!(left.is_deleted() && left.created().is_none() && left.members().is_empty());
    for command in [leave(1), AccountCommand::Create { name: "again".into(), owner: user(1), at: at(8) }] {
        given(gone.clone()).when(command).then_expect_error(AccountError::NotFound);
    }
}

#[test]
fn a_feature_of_an_account_is_switched_and_given_back_to_the_deployment() {
    let switch = |feature, enabled| AccountCommand::SwitchFeature { feature, enabled, at: at(5) };
    let switched = |enabled| -> AccountEvent {
        AccountFeatureSwitched { feature: Feature::Sending, enabled, at: at(5) }.into()
    };
    let off = vec![created(), switched(Some(false))];
    given(vec![created()])
        .when(switch(Feature::Sending, Some(false)))
        .then_expect_events(vec![switched(Some(false))]);
    given(vec![created()]).when(switch(Feature::Sending, None)).then_expect_events(vec![]);
    given(off.clone()).when(switch(Feature::Sending, Some(false))).then_expect_events(vec![]);
    given(off.clone()).when(switch(Feature::Sending, None)).then_expect_events(vec![switched(None)]);
    given(vec![created()])
        .when(switch(Feature::Registration, Some(false)))
        .then_expect_error(AccountError::NotOfAccounts);
    given(vec![]).when(switch(Feature::Sending, Some(false))).then_expect_error(AccountError::NotFound);
    assert_eq!(account(off.clone()).features().get(&Feature::Sending), Some(&false));
    assert!(account([off, vec![switched(None)]].concat()).features().is_empty());
}
