//! The use cases on a fixture, and what stands in its tables.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use waxwing_admin::SilentGateway;
use waxwing_app::{
    commands::{AccountLimits, Commands, NewMessage, NewSession, NewWebhook, Once, Outcomes},
    execute::{Cause, CommandPorts},
    feed::Consumer,
    id_source::IdSource,
    identities::Identities,
    kept_mail::{KeptMail, KeptMailView},
    ports::{Clock as _, FeedItem, StreamName},
    processes::{Delivery, MailDispatch, MailJob},
    projections::{AuditProjection, DirectoryProjection, MessageProjection, SessionProjection},
    views::MessageView,
};
use waxwing_aws::{AwsWork, JournalScan, StreamFilter};
use waxwing_domain::{
    AccountId, Content, Context, Jid, MessageId, Network, Person, SessionId, Text, WebhookEndpointId,
    message::{ReceiptStep, ReceiveMessage, RecordReceipt},
    session::SessionSettings,
};

use crate::fixture::{Fixture, account, entropy};

pub(crate) const CHAT: &str = "15550001111@s.whatsapp.net";

/// An item as it can be compared: without the random bytes of the call that wrote it.
pub(crate) type Shown = BTreeMap<String, String>;

pub(crate) struct World {
    pub(crate) fixture: Fixture,
    pub(crate) ports: CommandPorts,
    pub(crate) commands: Commands,
    pub(crate) outcomes: Outcomes,
    pub(crate) session: SessionId,
}

impl World {
    /// Has the mails of commits kept, and gives all that are.
    pub(crate) async fn kept_mails(&self, items: &[FeedItem]) -> Vec<KeptMailView> {
        let Fixture { config, engine, clock, .. } = &self.fixture;
        let mail = Arc::new(KeptMail { ports: self.ports.clone(), records: engine.records() });
        // No queue stands between here.
        let work = Arc::new(AwsWork::new(config, Vec::new(), engine.records(), clock.clone(), entropy()));
        let dispatch = MailDispatch { ports: self.ports.clone(), work, mailer: mail.clone() };
        for job in items.iter().filter_map(|item| MailJob::of(&item.commit)) {
            dispatch.send(&job).await.unwrap();
        }
        mail.list().await.unwrap()
    }

    /// With one session.
    pub(crate) async fn new(fixture: Fixture) -> Self {
        let clock = fixture.clock.clone();
        let ports = CommandPorts::new(fixture.engine.journal(), fixture.engine.secrets(), clock.clone());
        let (entropy, records) = (entropy(), fixture.engine.records());
        let commands = Commands {
            ports: ports.clone(),
            records: records.clone(),
            entropy: entropy.clone(),
            ids: Arc::new(IdSource::new(clock, entropy)),
            network: Network::Sandbox,
            limits: AccountLimits::default(),
        };
        let outcomes = Outcomes { ports: ports.clone(), identities: Identities::new(records) };
        let session = make_session(&commands, "shop").await;
        Self { fixture, ports, commands, outcomes, session }
    }

    pub(crate) async fn session(&self, name: &str) -> SessionId {
        make_session(&self.commands, name).await
    }

