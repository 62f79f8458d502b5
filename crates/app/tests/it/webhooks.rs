use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinHandle};
use waxwing_app::{
    commands::{NewWebhook, Once},
    execute::Cause,
    ports::{
        Clock as _, DeadJob, Job, NewJob, PortError, Queue, WebhookPost, WebhookPostError, WebhookRequest,
        Work,
    },
    processes::{WebhookDispatch, WebhookFanOut, signature},
};
use waxwing_conformance::TestClock;
use waxwing_domain::{Secret, SessionId};

use crate::world::{World, account, entropy, until};

const CHAT: &str = "15550002222@s.whatsapp.net";
const SLOW: &str = "https://slow.example/hook";
const QUICK: &str = "https://quick.example/hook";
/// Deliveries under way to one endpoint.
const PER_ENDPOINT: usize = 16;

/// What a receiver does with a delivery.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    Nothing,
}

/// The receivers: each answers as it was told, and says 200 when it was told nothing. One of them may hang.
#[derive(Default)]
struct Receivers {
    answers: Mutex<HashMap<&'static str, Vec<Answer>>>,
    hangs: watch::Sender<Option<&'static str>>,
    began: watch::Sender<Vec<WebhookRequest>>,
    /// Ids that were answered, by receiver.
    ended: watch::Sender<Vec<(String, String)>>,
}

impl Receivers {
    fn ids(requests: &[WebhookRequest], url: &str) -> Vec<String> {
        requests
            .iter()
            .filter(|request| request.url == url)
            .map(|request| request.headers[0].1.clone())
            .collect()
    }

    /// The ids of so many deliveries to the receiver, once they began.
    async fn began(&self, url: &str, count: usize) -> Vec<String> {
        let enough = |requests: &Vec<WebhookRequest>| Self::ids(requests, url).len() >= count;
        Self::ids(&until(&format!("{count} deliveries to {url}"), &self.began, enough).await, url)
    }

    /// How many are under way to the receiver.
    fn under_way(&self, url: &str) -> usize {
        let ended = self.ended.borrow().iter().filter(|(to, _)| to == url).count();
        Self::ids(&self.began.borrow(), url).len() - ended
    }
}

#[async_trait]
impl WebhookPost for Receivers {
    async fn post(&self, request: WebhookRequest) -> Result<u16, WebhookPostError> {
        let (url, id) = (request.url.clone(), request.headers[0].1.clone());
        self.began.send_modify(|all| all.push(request));
        let free = |hangs: &Option<&str>| *hangs != Some(url.as_str());
        self.hangs.subscribe().wait_for(free).await.unwrap();
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            let left = answers.iter_mut().find(|(of, left)| **of == url && !left.is_empty());
            left.map_or(Answer::Status(200), |(_, left)| left.remove(0))
        };
        self.ended.send_modify(|all| all.push((url, id)));
        match answer {
            Answer::Status(status) => Ok(status),
            Answer::Nothing => Err(WebhookPostError::NoAnswer("the connection broke".to_owned())),
        }
    }

    fn check(&self, _url: &str) -> Result<(), WebhookPostError> {
        Ok(())
    }
}

/// How a lease ended.
#[derive(Debug, Clone, PartialEq)]
enum Ended {
    Completed,
    /// Due again after this time.
    Again(SignedDuration),
    Buried,
}

/// A queue that tells how leases end.
struct Watched {
    inner: Arc<dyn Work>,
    clock: Arc<TestClock>,
    ended: watch::Sender<Vec<(String, Ended)>>,
    /// Jobs under a lease.
    leased: watch::Sender<usize>,
}

impl Watched {
    /// The ends of leases from this one on, once there are so many.
    async fn ended(&self, from: usize, count: usize) -> Vec<(String, Ended)> {
        let what = format!("{count} ends of leases");
        until(&what, &self.ended, |ended| ended.len() >= from + count).await.split_off(from)
    }

    fn tell(&self, job: &Job, ended: Ended) {
        self.leased.send_modify(|leased| *leased -= 1);
        self.ended.send_modify(|all| all.push((job.id.clone(), ended)));
    }
}

#[async_trait]
impl Work for Watched {
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError> {
        self.inner.push(queue, jobs).await
    }

    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError> {
        let jobs = self.inner.lease(queue, limit, lease).await?;
        self.leased.send_modify(|leased| *leased += jobs.len());
        Ok(jobs)
    }

    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError> {
        self.inner.complete(queue, job).await?;
        self.tell(job, Ended::Completed);
        Ok(())
    }

    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError> {
        let after = due_at.duration_since(self.clock.now());
        self.inner.retry(queue, job, due_at).await?;
        self.tell(job, Ended::Again(after));
        Ok(())
    }

    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError> {
        self.inner.bury(queue, job, reason).await?;
        self.tell(job, Ended::Buried);
        Ok(())
    }

    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        self.inner.dead(queue, limit).await
    }

    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        self.inner.redrive(queue, id).await
    }

    async fn discard(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        self.inner.discard(queue, id).await
    }

    async fn changed(&self, queue: Queue) {
        self.inner.changed(queue).await;
    }
}

