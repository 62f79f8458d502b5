use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::{AccountId, account::Role};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn account() -> AccountId {
    AccountId::new(1, [0; 10])
}

fn secret(text: &str) -> Secret {
    Secret(text.into())
}

fn proof(nonce: &str, expires: i64) -> Proof {
    Proof { nonce: secret(nonce), expires_at: at(expires) }
}

fn register(email: &str, verification: Option<Proof>) -> UserCommand {
    UserCommand::Register {
        email: email.into(),
        name: None,
        password_hash: secret("$argon2id$"),
        account: account(),
        role: Role::Owner,
        verification,
        at: at(0),
    }
}

fn registered() -> Vec<UserEvent> {
    User::default().decide(register("ada@example.com", None)).unwrap()
}

fn unproven() -> Vec<UserEvent> {
    User::default().decide(register("ada@example.com", Some(proof("v", 100)))).unwrap()
}

fn asked_at(events: Vec<UserEvent>, nonce: &str, asked: i64, expires: i64) -> Vec<UserEvent> {
    let mut user = user(events.clone());
    let command = UserCommand::RequestPasswordReset { proof: proof(nonce, expires), at: at(asked) };
    let more = user.decide(command).unwrap();
    user.apply_event(more[0].clone());
    [events, more].concat()
}

fn user(events: Vec<UserEvent>) -> User {
    let mut user = User::default();
    events.into_iter().for_each(|event| user.apply_event(event));
    user
}

fn given(events: Vec<UserEvent>) -> AggregateTestExecutor<User> {
    TestFramework::<User>::with(()).given(events)
}

fn verify(nonce: &str, second: i64) -> UserCommand {
    UserCommand::VerifyEmail { nonce: secret(nonce), at: at(second) }
}

fn reset(nonce: &str, second: i64) -> UserCommand {
    UserCommand::ResetPassword { nonce: secret(nonce), password_hash: secret("new"), at: at(second) }
}

fn changed(second: i64) -> UserEvent {
    PasswordChanged { password_hash: secret("new"), at: at(second) }.into()
}

#[test]
fn a_user_registers_once_with_an_address_and_owns_an_account() {
    let joined = JoinedAccount { account: account(), role: Role::Owner, at: at(0) };
    assert!(registered().contains(&joined.into()));
    given(vec![]).when(register("ada@example.com", None)).then_expect_events(registered());
    given(registered()).when(register("ada@example.com", None)).then_expect_error(UserError::AlreadyExists);
    for email in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c"] {
        given(vec![]).when(register(email, None)).then_expect_error(UserError::InvalidEmail);
    }
    for name in [String::new(), " ".to_owned(), "x".repeat(NAME_CHARS_MAX + 1)] {
        let UserCommand::Register { email, password_hash, account, role, verification, at, .. } =
            register("ada@example.com", None)
        else {
            unreachable!("it registers")
        };
        let named =
            UserCommand::Register { email, name: Some(name), password_hash, account, role, verification, at };
        given(vec![]).when(named).then_expect_error(UserError::InvalidName);
    }
}

#[test]
fn nothing_can_be_asked_of_a_user_who_is_not_there() {
    let change = UserCommand::ChangePassword { password_hash: secret("new"), at: at(1) };
    let forget = UserCommand::RequestPasswordReset { proof: proof("r", 9), at: at(1) };
    for command in [change, forget, verify("v", 1), reset("r", 1)] {
        given(vec![]).when(command).then_expect_error(UserError::NotFound);
    }
    assert!(!User::default().is_verified() && !User::default().keeps_sign_in(at(1)));
}

#[test]
fn an_address_is_proven_once_in_time_with_the_right_nonce() {
    assert!(user(registered()).is_verified(), "an operator's users need no proof");
    assert!(!user(unproven()).is_verified());
    let verified = UserEvent::from(EmailVerified { at: at(99) });
    given(unproven()).when(verify("v", 99)).then_expect_events(vec![verified.clone()]);
    given(unproven()).when(verify("v", 100)).then_expect_error(UserError::InvalidToken);
    given(unproven()).when(verify("x", 1)).then_expect_error(UserError::InvalidToken);
    let after = [unproven(), vec![verified]].concat();
    assert!(user(after.clone()).is_verified());
    given(after).when(verify("v", 99)).then_expect_error(UserError::InvalidToken);
}

