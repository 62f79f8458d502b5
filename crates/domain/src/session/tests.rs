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
    SessionStatusChanged { status, reason: None, at: at() }.into()
}

fn record(status: SessionStatus) -> SessionCommand {
    SessionCommand::RecordStatus { status, reason: None, at: at() }
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
fn a_logged_out_session_starts_again_by_a_new_start() {
    given([created(), paired(), changed(SessionStatus::LoggedOut)])
        .when(SessionCommand::Start { at: at() })
        .then_expect_events(vec![SessionStartRequested { at: at() }.into()]);
}