/// A world that delivers webhooks.
struct Office {
    world: World,
    session: SessionId,
    fan_out: WebhookFanOut,
    receivers: Arc<Receivers>,
    work: Arc<Watched>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Office {
    async fn open() -> Self {
        let world = World::new();
        let session = world.session("shop").await;
        let (work, records) = (world.engine.work(), world.engine.records());
        let fan_out = WebhookFanOut { ports: world.ports.clone(), records, work };
        let work = Arc::new(Watched {
            inner: world.engine.work(),
            clock: world.clock.clone(),
            ended: watch::Sender::default(),
            leased: watch::Sender::default(),
        });
        let receivers = Arc::new(Receivers::default());
        let stop = watch::Sender::new(false);
        let dispatch = WebhookDispatch {
            ports: world.ports.clone(),
            work: work.clone(),
            post: receivers.clone(),
            entropy: entropy(),
        };
        let task = tokio::spawn(Arc::new(dispatch).run(stop.subscribe()));
        Self { world, session, fan_out, receivers, work, stop, task }
    }

    async fn subscribe(&self, url: &str) -> Secret {
        let events = vec!["message.status".to_owned()];
        let new = NewWebhook { url: url.to_owned(), events, session_ids: None, description: None };
        let made = self.world.commands.create_webhook(account(), new, None, &Cause::system()).await.unwrap();
        match made {
            Once::Done(created) => created.secret,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    /// So many events for every endpoint.
    async fn events(&self, count: usize) {
        for number in 0..count {
            self.world.send(self.session, CHAT, &format!("{number}")).await;
        }
        self.world.follow(&self.fan_out).await;
    }

    fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Stops the dispatcher, which gives back what waits.
    async fn stop(self) -> World {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.world
    }
}

/// True when it is a wait of so many seconds, with the jitter.
fn about(after: &Ended, seconds: i64) -> bool {
    matches!(after, Ended::Again(after) if (seconds * 800..=seconds * 1_200).contains(&(after.as_millis() as i64)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_holds_up_nobody_else() {
    let office = Office::open().await;
    office.subscribe(SLOW).await;
    office.receivers.hangs.send_replace(Some(SLOW));
    // More than are held at once: the other's stand behind all of them.
    office.events(600).await;
    office.receivers.began(SLOW, PER_ENDPOINT).await;
    office.subscribe(QUICK).await;
    office.events(PER_ENDPOINT).await;
    assert_eq!(office.receivers.began(QUICK, PER_ENDPOINT).await.len(), PER_ENDPOINT);
    assert_eq!(office.receivers.under_way(SLOW), PER_ENDPOINT, "and it has all of its own slots");

    // What cannot be delivered goes back.
    let ended = office.work.ended(0, 600 + PER_ENDPOINT).await;
    assert_eq!(ended.iter().filter(|(_, ended)| *ended == Ended::Completed).count(), PER_ENDPOINT);
    let away = ended.iter().filter_map(|(_, ended)| match ended {
        Ended::Again(after) => Some(after.as_secs()),
        _ => None,
    });
    assert!(away.clone().count() == 600 && away.clone().all(|away| (1..=60).contains(&away)), "{ended:?}");
    assert_eq!(office.receivers.began(SLOW, 0).await.len(), PER_ENDPOINT, "none of them was tried");

    // It answers again: everything arrives, and nothing twice.
    office.receivers.hangs.send_replace(None);
    let mut seen = 600 + PER_ENDPOINT;
    while office.receivers.began(SLOW, 0).await.len() < 600 + PER_ENDPOINT {
        office.work.ended(seen, 1).await;
        until("the end of all leases", &office.work.leased, |leased| *leased == 0).await;
        // As long as a lease, and as long as a delivery stays away at most.
        office.advance(Duration::from_secs(60));
        seen = office.work.ended(0, 0).await.len();
    }
    let mut ids = office.receivers.began(SLOW, 0).await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 600 + PER_ENDPOINT);
    assert_eq!(office.receivers.began(SLOW, 0).await.len(), 600 + PER_ENDPOINT);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_went_back_untried_has_all_its_tries_before_it() {
    let office = Office::open().await;
    office.subscribe(SLOW).await;
    office.receivers.hangs.send_replace(Some(SLOW));
    office.events(2 * PER_ENDPOINT).await;
    let receivers = &office.receivers;
    receivers.began(SLOW, PER_ENDPOINT).await;
    // Back into the queue once, and again, and again.
    let mut back = Vec::new();
    for round in 0..3 {
        // Both times together are shorter than a lease: those under way stay under way.
        office.advance(Duration::from_secs(if round == 0 { 0 } else { 25 }));
        back = office.work.ended(round * PER_ENDPOINT, PER_ENDPOINT).await;
        assert!(back.iter().all(|(_, ended)| matches!(ended, Ended::Again(_))), "{back:?}");
    }
    let mut answers = vec![Answer::Status(200); PER_ENDPOINT];
    answers.extend([Answer::Status(500); PER_ENDPOINT]);
    receivers.answers.lock().unwrap().insert(SLOW, answers);
    receivers.hangs.send_replace(None);
    let ended = office.work.ended(3 * PER_ENDPOINT, PER_ENDPOINT).await;
    assert!(ended.iter().all(|(_, ended)| *ended == Ended::Completed), "{ended:?}");
    office.advance(Duration::from_secs(25));
    let ended = office.work.ended(4 * PER_ENDPOINT, PER_ENDPOINT).await;
    let first_try = |id: &String| ended.iter().find(|(other, _)| other == id).map(|(_, ended)| ended);
    for (id, _) in &back {
        assert!(first_try(id).is_some_and(|ended| about(ended, 1)), "the first try of it failed: {ended:?}");
    }
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_a_stop_goes_back_and_is_delivered_once_after_it() {
    let office = Office::open().await;
    office.subscribe(SLOW).await;
    office.receivers.hangs.send_replace(Some(SLOW));
    office.events(PER_ENDPOINT + 5).await;
    office.receivers.began(SLOW, PER_ENDPOINT).await;
    let (work, receivers, stop) = (office.work.clone(), office.receivers.clone(), office.stop.clone());
    stop.send_replace(true);
    let back = work.ended(0, 5).await;
    assert!(back.iter().all(|(_, ended)| matches!(ended, Ended::Again(_))), "{back:?}");
    receivers.hangs.send_replace(None);
    let world = office.stop().await;
    let ended = work.ended(5, PER_ENDPOINT).await;
    assert!(ended.iter().all(|(_, ended)| *ended == Ended::Completed), "what was under way is finished");

    world.clock.advance(Duration::from_secs(60));
    let jobs = world.engine.work().lease(Queue::WEBHOOKS, 100, Duration::from_secs(60)).await.unwrap();
    let mut ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    let mut wanted: Vec<&str> = back.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(ids, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_and_recovers_gets_the_event_under_the_same_id() {
    let office = Office::open().await;
    let secret = office.subscribe(SLOW).await;
    let failures =
        [Answer::Status(500), Answer::Nothing, Answer::Status(301), Answer::Status(429), Answer::Status(404)];
    office.receivers.answers.lock().unwrap().insert(SLOW, failures.to_vec());
    office.events(1).await;
    for (tries, delay_s) in [1, 5, 15, 30, 60].into_iter().enumerate() {
        let ended = office.work.ended(tries, 1).await;
        assert!(about(&ended[0].1, delay_s), "try {tries}: {ended:?}");
        office.advance(Duration::from_millis(delay_s.unsigned_abs() * 1_200));
    }
    assert_eq!(office.work.ended(failures.len(), 1).await[0].1, Ended::Completed);

    let requests = office.receivers.began.borrow().clone();
    assert_eq!(requests.len(), failures.len() + 1);
    for request in &requests {
        let [(_, id), (_, timestamp), (_, signed)] = &request.headers;
        assert_eq!((id, &request.body), (&requests[0].headers[0].1, &requests[0].body));
        assert_eq!(*signed, signature(&secret, id, timestamp.parse().unwrap(), &request.body).unwrap());
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["id"], **id);
    }
    let signed_at: Vec<&String> = requests.iter().map(|request| &request.headers[1].1).collect();
    assert!(signed_at.is_sorted() && signed_at[0] != signed_at[5], "each try is signed at its own time");

    // It was the last of it.
    office.advance(Duration::from_secs(86_400));
    office.events(1).await;
    office.receivers.began(SLOW, requests.len() + 1).await;
    assert_eq!(office.work.ended(failures.len() + 1, 1).await[0].1, Ended::Completed);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_well_has_its_event_kept_and_redriven_from_the_start() {
    let office = Office::open().await;
    office.subscribe(SLOW).await;
    let tries = waxwing_app::processes::RETRY_DELAYS_S.len() + 1;
    office.receivers.answers.lock().unwrap().insert(SLOW, vec![Answer::Status(500); tries]);
    office.events(1).await;
    for failed in 1..tries {
        office.work.ended(failed - 1, 1).await;
        office.advance(Duration::from_secs(52_000));
    }
    assert_eq!(office.work.ended(tries - 1, 1).await[0].1, Ended::Buried);
    let dead = office.world.engine.work().dead(Queue::WEBHOOKS, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str()), (1, "the receiver answered 500"));
    assert_eq!(office.receivers.began(SLOW, tries).await.len(), tries);

    office.receivers.answers.lock().unwrap().insert(SLOW, vec![Answer::Status(500)]);
    office.world.engine.work().redrive(Queue::WEBHOOKS, &dead[0].id).await.unwrap();
    assert!(about(&office.work.ended(tries, 1).await[0].1, 1));
    office.stop().await;
}
