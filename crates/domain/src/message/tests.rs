use cqrs_es::test::TestFramework;
use proptest::prelude::*;

use super::*;
use crate::{Content, Person, Secret, Text};

fn at(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn person(number: &str) -> Person {
    Person::from_jid(Jid::parse(&format!("{number}@s.whatsapp.net")).unwrap())
}

fn session() -> SessionId {
    SessionId::new(1, [1; 10])
}

fn queue(text: &str) -> QueueMessage {
    QueueMessage {
        session_id: session(),
        from: None,
        to: person("15550001111"),
        whatsapp_id: "3EB0AA".into(),
        message_secret: Secret("c2VjcmV0".into()),
        content: Content::Text { text: Text(text.into()), link_preview: true },
        expires_at: at(86_400),
        metadata: None,
        at: at(0),
    }
}

fn queued() -> MessageEvent {
    queue("hello").decide().unwrap().remove(0)
}

fn receive(from_me: bool) -> ReceiveMessage {
    ReceiveMessage {
        session_id: session(),
        chat: person("15550001111"),
        from: person("15550001111"),
        to: person("15550002222"),
        from_me,
        whatsapp_id: "3EB0BB".into(),
        content: Content::Text { text: Text("hi".into()), link_preview: true },
        at: at(5),
    }
}

fn sent() -> MessageEvent {
    MessageSent { session_id: session(), whatsapp_id: "3EB0AA".into(), at: at(1) }.into()
}

fn failed() -> MessageEvent {
    MessageFailed {
        session_id: session(),
        whatsapp_id: "3EB0AA".into(),
        code: "session_logged_out".into(),
        detail: "gone".into(),
        at: at(2),
    }
    .into()
}

fn fail() -> MessageCommand {
    MessageCommand::Fail { code: "session_logged_out".into(), detail: "gone".into(), at: at(2) }
}

fn ack() -> MessageCommand {
    MessageCommand::RecordServerAck { at: at(1) }
}

fn step(step: ReceiptStep) -> RecordReceipt {
    RecordReceipt { step, recipient: person("15550001111"), at: at(3) }
}

fn recorded(step: ReceiptStep) -> MessageEvent {
    ReceiptRecorded {
        session_id: session(),
        whatsapp_id: "3EB0AA".into(),
        step,
        recipient: person("15550001111"),
        at: at(3),
    }
    .into()
}

fn given(events: impl IntoIterator<Item = MessageEvent>) -> cqrs_es::test::AggregateTestExecutor<Message> {
    TestFramework::<Message>::with(()).given(events.into_iter().collect())
}

#[test]
fn a_new_message_is_queued() {
    given([]).when(MessageCommand::Queue(queue("hello"))).then_expect_events(vec![queued()]);
}

#[test]
fn a_message_is_queued_once() {
    given([queued()])
        .when(MessageCommand::Queue(queue("hello")))
        .then_expect_error(MessageError::AlreadyExists);
}

#[test]
fn a_text_has_one_to_65536_characters() {
    given([]).when(MessageCommand::Queue(queue(""))).then_expect_error(MessageError::EmptyText);
    given([])
        .when(MessageCommand::Queue(queue(&"é".repeat(65_537))))
        .then_expect_error(MessageError::TextTooLong);
    assert!(queue(&"é".repeat(65_536)).decide().is_ok());
}

#[test]
fn a_message_that_came_in_is_recorded_once() {
    let event = MessageEvent::from(receive(false));
    given([]).when(MessageCommand::Receive(receive(false))).then_expect_events(vec![event.clone()]);
    given([event]).when(MessageCommand::Receive(receive(false))).then_expect_events(vec![]);
}

#[test]
fn a_message_of_the_owners_phone_is_its_own_event() {
    let event = MessageEvent::from(receive(true));
    assert!(matches!(event, MessageEvent::SentFromPhone(_)));
    given([]).when(MessageCommand::Receive(receive(true))).then_expect_events(vec![event]);
}

#[test]
fn the_first_acknowledgement_of_the_server_counts() {
    given([queued()]).when(ack()).then_expect_events(vec![sent()]);
    given([queued(), sent()]).when(ack()).then_expect_events(vec![]);
    let late = MessageSent { session_id: session(), whatsapp_id: "3EB0AA".into(), at: at(3) };
    given([queued(), recorded(ReceiptStep::Read)]).when(ack()).then_expect_events(vec![late.into()]);
}

#[test]
fn nothing_happens_to_a_message_that_is_not_there() {
    for command in [ack(), fail(), MessageCommand::RecordReceipt(step(ReceiptStep::Read))] {
        given([]).when(command).then_expect_error(MessageError::NotFound);
    }
}

#[test]
fn a_receipt_counts_once_whenever_it_comes() {
    let command = || MessageCommand::RecordReceipt(step(ReceiptStep::Delivered));
    given([queued()]).when(command()).then_expect_events(vec![recorded(ReceiptStep::Delivered)]);
    given([queued(), recorded(ReceiptStep::Delivered)]).when(command()).then_expect_events(vec![]);
    given([queued(), recorded(ReceiptStep::Read)])
        .when(command())
        .then_expect_events(vec![recorded(ReceiptStep::Delivered)]);
}

#[test]
fn a_step_is_never_told_to_be_earlier_than_the_one_before() {
    let early = RecordReceipt { at: at(-60), ..step(ReceiptStep::Delivered) };
    let told = ReceiptRecorded {
        session_id: session(),
        whatsapp_id: "3EB0AA".into(),
        step: ReceiptStep::Delivered,
        recipient: person("15550001111"),
        at: at(1),
    };
    given([queued(), sent()])
        .when(MessageCommand::RecordReceipt(early))
        .then_expect_events(vec![told.into()]);
}

#[test]
fn only_a_queued_message_fails() {
    given([queued()]).when(fail()).then_expect_events(vec![failed()]);
    given([queued(), sent()]).when(fail()).then_expect_events(vec![]);
    given([queued(), failed()]).when(fail()).then_expect_events(vec![]);
}

#[test]
fn only_a_queued_message_expires() {
    let expire = || MessageCommand::Expire { at: at(9) };
    let expired = MessageExpired { session_id: session(), whatsapp_id: "3EB0AA".into(), at: at(9) };
    given([queued()]).when(expire()).then_expect_events(vec![expired.into()]);
    given([queued(), sent()]).when(expire()).then_expect_events(vec![]);
    given([]).when(expire()).then_expect_error(MessageError::NotFound);
}

#[test]
fn a_later_word_of_whatsapp_overrides_a_failure() {
    given([queued(), failed()]).when(ack()).then_expect_events(vec![sent()]);
    let message = folded([queued(), failed(), recorded(ReceiptStep::Delivered)]);
    assert_eq!(message.status(), MessageStatus::Delivered);
}

fn folded(events: impl IntoIterator<Item = MessageEvent>) -> Message {
    let mut message = Message::default();
    events.into_iter().for_each(|event| message.apply_event(event));
    message
}

proptest! {
    #[test]
    fn receipts_commute(order in Just(vec![0, 1, 2, 3]).prop_shuffle()) {
        let commands = [
            ack(),
            MessageCommand::RecordReceipt(step(ReceiptStep::Delivered)),
            MessageCommand::RecordReceipt(step(ReceiptStep::Read)),
            MessageCommand::RecordReceipt(step(ReceiptStep::Delivered)),
        ];
        let mut message = folded([queued()]);
        for index in order {
            for event in message.decide(commands[index].clone()).unwrap() {
                message.apply_event(event);
            }
        }
        prop_assert_eq!(message.status(), MessageStatus::Read);
        prop_assert_eq!(message.steps.len(), 2);
    }

    #[test]
    fn a_replay_equals_a_snapshot_and_the_rest(cut in 0_usize..4) {
        let events = [queued(), sent(), recorded(ReceiptStep::Delivered), recorded(ReceiptStep::Read)];
        let whole = folded(events.clone());
        let snapshot = serde_json::to_string(&folded(events[..cut].to_vec())).unwrap();
        let mut resumed: Message = serde_json::from_str(&snapshot).unwrap();
        events[cut..].iter().cloned().for_each(|event| resumed.apply_event(event));
        prop_assert_eq!(resumed, whole);
    }
}