#[test]
fn a_password_is_reset_once_in_time_and_that_proves_the_address() {
    let asked = asked_at(registered(), "r", 10, 100);
    given(asked.clone()).when(reset("r", 99)).then_expect_events(vec![changed(99)]);
    given(asked.clone()).when(reset("r", 100)).then_expect_error(UserError::InvalidToken);
    given(asked.clone()).when(reset("v", 99)).then_expect_error(UserError::InvalidToken);
    let used = [asked, vec![changed(99)]].concat();
    given(used).when(reset("r", 99)).then_expect_error(UserError::InvalidToken);
    given(asked_at(unproven(), "r", 10, 100))
        .when(reset("r", 50))
        .then_expect_events(vec![changed(50), EmailVerified { at: at(50) }.into()]);
}

#[test]
fn a_mailbox_is_not_flooded_and_a_later_request_replaces_the_earlier() {
    let asked = asked_at(registered(), "r", 10, 1_000);
    let again = |second| UserCommand::RequestPasswordReset { proof: proof("s", 2_000), at: at(second) };
    given(asked.clone()).when(again(999)).then_expect_events(vec![]);
    let later = PasswordResetRequested {
        email: "ada@example.com".into(),
        nonce: secret("s"),
        expires_at: at(2_000),
        at: at(1_000),
    };
    given(asked.clone()).when(again(1_000)).then_expect_events(vec![later.clone().into()]);
    given([asked, vec![later.into()]].concat())
        .when(reset("r", 1_100))
        .then_expect_error(UserError::InvalidToken);
}

#[test]
fn another_password_ends_the_sign_ins_from_before() {
    let user = user([registered(), vec![changed(50)]].concat());
    assert!(!user.keeps_sign_in(at(49)) && user.keeps_sign_in(at(50)));
    assert_eq!(user.password_hash(), Some(&secret("new")));
}

fn asked_to_change(events: Vec<UserEvent>, second: i64) -> Vec<UserEvent> {
    let (old, new) = (proof("old", second + 100), proof("new", second + 100));
    let command = UserCommand::RequestEmailChange { to: "ada@example.org".into(), old, new, at: at(second) };
    let more = user(events.clone()).decide(command).unwrap();
    [events, more].concat()
}

fn agree(nonce: &str, second: i64) -> UserCommand {
    UserCommand::ConfirmEmailChange { nonce: secret(nonce), at: at(second) }
}

fn agreed(nonce: &str) -> UserEvent {
    EmailChangeConfirmed { nonce: secret(nonce), at: at(20) }.into()
}

fn complete(to: &str) -> UserCommand {
    UserCommand::CompleteEmailChange { to: to.into(), at: at(20) }
}

#[test]
fn an_address_changes_when_both_have_agreed() {
    let asked = asked_to_change(registered(), 10);
    given(asked.clone()).when(agree("old", 20)).then_expect_events(vec![agreed("old")]);
    given(asked.clone()).when(agree("x", 20)).then_expect_error(UserError::InvalidToken);
    given(asked.clone()).when(agree("new", 110)).then_expect_error(UserError::InvalidToken);
    given(asked.clone()).when(complete("ada@example.org")).then_expect_error(UserError::InvalidToken);
    let one = [asked, vec![agreed("new")]].concat();
    assert_eq!(user(one.clone()).agreed_email(), None);
    given(one.clone()).when(agree("new", 20)).then_expect_events(vec![]);
    given(one.clone()).when(complete("ada@example.org")).then_expect_error(UserError::InvalidToken);
    let both = [one, vec![agreed("old")]].concat();
    assert_eq!(user(both.clone()).agreed_email(), Some("ada@example.org"));
    given(both.clone()).when(complete("eve@example.org")).then_expect_error(UserError::InvalidToken);
    let done = UserEvent::from(EmailChanged { email: "ada@example.org".into(), at: at(20) });
    given(both.clone()).when(complete("ada@example.org")).then_expect_events(vec![done.clone()]);
    let after = user([both, vec![done]].concat());
    assert_eq!(after.registered().map(|user| &*user.email), Some("ada@example.org"));
    assert_eq!(after.agreed_email(), None);
}

