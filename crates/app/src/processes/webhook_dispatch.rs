//! Delivers webhooks as Standard Webhooks, with durable retries.
//! Source of the format: the specification at standardwebhooks.com, version 1.0.0.

mod slots;

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};
use waxwing_domain::{
    MessageId, Secret, SessionId, WebhookEndpointId, call::CallEvent, message::MessageEvent,
    session::SessionEvent, webhook_endpoint::WebhookEndpoint,
};

use super::WebhookJob;
use crate::{
    codec,
    execute::CommandPorts,
    ports::{
        Commit, Entropy, EntropyExt, Job, PortError, Queue, WebhookPost, WebhookPostError, WebhookRequest,
        Work,
    },
    told_events,
    views::MessageView,
    worker::JobHandler,
};
use slots::{Leased, Slots};

/// Seconds to wait after the first, second, … failed try. The first try is made at once. After the last one the
/// delivery is kept among the dead letters; all tries together take about three days.
pub const RETRY_DELAYS_S: &[i64] =
    &[1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200, 43_200, 43_200];
/// Jitter: each delay is multiplied by 0.8 to 1.2.
const JITTER_PERCENT: i64 = 20;
/// How long a receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longer than a delivery can wait here for its endpoint and a try can take.
const LEASE: Duration = Duration::from_secs(60);
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

/// What came of a look into the queue.
#[derive(Default)]
struct Due {
    leased: Vec<Leased>,
    /// More may be due.
    more: bool,
}

/// Where jobs are not looked for but handed over.
#[async_trait]
impl JobHandler for WebhookDispatch {
    fn queue(&self) -> Queue {
        Queue::WEBHOOKS
    }

    async fn handle(&self, job: Job) -> Result<(), PortError> {
        match serde_json::from_str(&job.payload) {
            Ok(named) => self.try_and_end(&Leased { job, named }).await,
            Err(error) => self.work.bury(Queue::WEBHOOKS, &job, &unreadable(&error).to_string()).await,
        }
    }
}

