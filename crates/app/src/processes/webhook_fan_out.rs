//! Event → one delivery for each endpoint that wants it. It also keeps the endpoints' rows, so that an endpoint made
//! before an event is known when the event comes.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use waxwing_domain::{
    AccountId, EventId, SessionId, WebhookDeliveryId, WebhookEndpointId,
    call::CallEvent,
    message::MessageEvent,
    session::SessionEvent,
    webhook_endpoint::{WebhookEndpoint, WebhookEndpointCreated},
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{
        Bounds, Commit, FeedItem, Guard, NewJob, PortError, Query, Queue, Records, StreamName, Work, Write,
    },
    rows, told_events,
    views::WebhookView,
};

/// Most jobs that are pushed at once.
const PUSH_MAX: usize = 1_000;

/// What a delivery has to know: ids only. The body is made from the journal when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookJob {
    /// The tenant.
    pub account: AccountId,
    /// Which commit.
    pub stream: StreamName,
    /// Which commit.
    pub version: u64,
    /// Which of its events.
    pub index: usize,
    /// Which of the told events that follow from it.
    pub part: usize,
    /// Under which id it is told.
    pub event_id: EventId,
    /// Where to.
    pub endpoint: WebhookEndpointId,
}

/// An endpoint's row: what is shown of it.
pub type StoredEndpoint = WebhookView;

/// Commits → deliveries.
pub struct WebhookFanOut {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the endpoints' rows are.
    pub records: Arc<dyn Records>,
    /// Where deliveries go.
    pub work: Arc<dyn Work>,
}

/// An event as receivers are told of it, without its data.
struct Told {
    index: usize,
    part: usize,
    kind: &'static str,
    session: Option<SessionId>,
}

#[async_trait]
impl Consumer for WebhookFanOut {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["call", "message", "session", "webhook_endpoint"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let mut endpoints: HashMap<AccountId, Vec<WebhookView>> = HashMap::new();
        let mut jobs = Vec::new();
        for FeedItem { commit, .. } in items {
            if commit.stream.kind() == "webhook_endpoint" {
                self.keep(commit).await?;
                endpoints.remove(&commit.account);
                continue;
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = endpoints.entry(commit.account) {
                entry.insert(self.endpoints(commit.account).await?);
            }
            let wanting = &endpoints[&commit.account];
            if !wanting.is_empty() {
                self.jobs(commit, wanting, &mut jobs).await?;
            }
        }
        for chunk in jobs.chunks(PUSH_MAX) {
            self.work.push(Queue::WEBHOOKS, chunk.to_vec()).await?;
        }
        Ok(())
    }
}

impl WebhookFanOut {
    async fn endpoints(&self, account: AccountId) -> Result<Vec<WebhookView>, PortError> {
        let partition = keys::webhooks(account);
        let query =
            Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: PUSH_MAX };
        self.records.query(query).await?.iter().map(rows::value).collect()
    }

    /// Writes or removes the endpoint's row.
    async fn keep(&self, commit: &Commit) -> Result<(), PortError> {
        let id = WebhookEndpointId::parse(commit.stream.id())
            .map_err(|error| PortError::Corrupt(error.to_string()))?;
        let (endpoint, version) =
            self.ports.load::<WebhookEndpoint>(commit.account, commit.stream.id()).await?;
        let write = endpoint_write(commit.account, id, &endpoint, version)?;
        self.records.write_each(vec![write]).await.map(drop)
    }

    async fn jobs(
        &self,
        commit: &Commit,
        endpoints: &[WebhookView],
        jobs: &mut Vec<NewJob>,
    ) -> Result<(), PortError> {
        for told in self.told(commit).await? {
            for endpoint in endpoints.iter().filter(|endpoint| wants(endpoint, told.kind, told.session)) {
                jobs.push(job(commit, &told, endpoint.id)?);
            }
        }
        Ok(())
    }

    async fn told(&self, commit: &Commit) -> Result<Vec<Told>, PortError> {
        if commit.stream.kind() == "message" {
            let events = codec::open::<MessageEvent>(&*self.ports.secrets, commit).await?;
            let told = |(index, event): (usize, &MessageEvent)| Told {
                index,
                part: 0,
                kind: told_events::message_event_type(event),
                session: Some(told_events::message_event_session(event)),
            };
            let all = events.iter().enumerate();
            return Ok(all
                .filter(|(_, event)| told_events::is_message_event_told(event))
                .map(told)
                .collect());
        }
        if commit.stream.kind() == "call" {
            let events = codec::open::<CallEvent>(&*self.ports.secrets, commit).await?;
            let told = |(index, CallEvent::Received(call)): (usize, &CallEvent)| Told {
                index,
                part: 0,
                kind: told_events::CALL_RECEIVED,
                session: Some(call.session_id),
            };
            return Ok(events.iter().enumerate().map(told).collect());
        }
        let session = SessionId::parse(commit.stream.id()).ok();
        let events = codec::open::<SessionEvent>(&*self.ports.secrets, commit).await?;
        let mut all = Vec::new();
        for (index, event) in events.iter().enumerate() {
            for (part, (kind, _)) in told_events::session_event_data(event).into_iter().enumerate() {
                all.push(Told { index, part, kind, session });
            }
        }
        Ok(all)
    }
}

/// What an endpoint's whole stream leads to: its row, or that there is none.
pub(crate) fn endpoint_write(
    account: AccountId,
    id: WebhookEndpointId,
    endpoint: &WebhookEndpoint,
    version: u64,
) -> Result<Write, PortError> {
    let key = keys::webhook(account, id);
    Ok(match endpoint.active() {
        Some(created) => Write::Put(rows::row(key, version, &WebhookView::new(id, created))?, Guard::Newer),
        None => Write::Delete(key, Guard::Always),
    })
}

fn wants(endpoint: &WebhookView, kind: &str, session: Option<SessionId>) -> bool {
    WebhookEndpointCreated::wants_event(&endpoint.events, endpoint.session_ids.as_deref(), kind, session)
}

fn job(commit: &Commit, told: &Told, endpoint: WebhookEndpointId) -> Result<NewJob, PortError> {
    let event_id = told_events::event_part_id(
        commit.at,
        commit.account,
        &commit.stream,
        commit.version,
        told.index,
        told.part,
    );
    let unix_ms = event_id.unix_ms();
    let id = WebhookDeliveryId::derived(
        unix_ms,
        &[event_id.to_string().as_bytes(), endpoint.to_string().as_bytes()],
    );
    let job = WebhookJob {
        account: commit.account,
        stream: commit.stream.clone(),
        version: commit.version,
        index: told.index,
        part: told.part,
        event_id,
        endpoint,
    };
    let payload = serde_json::to_string(&job).map_err(|error| PortError::Corrupt(error.to_string()))?;
    Ok(NewJob { id: id.to_string(), payload, due_at: commit.at })
}
