use cqrs_es::test::TestFramework;
use proptest::prelude::*;

use super::*;
use crate::{Content, Context, Person, Secret, Text, content::InvalidContent};

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
        context: Context::default(),
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
        context: Context::default(),
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
    for text in [String::new(), "é".repeat(65_537)] {
        let refused = queue(&text).decide();
        assert!(
            matches!(refused, Err(MessageError::Content(InvalidContent { field, .. })) if field == "/text")
        );
    }
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

fn asked(operation: Operation, author: Option<&str>) -> OperationAsked {
    OperationAsked {
        session_id: session(),
        whatsapp_id: if author.is_some() { "3EB0BB" } else { "3EB0AA" }.into(),
        operation_id: "3EB0CC".into(),
        operation,
        chat: person("15550001111"),
        author: author.map(person),
        by: person("15550002222"),
        message_secret: Secret("c2VjcmV0".into()),
        expires_at: at(86_400),
        at: at(10),
    }
}

fn edit(text: &str) -> Operation {
    Operation::Edit { text: Text(text.into()) }
}

fn react(emoji: &str) -> Operation {
    Operation::React { emoji: emoji.into() }
}

fn observe(operation: Operation, by: &str, second: i64) -> MessageCommand {
    MessageCommand::Observe(observed(operation, by, second))
}

fn observed(operation: Operation, by: &str, second: i64) -> ObserveOperation {
    let (by_me, chat) = (by == "15550002222", person("15550001111"));
    ObserveOperation { operation, by: person(by), by_me, chat, as_admin: false, at: at(second) }
}

fn operation_ack() -> MessageCommand {
    MessageCommand::RecordOperationAck { operation_id: "3EB0CC".into(), at: at(11) }
}

#[test]
fn what_is_asked_for_counts_when_whatsapp_has_it_and_once() {
    for operation in [edit("hello!"), Operation::Delete, react("👍")] {
        let asked = asked(operation.clone(), None);
        let address = (session(), "3EB0AA".to_owned());
        let done = operation.done(address, Some("3EB0CC".into()), person("15550002222"), at(10));
        given([queued(), sent()])
            .when(MessageCommand::Ask(asked.clone()))
            .then_expect_events(vec![asked.clone().into()]);
        let waits = [queued(), sent(), asked.into()];
        assert!(folded(waits.clone()).is_pending("3EB0CC"));
        given(waits.clone()).when(operation_ack()).then_expect_events(vec![done.clone()]);
        let over = waits.into_iter().chain([done]);
        assert!(!folded(over.clone()).is_pending("3EB0CC"));
        given(over).when(operation_ack()).then_expect_events(vec![]);
    }
}

#[test]
fn an_operation_that_whatsapp_refuses_changes_nothing() {
    let refuse = || MessageCommand::FailOperation {
        operation_id: "3EB0CC".into(),
        code: "rejected_by_whatsapp".into(),
        detail: "too late".into(),
        at: at(11),
    };
    let failed = OperationFailed {
        session_id: session(),
        whatsapp_id: "3EB0AA".into(),
        operation_id: "3EB0CC".into(),
        code: "rejected_by_whatsapp".into(),
        detail: "too late".into(),
        at: at(11),
    };
    let waits = [queued(), sent(), asked(edit("hello!"), None).into()];
    given(waits.clone()).when(refuse()).then_expect_events(vec![failed.clone().into()]);
    given(waits.into_iter().chain([failed.into()])).when(operation_ack()).then_expect_events(vec![]);
}

#[test]
fn only_what_whatsapp_has_and_would_change_is_changed() {
    let ask = |operation, author| MessageCommand::Ask(asked(operation, author));
    let deleted = || {
        let (session_id, whatsapp_id) = (session(), "3EB0AA".into());
        let by = person("15550002222");
        MessageDeleted { session_id, whatsapp_id, operation_id: None, by, at: at(4) }.into()
    };
    given([queued()]).when(ask(edit("x"), None)).then_expect_error(MessageError::NotSent);
    given([queued(), failed()]).when(ask(react("x"), None)).then_expect_error(MessageError::NotSent);
    given([]).when(ask(react("x"), None)).then_expect_error(MessageError::NotFound);
    given([queued(), sent(), deleted()]).when(ask(react("x"), None)).then_expect_error(MessageError::Deleted);
    let came_in = || MessageEvent::from(receive(false));
    for operation in [edit("x"), Operation::Delete] {
        given([came_in()])
            .when(ask(operation, Some("15550001111")))
            .then_expect_error(MessageError::NotChangeable);
    }
    let reaction = asked(react("👍"), Some("15550001111"));
    given([came_in()]).when(MessageCommand::Ask(reaction.clone())).then_expect_events(vec![reaction.into()]);
    let long = edit(&"é".repeat(65_537));
    given([queued(), sent()]).when(ask(long, None)).then_expect_error(MessageError::TooLong);
    let waiting = (0..PENDING_MAX)
        .map(|index| OperationAsked { operation_id: format!("{index}"), ..asked(react("x"), None) }.into());
    given([queued(), sent()].into_iter().chain(waiting))
        .when(ask(react("y"), None))
        .then_expect_error(MessageError::Busy);
}