    pub(crate) async fn send(&self, text: String) -> MessageView {
        let content = Content::Text { text: Text(text), link_preview: true };
        let new = NewMessage::new(self.session, Jid::parse(CHAT).unwrap(), content);
        match self.commands.send_message(account(), new, None, &cause()).await.unwrap() {
            Once::Done(view) => view,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    /// WhatsApp has the message now.
    pub(crate) async fn sent(&self, id: MessageId) {
        self.outcomes.sent(account(), &id.into(), self.now()).await.unwrap();
    }

    /// Its recipient has it, and read it.
    pub(crate) async fn receipts(&self, id: MessageId) {
        for step in [ReceiptStep::Delivered, ReceiptStep::Read] {
            let recipient = Person::from_jid(Jid::parse(CHAT).unwrap());
            let receipt = RecordReceipt { step, recipient, at: self.now() };
            self.outcomes.receipt(account(), self.session, id, receipt).await.unwrap();
        }
    }

    /// Somebody wrote, at this time.
    pub(crate) async fn receive(&self, whatsapp_id: &str, at: Timestamp) -> MessageId {
        let person = |jid: &str| Person::from_jid(Jid::parse(jid).unwrap());
        let message = ReceiveMessage {
            session_id: self.session,
            chat: person(CHAT),
            from: person(CHAT),
            to: person("15550009999@s.whatsapp.net"),
            from_me: false,
            whatsapp_id: whatsapp_id.to_owned(),
            content: Content::Text { text: Text("Hello".to_owned()), link_preview: true },
            context: Context::default(),
            at,
        };
        self.outcomes.received(account(), message).await.unwrap()
    }

    pub(crate) async fn endpoint(&self, url: &str) -> WebhookEndpointId {
        let new = NewWebhook {
            url: url.to_owned(),
            events: vec!["*".to_owned()],
            session_ids: None,
            description: None,
        };
        match self.commands.create_webhook(account(), new, None, &cause()).await.unwrap() {
            Once::Done(made) => made.view.id,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.fixture.clock.advance(time);
    }

    pub(crate) fn projections(&self) -> Vec<Arc<dyn Consumer>> {
        let (ports, records) = (self.ports.clone(), self.fixture.engine.records());
        vec![
            Arc::new(AuditProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(DirectoryProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(MessageProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(SessionProjection { ports, records, gateway: Arc::new(SilentGateway) }),
        ]
    }

    /// All that was committed, as the feed would bring it, and in the order of its streams.
    pub(crate) async fn feed(&self) -> Vec<FeedItem> {
        let scan = JournalScan { segment: 0, segments: 1, wanted: StreamFilter::All, page_limit: None };
        let mut streams: Vec<(AccountId, StreamName)> = Vec::new();
        let mut next = None;
        loop {
            let page = self.fixture.engine.scan_journal(&scan, next.as_deref()).await.unwrap();
            streams.extend(page.streams);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        streams.sort();
        let mut items = Vec::new();
        for (account, stream) in streams {
            items.extend(self.fixture.engine.feed_of(account, &stream).await.unwrap());
        }
        items
    }

    /// Brings the rows up to the journal as the feed would.
    pub(crate) async fn project(&self) {
        let items = self.feed().await;
        // The index of a message out by WhatsApp's id comes from there.
        let delivery: Arc<dyn Consumer> = Arc::new(Delivery {
            ports: self.ports.clone(),
            records: self.fixture.engine.records(),
            gateway: Arc::new(SilentGateway),
        });
        for consumer in self.projections().into_iter().chain([delivery]) {
            let is_its = |item: &&FeedItem| consumer.kinds().contains(&item.commit.stream.kind());
            let items: Vec<FeedItem> = items.iter().filter(is_its).cloned().collect();
            for batch in items.chunks(100) {
                consumer.handle(batch).await.unwrap();
            }
        }
    }

    /// All of the table of records, by key.
    pub(crate) async fn table(&self) -> BTreeMap<(String, String), Shown> {
        let scan = self.fixture.dynamo().scan().table_name(&self.fixture.settings.records_table);
        let mut items = scan.consistent_read(true).into_paginator().items().send();
        let mut table = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.unwrap();
            let text = |name: &str| item[name].as_s().unwrap().clone();
            let shown = item.iter().filter(|(name, _)| *name != "w");
            let shown = shown.map(|(name, value)| (name.clone(), shown_value(value)));
            table.insert((text("pk"), text("sk")), shown.collect());
        }
        table
    }

    /// The keys of the read models' rows.
    pub(crate) async fn read_models(&self) -> Vec<(String, String)> {
        let kept = ["/data-keys", "/phone-of-lid", "/outbox"];
        let table = self.table().await;
        table.into_keys().filter(|(pk, _)| !kept.iter().any(|kept| pk.ends_with(kept))).collect()
    }

    pub(crate) async fn delete(&self, (pk, sk): &(String, String)) {
        let delete = self.fixture.dynamo().delete_item().table_name(&self.fixture.settings.records_table);
        delete
            .key("pk", AttributeValue::S(pk.clone()))
            .key("sk", AttributeValue::S(sk.clone()))
            .send()
            .await
            .unwrap();
    }

    /// Sets an attribute of a row, or removes it.
    pub(crate) async fn damage(
        &self,
        (pk, sk): &(String, String),
        name: &str,
        value: Option<AttributeValue>,
    ) {
        let update = self.fixture.dynamo().update_item().table_name(&self.fixture.settings.records_table);
        let update = update
            .key("pk", AttributeValue::S(pk.clone()))
            .key("sk", AttributeValue::S(sk.clone()))
            .expression_attribute_names("#name", name);
        let update = match value {
            Some(value) => {
                update.update_expression("SET #name = :value").expression_attribute_values(":value", value)
            },
            None => update.update_expression("REMOVE #name"),
        };
        update.send().await.unwrap();
    }
}

fn shown_value(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::B(bytes) => String::from_utf8_lossy(bytes.as_ref()).into_owned(),
        other => panic!("no row has {other:?}"),
    }
}

async fn make_session(commands: &Commands, name: &str) -> SessionId {
    let settings = SessionSettings::default();
    let new = NewSession { name: name.to_owned(), phone_number: None, start: true, settings };
    match commands.create_session(account(), new, None, &cause()).await.unwrap() {
        Once::Done(session) => session.id,
        Once::Repeated(_) => unreachable!("the request has no key"),
    }
}

pub(crate) fn cause() -> Cause {
    Cause {
        actor: "key_01KB0000000000000000000000".to_owned(),
        request_id: Some("req_01KB0000000000000000000000".to_owned()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        address: None,
    }
}