#[test]
fn another_password_or_a_later_wish_ends_the_change_of_an_address() {
    let asked = asked_to_change(registered(), 10);
    given([asked.clone(), vec![changed(15)]].concat())
        .when(agree("old", 20))
        .then_expect_error(UserError::InvalidToken);
    let (old, new) = (proof("a", 200), proof("b", 200));
    let again = |second| UserCommand::RequestEmailChange {
        to: "x@y".into(),
        old: old.clone(),
        new: new.clone(),
        at: at(second),
    };
    given(asked.clone()).when(again(69)).then_expect_error(UserError::TooSoon);
    let later = user(asked.clone()).decide(again(70)).unwrap();
    given([asked, later].concat()).when(agree("old", 80)).then_expect_error(UserError::InvalidToken);
}

fn offer(text: &str) -> UserEvent {
    TotpOffered { secret: secret(text), expires_at: at(100), at: at(10) }.into()
}

fn enable(text: &str, second: i64) -> UserCommand {
    UserCommand::EnableTotp { secret: secret(text), recovery_hashes: vec![secret("h")], at: at(second) }
}

#[test]
fn a_second_factor_is_offered_enabled_used_and_disabled() {
    let offered = [registered(), vec![offer("s")]].concat();
    given(registered()).when(enable("s", 20)).then_expect_error(UserError::NoTotpOffered);
    given(offered.clone()).when(enable("other", 20)).then_expect_error(UserError::NoTotpOffered);
    given(offered.clone()).when(enable("s", 100)).then_expect_error(UserError::NoTotpOffered);
    let enabled = user(offered.clone()).decide(enable("s", 20)).unwrap();
    let enabled = [offered, enabled].concat();
    assert_eq!(user(enabled.clone()).totp_secret(), Some(&secret("s")));
    given(enabled.clone()).when(enable("s", 21)).then_expect_error(UserError::TotpEnabled);
    let recover = |hash: &str| UserCommand::UseRecoveryCode { hash: secret(hash), at: at(30) };
    let used = UserEvent::from(RecoveryCodeUsed { hash: secret("h"), at: at(30) });
    given(enabled.clone()).when(recover("h")).then_expect_events(vec![used.clone()]);
    given([enabled.clone(), vec![used]].concat())
        .when(recover("h"))
        .then_expect_error(UserError::InvalidRecoveryCode);
    let disable = UserCommand::DisableTotp { at: at(40) };
    given(registered()).when(disable.clone()).then_expect_error(UserError::TotpDisabled);
    let disabled = UserEvent::from(TotpDisabled { at: at(40) });
    given(enabled.clone()).when(disable).then_expect_events(vec![disabled.clone()]);
    let after = user([enabled, vec![disabled]].concat());
    assert_eq!((after.totp_secret(), after.recovery_hashes().len()), (None, 0));
}

#[test]
fn a_user_ends_all_sign_ins_and_keeps_them_when_only_the_hash_changes() {
    let out = SignedOutEverywhere { at: at(50) }.into();
    let user = user([registered(), vec![out]].concat());
    assert!(!user.keeps_sign_in(at(49)) && user.keeps_sign_in(at(50)));
    let rehashed = PasswordRehashed { password_hash: secret("better"), at: at(60) }.into();
    let user = self::user([registered(), vec![rehashed]].concat());
    assert!(user.keeps_sign_in(at(0)));
    assert_eq!(user.password_hash(), Some(&secret("better")));
    let rehash = |verified: &str| UserCommand::Rehash {
        verified: secret(verified),
        password_hash: secret("better"),
        at: at(60),
    };
    given(registered())
        .when(rehash("$argon2id$"))
        .then_expect_events(vec![PasswordRehashed { password_hash: secret("better"), at: at(60) }.into()]);
    // Replaced since it was looked at: the old one does not come back.
    given([registered(), vec![changed(50)]].concat()).when(rehash("$argon2id$")).then_expect_events(vec![]);
}

#[test]
fn a_user_who_is_gone_is_not_known_and_does_not_come_back() {
    let gone = UserEvent::from(UserDeleted { at: at(50) });
    given(registered()).when(UserCommand::Delete { at: at(50) }).then_expect_events(vec![gone.clone()]);
    let events = [registered(), vec![gone]].concat();
    let left = user(events.clone());
    assert!(left.registered().is_none() && left.joined().is_empty() && !left.keeps_sign_in(at(60)));
    given(events.clone()).when(register("ada@example.com", None)).then_expect_error(UserError::NotFound);
    given(events).when(UserCommand::Delete { at: at(60) }).then_expect_error(UserError::NotFound);
}

