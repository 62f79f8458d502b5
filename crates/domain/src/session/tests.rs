use cqrs_es::test::TestFramework;

use super::*;
use crate::{Jid, Network, Person};

fn at() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000).unwrap()
}

fn create(name: &str) -> SessionCommand {
    SessionCommand::Create(CreateSession {
        name: name.into(),
        network: Network::Sandbox,
        phone_number: None,
        start: true,
        settings: SessionSettings::default(),
        at: at(),
    })
}

fn created() -> SessionEvent {
    SessionCreated {
        name: "shop".into(),
        network: Network::Sandbox,
        phone_number: None,
        start: true,
        settings: SessionSettings::default(),
        at: at(),
    }
    .into()
}

fn paired() -> SessionEvent {
    let me = Person::from_jid(Jid::parse("15550001111@s.whatsapp.net").unwrap());
    SessionPaired { me, platform: "android".into(), at: at() }.into()
}

fn changed(status: SessionStatus) -> SessionEvent {
    SessionStatusChanged { status, reason: None, until: None, at: at() }.into()
}

fn record(status: SessionStatus) -> SessionCommand {
    record_under(1, status)
}

fn record_under(generation: u64, status: SessionStatus) -> SessionCommand {
    SessionCommand::RecordStatus { status, reason: None, until: None, generation, at: at() }
}

fn restarted() -> SessionEvent {
    SessionRestartRequested { at: at() }.into()
}

fn started() -> SessionEvent {
    SessionStartRequested { at: at() }.into()
}

fn logout_requested() -> SessionEvent {
    LogoutRequested { at: at() }.into()
}

fn deleted() -> SessionEvent {
    SessionDeleted { at: at() }.into()
}

fn given(events: impl IntoIterator<Item = SessionEvent>) -> cqrs_es::test::AggregateTestExecutor<Session> {
    TestFramework::<Session>::with(()).given(events.into_iter().collect())
}

#[test]
fn a_session_is_made_once() {
    given([]).when(create("shop")).then_expect_events(vec![created()]);
    given([created()]).when(create("shop")).then_expect_error(SessionError::AlreadyExists);
    given([created(), deleted()]).when(create("shop")).then_expect_error(SessionError::AlreadyExists);
}

#[test]
fn a_name_is_neither_empty_nor_endless() {
    for name in ["", " ", " shop", "shop ", &"x".repeat(101)] {
        given([]).when(create(name)).then_expect_error(SessionError::InvalidName);
    }
}

#[test]
fn nothing_happens_to_a_session_that_is_not_there() {
    for events in [vec![], vec![created(), deleted()]] {
        for command in [
            SessionCommand::Start { at: at() },
            SessionCommand::Stop { at: at() },
            SessionCommand::Restart { at: at() },
            SessionCommand::Logout { at: at() },
            SessionCommand::Delete { at: at() },
            record(SessionStatus::Connected),
        ] {
            given(events.clone()).when(command).then_expect_error(SessionError::NotFound);
        }
    }
}

#[test]
fn starting_what_runs_and_stopping_what_stands_changes_nothing() {
    let stopped = SessionEvent::from(SessionStopRequested { at: at() });
    given([created()]).when(SessionCommand::Start { at: at() }).then_expect_events(vec![]);
    given([created()]).when(SessionCommand::Stop { at: at() }).then_expect_events(vec![stopped.clone()]);
    given([created(), stopped.clone()]).when(SessionCommand::Stop { at: at() }).then_expect_events(vec![]);
    given([created(), stopped])
        .when(SessionCommand::Start { at: at() })
        .then_expect_events(vec![SessionStartRequested { at: at() }.into()]);
}

#[test]
fn a_restart_is_always_a_wish() {
    given([created()])
        .when(SessionCommand::Restart { at: at() })
        .then_expect_events(vec![SessionRestartRequested { at: at() }.into()]);
}

#[test]
fn only_a_linked_session_logs_out() {
    given([created()]).when(SessionCommand::Logout { at: at() }).then_expect_events(vec![]);
    given([created(), paired()])
        .when(SessionCommand::Logout { at: at() })
        .then_expect_events(vec![LogoutRequested { at: at() }.into()]);
}

#[test]
fn a_status_is_recorded_when_it_changes() {
    given([created()])
        .when(record(SessionStatus::Connected))
        .then_expect_events(vec![changed(SessionStatus::Connected)]);
    given([created(), changed(SessionStatus::Connected)])
        .when(record(SessionStatus::Connected))
        .then_expect_events(vec![]);
}

#[test]
fn a_session_at_rest_starts_again_by_a_new_start() {
    use SessionStatus as S;
    for status in [S::Stopped, S::LoggedOut, S::Restricted, S::ClientOutdated, S::Failed] {
        given([created(), paired(), changed(status)])
            .when(SessionCommand::Start { at: at() })
            .then_expect_events(vec![SessionStartRequested { at: at() }.into()]);
    }
    given([created(), paired(), changed(S::Reconnecting)])
        .when(SessionCommand::Start { at: at() })
        .then_expect_events(vec![]);
}

#[test]
fn a_code_that_nobody_scanned_is_news_and_a_start_brings_another() {
    given([created()])
        .when(record(SessionStatus::Stopped))
        .then_expect_events(vec![changed(SessionStatus::Stopped)]);
    given([created(), changed(SessionStatus::Stopped), started()])
        .when(record_under(2, SessionStatus::Stopped))
        .then_expect_events(vec![changed(SessionStatus::Stopped)]);
}

#[test]
fn what_comes_after_a_restart_is_news() {
    given([created(), changed(SessionStatus::Connected), restarted()])
        .when(record_under(2, SessionStatus::Connected))
        .then_expect_events(vec![changed(SessionStatus::Connected)]);
}

#[test]
fn a_rest_that_was_seen_before_a_newer_wish_changes_nothing() {
    given([created(), restarted()]).when(record_under(1, SessionStatus::Stopped)).then_expect_events(vec![]);
}

#[test]
fn a_start_while_logging_out_is_wished_for_afterwards() {
    let events = vec![created(), paired(), logout_requested()];
    given(events.clone()).when(SessionCommand::Start { at: at() }).then_expect_events(vec![started()]);
    given(events).when(SessionCommand::Logout { at: at() }).then_expect_events(vec![]);
    let mut session = Session::default();
    for event in [created(), paired(), logout_requested(), started(), changed(SessionStatus::LoggedOut)] {
        session.apply_event(event);
    }
    assert!(session.running);
    assert_eq!(session.status(), SessionStatus::Connecting);
}

#[test]
fn a_pairing_is_told_once() {
    let SessionEvent::Paired(SessionPaired { me, .. }) = paired() else { panic!("a pairing") };
    let pair = || SessionCommand::RecordPairing { me: me.clone(), platform: "android".into(), at: at() };
    given([created()]).when(pair()).then_expect_events(vec![paired()]);
    given([created(), paired()]).when(pair()).then_expect_events(vec![]);
    given([created(), paired(), changed(SessionStatus::LoggedOut)])
        .when(pair())
        .then_expect_events(vec![paired()]);
}