impl WebhookDispatch {
    /// Runs until `stop` becomes true; deliveries under way are finished, and those that wait go back into the queue.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (mut slots, mut under_way) = (Slots::default(), JoinSet::new());
        let mut begun: HashMap<task::Id, (WebhookEndpointId, Instant)> = HashMap::new();
        let mut look: Option<Pin<Box<dyn Future<Output = Due> + Send>>> = None;
        let mut more = true;
        while !*stop.borrow() {
            let now = Instant::now();
            for leased in slots.start(now) {
                let (this, endpoint) = (self.clone(), leased.named.endpoint);
                let delivery = under_way.spawn(async move { this.deliver(&leased).await });
                begun.insert(delivery.id(), (endpoint, now));
            }
            self.give_back(slots.late(now)).await;
            let room = slots.room();
            if look.is_none() && room > 0 {
                look = Some(Box::pin(self.clone().look(room, more, stop.clone())));
            }
            tokio::select! {
                Some(ended) = under_way.join_next_with_id() => {
                    let id = ended.map_or_else(|panicked| panicked.id(), |(id, ())| id);
                    if let Some((endpoint, began)) = begun.remove(&id) {
                        slots.ended(endpoint, began, Instant::now());
                    }
                },
                Some(due) = found(&mut look) => {
                    (look, more) = (None, due.more);
                    due.leased.into_iter().for_each(|leased| slots.wait(leased, Instant::now()));
                },
                () = sleep_until(slots.look_at().unwrap_or(now)), if slots.look_at().is_some() => {},
                _ = stop.changed() => {},
            }
        }
        // A look that was begun is waited for, or what it leases would count as tried.
        let due = found(&mut look).await.unwrap_or_default();
        let left = slots.take_waiting().into_iter().chain(due.leased);
        self.give_back(left.map(|leased| (leased, Duration::ZERO)).collect()).await;
        while under_way.join_next().await.is_some() {}
    }

    /// Leases what is due; first waits until something may be, unless `more` is known to be. Leases nothing after `stop`.
    async fn look(self: Arc<Self>, limit: usize, more: bool, mut stop: watch::Receiver<bool>) -> Due {
        if !more {
            tokio::select! {
                () = self.work.changed(Queue::WEBHOOKS) => {}
                _ = stop.changed() => {}
            }
        }
        if *stop.borrow() {
            return Due::default();
        }
        match self.work.lease(Queue::WEBHOOKS, limit, LEASE).await {
            Ok(jobs) => {
                let more = jobs.len() >= limit;
                let leased = join_all(jobs.into_iter().map(|job| self.read(job))).await;
                Due { leased: leased.into_iter().flatten().collect(), more }
            },
            Err(error) => {
                tracing::warn!(%error, "webhooks wait");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = stop.changed() => {}
                }
                Due { leased: Vec::new(), more: true }
            },
        }
    }

    /// The delivery with what it names; one that cannot be read is buried.
    async fn read(&self, job: Job) -> Option<Leased> {
        match serde_json::from_str(&job.payload) {
            Ok(named) => Some(Leased { job, named }),
            Err(error) => {
                let reason = unreadable(&error).to_string();
                self.note(&job, self.work.bury(Queue::WEBHOOKS, &job, &reason).await);
                None
            },
        }
    }

    /// Puts deliveries back that were leased and not tried, each to be due after its time. They lose no try by it.
    async fn give_back(&self, late: Vec<(Leased, Duration)>) {
        let now = self.ports.clock.now();
        join_all(late.into_iter().map(|(Leased { job, .. }, after)| async move {
            let due_at = now.checked_add(after).unwrap_or(Timestamp::MAX);
            let job = Job { attempts: job.attempts.saturating_sub(1), ..job };
            self.note(&job, self.work.retry(Queue::WEBHOOKS, &job, due_at).await);
        }))
        .await;
    }

    async fn deliver(&self, leased: &Leased) {
        self.note(&leased.job, self.try_and_end(leased).await);
    }

    /// One try. Whatever happens, the job is completed, due again, or buried.
    async fn try_and_end(&self, Leased { job, named }: &Leased) -> Result<(), PortError> {
        match self.attempt(named).await {
            Ok(()) => self.work.complete(Queue::WEBHOOKS, job).await,
            Err(Failure::Engine(error)) if error.is_transient() => {
                tracing::warn!(job = job.id, %error, "a webhook waits for the engine");
                tokio::time::sleep(PAUSE).await;
                self.retry(job, "the engine failed").await
            },
            Err(Failure::Engine(error)) => self.work.bury(Queue::WEBHOOKS, job, &error.to_string()).await,
            Err(Failure::Receiver(reason)) => self.retry(job, &reason).await,
        }
    }

    /// A lease that passed to another is no failure: that one ends the job.
    fn note(&self, job: &Job, ended: Result<(), PortError>) {
        if let Err(error) =
            ended.or_else(|error| matches!(error, PortError::Conflict(_)).then_some(()).ok_or(error))
        {
            tracing::warn!(job = job.id, %error, "the end of a webhook was not recorded; it is tried again");
        }
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<(), PortError> {
        let [random] = self.entropy.bytes::<1>();
        match retry_delay(job.attempts, random) {
            Some(delay) => {
                let due_at = self.ports.clock.now().checked_add(delay).unwrap_or(Timestamp::MAX);
                tracing::debug!(job = job.id, tries = job.attempts, reason, "a webhook is tried again");
                self.work.retry(Queue::WEBHOOKS, job, due_at).await
            },
            None => self.work.bury(Queue::WEBHOOKS, job, reason).await,
        }
    }

    async fn attempt(&self, named: &WebhookJob) -> Result<(), Failure> {
        let (endpoint, _) =
            self.ports.load::<WebhookEndpoint>(named.account, &named.endpoint.to_string()).await?;
        // Nobody is there any more to be told.
        let Some(endpoint) = endpoint.active() else { return Ok(()) };
        let told = self.told(named).await?;
        let body = told.body(named)?;
        let id = named.event_id.to_string();
        let timestamp = self.ports.clock.now().as_second();
        let signature = signature(&endpoint.secret, &id, timestamp, &body)
            .ok_or_else(|| PortError::Corrupt("secret of a webhook".to_owned()))?;
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        let span = u64::from_be_bytes(self.entropy.bytes()).max(1);
        let traceparent = told.trace_id.map(|trace_id| format!("00-{trace_id}-{span:016x}-01"));
        let url = endpoint.url.clone();
        let request = WebhookRequest { url, headers, traceparent, body, timeout: TIMEOUT };
        match self.post.post(request).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(Failure::Receiver(format!("the receiver answered {status}"))),
            Err(error @ (WebhookPostError::Forbidden(_) | WebhookPostError::NoAnswer(_))) => {
                Err(Failure::Receiver(error.to_string()))
            },
        }
    }

    async fn told(&self, named: &WebhookJob) -> Result<Told, PortError> {
        match named.stream.kind() {
            "message" => self.message_event(named).await,
            "call" => self.call_event(named).await,
            _ => self.session_event(named).await,
        }
    }

    async fn message_event(&self, named: &WebhookJob) -> Result<Told, PortError> {
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
                    let kind = told_events::message_event_type(&event);
                    return Ok(Told::of(&commit, kind, view.session_id, data));
                }
            }
        }
        Err(gone(named))
    }

    /// The commit that it is about.
    async fn commit(&self, named: &WebhookJob) -> Result<Commit, PortError> {
        let commits = self.ports.journal.read(named.account, &named.stream).await?;
        commits.into_iter().find(|commit| commit.version == named.version).ok_or_else(|| gone(named))
    }

    async fn call_event(&self, named: &WebhookJob) -> Result<Told, PortError> {
        let commit = self.commit(named).await?;
        let events = codec::open::<CallEvent>(&*self.ports.secrets, &commit).await?;
        let event @ CallEvent::Received(call) = events.get(named.index).ok_or_else(|| gone(named))?;
        let data = told_events::call_event_data(event);
        Ok(Told::of(&commit, told_events::CALL_RECEIVED, call.session_id, data))
    }

    async fn session_event(&self, named: &WebhookJob) -> Result<Told, PortError> {
        let id =
            SessionId::parse(named.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let commit = self.commit(named).await?;
        let events = codec::open::<SessionEvent>(&*self.ports.secrets, &commit).await?;
        let told = events.get(named.index).map(told_events::session_event_data).unwrap_or_default();
        let (kind, data) = told.into_iter().nth(named.part).ok_or_else(|| gone(named))?;
        Ok(Told::of(&commit, kind, id, data))
    }
}