#[test]
fn what_people_do_on_their_phones_counts_once_and_if_they_may() {
    let contact = "15550001111";
    let came_in = || MessageEvent::from(receive(false));
    let done = |operation: Operation, by: &str, second| {
        operation.done((session(), "3EB0BB".to_owned()), None, person(by), at(second))
    };
    let edited = done(edit("hi!"), contact, 7);
    given([came_in()]).when(observe(edit("hi!"), contact, 7)).then_expect_events(vec![edited.clone()]);
    given([came_in(), edited.clone()]).when(observe(edit("hi!"), contact, 7)).then_expect_events(vec![]);
    given([came_in(), edited]).when(observe(edit("old"), contact, 6)).then_expect_events(vec![]);
    for by in ["15550002222", "15550003333"] {
        given([came_in()]).when(observe(edit("x"), by, 7)).then_expect_events(vec![]);
        given([came_in()]).when(observe(Operation::Delete, by, 7)).then_expect_events(vec![]);
    }
    let deleted = done(Operation::Delete, contact, 8);
    given([came_in()]).when(observe(Operation::Delete, contact, 8)).then_expect_events(vec![deleted.clone()]);
    given([came_in(), deleted.clone()])
        .when(observe(Operation::Delete, contact, 9))
        .then_expect_events(vec![]);
    given([came_in(), deleted]).when(observe(edit("x"), contact, 9)).then_expect_events(vec![]);
    let liked = done(react("👍"), contact, 6);
    given([came_in()]).when(observe(react(""), contact, 6)).then_expect_events(vec![]);
    given([came_in()]).when(observe(react("👍"), contact, 6)).then_expect_events(vec![liked.clone()]);
    given([came_in(), liked.clone()]).when(observe(react("👍"), contact, 9)).then_expect_events(vec![]);
    given([came_in(), liked]).when(observe(react(""), contact, 9)).then_expect_events(vec![done(
        react(""),
        contact,
        9,
    )]);
}

#[test]
fn an_administrator_takes_back_what_others_wrote_in_a_group_and_nobody_else_does() {
    let group = Person::from_jid(Jid::parse("120363000000000001@g.us").unwrap());
    let in_group = || ReceiveMessage { chat: group.clone(), to: group.clone(), ..receive(false) };
    let by_admin = ObserveOperation {
        chat: group.clone(),
        as_admin: true,
        ..observed(Operation::Delete, "15550003333", 8)
    };
    let deleted =
        Operation::Delete.done((session(), "3EB0BB".to_owned()), None, person("15550003333"), at(8));
    given([in_group().into()])
        .when(MessageCommand::Observe(by_admin.clone()))
        .then_expect_events(vec![deleted]);
    let by_member = ObserveOperation { as_admin: false, ..by_admin.clone() };
    let elsewhere = ObserveOperation { chat: person("15550003333"), ..by_admin };
    for refused in [by_member, elsewhere] {
        given([in_group().into()]).when(MessageCommand::Observe(refused)).then_expect_events(vec![]);
    }
}

#[test]
fn an_operation_that_is_acknowledged_after_a_later_one_changes_nothing() {
    let later = OperationAsked { operation_id: "3EB0DD".into(), at: at(11), ..asked(edit("b"), None) };
    let done =
        edit("b").done((session(), "3EB0AA".into()), Some("3EB0DD".into()), person("15550002222"), at(11));
    let superseded = OperationFailed {
        session_id: session(),
        whatsapp_id: "3EB0AA".into(),
        operation_id: "3EB0CC".into(),
        code: "superseded".into(),
        detail: "A later change was made before it.".into(),
        at: at(11),
    };
    given([queued(), sent(), asked(edit("a"), None).into(), later.into(), done])
        .when(operation_ack())
        .then_expect_events(vec![superseded.into()]);
}

#[test]
fn a_message_is_changed_so_many_times() {
    let liked = |index: u32| {
        let emoji = if index.is_multiple_of(2) { "👍" } else { "" };
        react(emoji).done((session(), "3EB0BB".into()), None, person("15550001111"), at(6))
    };
    let events = std::iter::once(receive(false).into()).chain((0..CHANGES_MAX).map(liked));
    given(events).when(observe(react("👍"), "15550001111", 9)).then_expect_events(vec![]);
}

#[test]
fn a_message_is_withdrawn_while_it_waits() {
    let cancel = || MessageCommand::Cancel { at: at(1) };
    let canceled = MessageCanceled { session_id: session(), whatsapp_id: "3EB0AA".into(), at: at(1) };
    given([queued()]).when(cancel()).then_expect_events(vec![canceled.clone().into()]);
    given([queued(), canceled.clone().into()]).when(cancel()).then_expect_events(vec![]);
    given([queued(), sent()]).when(cancel()).then_expect_error(MessageError::AlreadySent);
    given([]).when(cancel()).then_expect_error(MessageError::NotFound);
    // It was on its way: WhatsApp's word stands above ours.
    given([queued(), canceled.into()]).when(ack()).then_expect_events(vec![sent()]);
}