fn other(number: u64) -> AccountId {
    AccountId::new(number, [1; 10])
}

fn join(number: u64) -> UserCommand {
    UserCommand::JoinAccount { account: other(number), role: Role::Viewer, at: at(5) }
}

#[test]
fn a_user_joins_and_leaves_accounts() {
    let joined = UserEvent::from(JoinedAccount { account: other(1), role: Role::Viewer, at: at(5) });
    let left = UserEvent::from(LeftAccount { account: account(), at: at(6) });
    let leave = |account| UserCommand::LeaveAccount { account, at: at(6) };
    given(registered()).when(join(1)).then_expect_events(vec![joined.clone()]);
    let both = [registered(), vec![joined]].concat();
    given(both.clone()).when(join(1)).then_expect_events(vec![]);
    given(both.clone()).when(leave(other(2))).then_expect_events(vec![]);
    given(both.clone()).when(leave(account())).then_expect_events(vec![left.clone()]);
    let accounts = |events| user(events).joined().iter().map(|joined| joined.account).collect::<Vec<_>>();
    assert_eq!(accounts(both.clone()), [account(), other(1)], "oldest first");
    assert_eq!(accounts([both, vec![left]].concat()), [other(1)]);
    given(vec![]).when(join(1)).then_expect_error(UserError::NotFound);
}

#[test]
fn a_user_belongs_to_a_hundred_accounts_at_most() {
    let mut events = registered();
    for number in 1..ACCOUNTS_MAX as u64 {
        let more = user(events.clone()).decide(join(number)).unwrap();
        events.extend(more);
    }
    given(events).when(join(1_000)).then_expect_error(UserError::TooManyAccounts);
}

#[test]
fn an_invitation_proves_an_address_that_somebody_else_may_have_registered() {
    let prove = |name: &str| UserCommand::ProveByInvitation {
        name: name.to_owned(),
        password_hash: secret("new"),
        at: at(5),
    };
    let renamed = UserRenamed { name: "Ada".into(), at: at(5) };
    let proven = vec![changed(5), EmailVerified { at: at(5) }.into(), renamed.into()];
    given(unproven()).when(prove("Ada")).then_expect_events(proven.clone());
    given(unproven()).when(prove(" ")).then_expect_error(UserError::InvalidName);
    given(registered()).when(prove("Ada")).then_expect_error(UserError::AlreadyExists);
    let user = user([unproven(), proven].concat());
    assert!(user.is_verified() && user.password_hash() == Some(&secret("new")));
    assert!(user.verification_nonce().is_none(), "the first mail proves nothing any more");
}

#[test]
fn the_token_that_proves_an_address_is_sent_again_while_it_is_good_and_is_another_afterwards() {
    let mut user = user(unproven());
    let mut ask = |nonce, second| {
        let command = UserCommand::RequestVerification { proof: proof(nonce, 1_000_000), at: at(second) };
        let events = user.decide(command).unwrap();
        events.iter().cloned().for_each(|event| user.apply_event(event));
        events.into_iter().next()
    };
    let sent = |event| match event {
        Some(UserEvent::VerificationRequested(asked)) => Some((asked.nonce.0, asked.expires_at)),
        _ => None,
    };
    assert_eq!(ask("w", 59), None, "not twice in a minute");
    assert_eq!(sent(ask("w", 60)), Some(("v".to_owned(), at(100))), "who asks again voids nothing");
    assert_eq!(ask("w", 99), None);
    assert_eq!(sent(ask("w", 120)), Some(("w".to_owned(), at(1_000_000))));
    let again = (1..100).filter(|minute| ask("x", 120 + minute * 60).is_some()).count();
    assert_eq!(again, VERIFICATIONS_MAX as usize - 1, "and not for ever");
    given([unproven(), vec![EmailVerified { at: at(1) }.into()]].concat())
        .when(UserCommand::RequestVerification { proof: proof("w", 1_000), at: at(500) })
        .then_expect_events(vec![]);
}
