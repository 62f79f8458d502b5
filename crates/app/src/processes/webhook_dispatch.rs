//! Delivers webhooks as Standard Webhooks, with durable retries.
//! Source of the format: the specification at standardwebhooks.com, version 1.0.0.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use waxwing_domain::{
    MessageId, Secret, SessionId, message::MessageEvent, session::SessionEvent,
    webhook_endpoint::WebhookEndpoint,
};

use super::WebhookJob;
use crate::{
    codec,
    execute::CommandPorts,
    ports::{
        Entropy, EntropyExt, Job, PortError, Queue, WebhookPost, WebhookPostError, WebhookRequest, Work,
    },
    told_events,
    views::MessageView,
};

/// Seconds to wait after the first, second, … failed try. The first try is made at once. After the last one the
/// delivery is kept among the dead letters; all tries together take about three days.
pub const RETRY_DELAYS_S: &[i64] =
    &[1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200, 43_200, 43_200];
/// Jitter: each delay is multiplied by 0.8 to 1.2.
const JITTER_PERCENT: i64 = 20;
/// How long a receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longer than a try can take.
const LEASE: Duration = Duration::from_secs(60);
/// Deliveries under way at once.
const IN_FLIGHT_MAX: usize = 128;
/// Pause after the engine failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes deliveries from the queue and makes them.
pub struct WebhookDispatch {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// The queue.
    pub work: Arc<dyn Work>,
    /// The way out.
    pub post: Arc<dyn WebhookPost>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
}