/// An event as receivers are told of it.
struct Told {
    kind: &'static str,
    session: SessionId,
    at: Timestamp,
    data: Value,
    trace_id: Option<String>,
}

impl Told {
    fn of(commit: &Commit, kind: &'static str, session: SessionId, data: Value) -> Self {
        Self { kind, session, at: commit.at, data, trace_id: commit.trace_id.clone() }
    }

    fn body(&self, named: &WebhookJob) -> Result<Vec<u8>, PortError> {
        let body = json!({
            "id": named.event_id,
            "type": self.kind,
            "timestamp": self.at,
            "account_id": named.account,
            "session_id": self.session,
            "data": self.data,
        });
        serde_json::to_vec(&body).map_err(|error| PortError::Corrupt(error.to_string()))
    }
}

/// What the look that is under way finds; `None` when there is none.
async fn found(look: &mut Option<Pin<Box<dyn Future<Output = Due> + Send>>>) -> Option<Due> {
    match look {
        Some(look) => Some(look.await),
        None => None,
    }
}

/// How long to wait after so many failed tries, with jitter from `random`; `None` when it was the last one.
fn retry_delay(tries: u32, random: u8) -> Option<SignedDuration> {
    let place = usize::try_from(tries.saturating_sub(1)).ok()?;
    let percent = 100 - JITTER_PERCENT + i64::from(random) * (2 * JITTER_PERCENT) / 255;
    RETRY_DELAYS_S.get(place).map(|delay_s| SignedDuration::from_millis(delay_s * 10 * percent))
}

fn unreadable(error: &serde_json::Error) -> PortError {
    PortError::Corrupt(format!("payload of a delivery: {error}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 24 * 60 * 60;

    /// When each try is made, in milliseconds after the event, if every one before it failed at once.
    fn tries_ms(random: u8) -> Vec<i64> {
        let delays = (1..).map_while(|tries| retry_delay(tries, random));
        let after = delays.scan(0, |at, delay| {
            *at += i64::try_from(delay.as_millis()).unwrap();
            Some(*at)
        });
        std::iter::once(0).chain(after).collect()
    }

    #[test]
    fn the_first_tries_come_within_two_minutes_and_the_pauses_grow() {
        let middle: Vec<i64> = (1..=5).map(|tries| retry_delay(tries, 127).unwrap().as_secs()).collect();
        let wanted = [1, 5, 15, 30, 60];
        assert!(
            middle.iter().zip(wanted).all(|(delay, wanted)| (wanted - 1..=wanted).contains(delay)),
            "{middle:?}"
        );
        assert_eq!(RETRY_DELAYS_S[..5], wanted);
        assert!(RETRY_DELAYS_S.is_sorted());
    }

    #[test]
    fn every_pause_has_a_jitter_of_a_fifth_both_ways() {
        for (tries, delay_s) in (1..).zip(RETRY_DELAYS_S) {
            let delays: Vec<_> =
                (0..=u8::MAX).map(|random| retry_delay(tries, random).unwrap().as_millis()).collect();
            let middle_ms = i128::from(*delay_s) * 1_000;
            assert_eq!(delays.first(), Some(&(middle_ms * 8 / 10)));
            assert_eq!(delays.last(), Some(&(middle_ms * 12 / 10)));
            assert!(delays.is_sorted());
        }
    }

    #[test]
    fn nothing_is_given_up_in_the_first_day_whatever_the_jitter() {
        for random in 0..=u8::MAX {
            let tries = tries_ms(random);
            assert!(tries.last().is_some_and(|last_ms| *last_ms > DAY_S * 1_000), "{tries:?}");
            let first_day = tries.iter().take_while(|at_ms| **at_ms <= DAY_S * 1_000).count();
            assert!((13..=14).contains(&first_day), "{first_day} tries in the first day");
            // So that a receiver that is back hears of it the same day.
            let pauses_ms = tries.windows(2).take(first_day - 1).map(|pair| pair[1] - pair[0]);
            assert!(pauses_ms.max().is_some_and(|pause_ms| pause_ms <= DAY_S / 2 * 1_000));
        }
    }
}