impl WebhookDispatch {
    /// Runs until `stop` becomes true; deliveries under way are finished.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let mut under_way = JoinSet::new();
        while !*stop.borrow() {
            while under_way.try_join_next().is_some() {}
            let free = slots.available_permits();
            let leased = match free {
                0 => Ok(Vec::new()),
                _ => self.work.lease(Queue::WEBHOOKS, free, LEASE).await,
            };
            let jobs = match leased {
                Ok(jobs) => jobs,
                Err(error) => {
                    tracing::warn!(%error, "webhooks wait");
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        _ = stop.changed() => {}
                    }
                    continue;
                },
            };
            if jobs.is_empty() {
                let idle = async {
                    match free {
                        0 => drop(slots.acquire().await),
                        _ => self.work.changed(Queue::WEBHOOKS).await,
                    }
                };
                tokio::select! {
                    () = idle => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            for job in jobs {
                let (this, slots) = (self.clone(), slots.clone());
                let Ok(slot) = slots.acquire_owned().await else { return };
                under_way.spawn(async move {
                    this.deliver(&job).await;
                    drop(slot);
                });
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// One try. Whatever happens, the job is completed, due again, or buried.
    async fn deliver(&self, job: &Job) {
        let ended = match self.attempt(job).await {
            Ok(()) => self.work.complete(Queue::WEBHOOKS, job).await,
            Err(Failure::Engine(error)) if error.is_transient() => {
                tracing::warn!(job = job.id, %error, "a webhook waits for the engine");
                tokio::time::sleep(PAUSE).await;
                self.retry(job, "the engine failed").await
            },
            Err(Failure::Engine(error)) => self.work.bury(Queue::WEBHOOKS, job, &error.to_string()).await,
            Err(Failure::Receiver(reason)) => self.retry(job, &reason).await,
        };
        // A lease that passed to another is no failure: that one ends the job.
        if let Err(error) =
            ended.or_else(|error| matches!(error, PortError::Conflict(_)).then_some(()).ok_or(error))
        {
            tracing::warn!(job = job.id, %error, "the end of a webhook was not recorded; it is tried again");
        }
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<(), PortError> {
        let tried = usize::try_from(job.attempts).unwrap_or(usize::MAX);
        match RETRY_DELAYS_S.get(tried.saturating_sub(1)) {
            Some(delay_s) => {
                let [random] = self.entropy.bytes::<1>();
                let percent = 100 - JITTER_PERCENT + i64::from(random) * (2 * JITTER_PERCENT) / 255;
                let delay = SignedDuration::from_millis(delay_s * 10 * percent);
                let due_at = self.ports.clock.now().checked_add(delay).unwrap_or(Timestamp::MAX);
                tracing::debug!(job = job.id, attempts = job.attempts, reason, "a webhook is tried again");
                self.work.retry(Queue::WEBHOOKS, job, due_at).await
            },
            None => self.work.bury(Queue::WEBHOOKS, job, reason).await,
        }
    }

    async fn attempt(&self, job: &Job) -> Result<(), Failure> {
        let named: WebhookJob = serde_json::from_str(&job.payload)
            .map_err(|error| PortError::Corrupt(format!("payload of a delivery: {error}")))?;
        let (endpoint, _) =
            self.ports.load::<WebhookEndpoint>(named.account, &named.endpoint.to_string()).await?;
        // Nobody is there any more to be told.
        let Some(endpoint) = endpoint.active() else { return Ok(()) };
        let body = self.body(&named).await?;
        let id = named.event_id.to_string();
        let timestamp = self.ports.clock.now().as_second();
        let signature = signature(&endpoint.secret, &id, timestamp, &body)
            .ok_or_else(|| PortError::Corrupt("secret of a webhook".to_owned()))?;
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        let request = WebhookRequest { url: endpoint.url.clone(), headers, body, timeout: TIMEOUT };
        match self.post.post(request).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(Failure::Receiver(format!("the receiver answered {status}"))),
            Err(error @ (WebhookPostError::Forbidden(_) | WebhookPostError::NoAnswer(_))) => {
                Err(Failure::Receiver(error.to_string()))
            },
        }
    }

    async fn body(&self, named: &WebhookJob) -> Result<Vec<u8>, PortError> {
        let (kind, session, at, data) = match named.stream.kind() {
            "message" => self.message_event(named).await?,
            _ => self.session_event(named).await?,
        };
        let body = json!({
            "id": named.event_id,
            "type": kind,
            "timestamp": at,
            "account_id": named.account,
            "session_id": session,
            "data": data,
        });
        serde_json::to_vec(&body).map_err(|error| PortError::Corrupt(error.to_string()))
    }

    async fn message_event(
        &self,
        named: &WebhookJob,
    ) -> Result<(&'static str, SessionId, Timestamp, Value), PortError> {
        let id =
            MessageId::parse(named.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let mut view = None;
        for commit in self.ports.journal.read(named.account, &named.stream).await? {
            for (index, event) in
                codec::open::<MessageEvent>(&*self.ports.secrets, &commit).await?.into_iter().enumerate()
            {
                view = MessageView::after(view, id, event.clone(), commit.at);
                let told = view.as_ref().filter(|_| (commit.version, index) == (named.version, named.index));
                if let Some(view) = told {
                    let data = told_events::message_event_data(id, &event, view);
                    return Ok((told_events::message_event_type(&event), view.session_id, commit.at, data));
                }
            }
        }
        Err(gone(named))
    }

    async fn session_event(
        &self,
        named: &WebhookJob,
    ) -> Result<(&'static str, SessionId, Timestamp, Value), PortError> {
        let id =
            SessionId::parse(named.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let commits = self.ports.journal.read(named.account, &named.stream).await?;
        let commit =
            commits.into_iter().find(|commit| commit.version == named.version).ok_or_else(|| gone(named))?;
        let events = codec::open::<SessionEvent>(&*self.ports.secrets, &commit).await?;
        let told = events.get(named.index).map(told_events::session_event_data).unwrap_or_default();
        let (kind, data) = told.into_iter().nth(named.part).ok_or_else(|| gone(named))?;
        Ok((kind, id, commit.at, data))
    }
}

fn gone(named: &WebhookJob) -> PortError {
    PortError::Corrupt(format!("{} has no event {}.{}", named.stream, named.version, named.index))
}

/// The `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body` under the decoded secret.
pub fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.0.strip_prefix("whsec_")?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

enum Failure {
    Engine(PortError),
    Receiver(String),
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Engine(error)
    }
}
