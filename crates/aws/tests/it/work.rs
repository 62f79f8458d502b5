//! Jobs on SQS, by the real clock.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::{
    Client,
    types::{Message, QueueAttributeName},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use waxwing_app::{
    keys,
    ports::{Bounds, Clock as _, DeadJob, Job, NewJob, Query, Queue, StreamName, Work as _},
    processes::WebhookJob,
};
use waxwing_aws::{AwsWork, QueueUrls};
use waxwing_conformance::{self as conformance, RealTime};
use waxwing_domain::{EventId, WebhookEndpointId};
use waxwing_runtime::SystemClock;

use crate::{
    emulators::Dynamo,
    fixture::{Fixture, account, entropy},
    left_over::{LeftOver, leave_over},
    network::Fault,
};

const QUEUE: Queue = Queue::WEBHOOKS;
const LEASE: Duration = Duration::from_secs(600);
/// Only a fault takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

struct World {
    fixture: Fixture,
    clock: Arc<SystemClock>,
    sqs: Client,
    urls: Vec<QueueUrls>,
    work: AwsWork,
}

impl World {
    async fn new(queues: &[Queue]) -> Self {
        let fixture = Fixture::new(Dynamo::Ministack).await;
        let sqs = Client::new(&fixture.config);
        let mut urls = Vec::new();
        for queue in queues {
            // A name that no other world has.
            let name = format!("{}-{}", fixture.settings.records_table, queue.0);
            let url = create(&sqs, &name).await;
            urls.push(QueueUrls {
                queue: *queue,
                url,
                dead_url: create(&sqs, &format!("{name}-dead")).await,
            });
        }
        let clock = Arc::new(SystemClock::default());
        let work = work(&fixture, None, &urls, &clock);
        Self { fixture, clock, sqs, urls, work }
    }

    async fn push(&self, id: &str, due_at: Timestamp) {
        let jobs = vec![NewJob { id: id.to_owned(), payload: format!("{{\"of\":\"{id}\"}}"), due_at }];
        self.work.push(QUEUE, jobs).await.unwrap();
    }

    async fn lease(&self) -> Vec<Job> {
        self.work.lease(QUEUE, 100, LEASE).await.unwrap()
    }

    /// The next job that is due.
    async fn job(&self) -> Job {
        let began = Instant::now();
        loop {
            if let Some(job) = self.work.lease(QUEUE, 1, LEASE).await.unwrap().pop() {
                return job;
            }
            assert!(began.elapsed() < PATIENCE, "a job is due");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ids of the jobs that wait in Records.
    async fn waiting(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for shard in 0..keys::DUE_SHARDS {
            let query = Query {
                index: 0,
                partition: keys::due_jobs(shard),
                bounds: Bounds::default(),
                descending: false,
                limit: 100,
            };
            let rows = self.fixture.engine.records().query(query).await.unwrap();
            ids.extend(rows.into_iter().map(|row| row.key.sort.rsplit('/').next().unwrap().to_owned()));
        }
        ids
    }

    /// Messages in the queue: visible, delayed, hidden.
    async fn messages(&self) -> [u32; 3] {
        let asked = self.sqs.get_queue_attributes().queue_url(&self.urls[0].url);
        let told = asked.attribute_names(QueueAttributeName::All).send().await.unwrap().attributes.unwrap();
        [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ]
        .map(|name| told[&name].parse().unwrap())
    }

    /// The one message of a queue, as it stands there.
    async fn message(&self, url: &str) -> Message {
        let asked = self.sqs.receive_message().queue_url(url).visibility_timeout(0).wait_time_seconds(10);
        let mut messages = asked.message_attribute_names("All").send().await.unwrap().messages.unwrap();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    async fn body(&self, url: &str) -> Value {
        let message = self.message(url).await;
        assert!(message.message_attributes.is_none(), "what is said is said in the body");
        serde_json::from_str(&message.body.unwrap()).unwrap()
    }

    async fn dead(&self) -> Vec<DeadJob> {
        self.work.dead(QUEUE, 10).await.unwrap()
    }
}

async fn create(sqs: &Client, name: &str) -> String {
    sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
}

/// By way of `url`, or else of the fixture's network. It waits longer for an answer than any machine needs: a call that
/// is repeated makes copies of jobs.
fn work(fixture: &Fixture, url: Option<&str>, urls: &[QueueUrls], clock: &Arc<SystemClock>) -> AwsWork {
    let patient =
        TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).operation_timeout(2 * PATIENCE);
    let config = fixture.config.to_builder().timeout_config(patient.build());
    let config = config.endpoint_url(url.unwrap_or(&fixture.network.url)).build();
    AwsWork::new(&config, urls.to_vec(), fixture.engine.records(), clock.clone(), entropy())
}

#[tokio::test]
async fn sqs_work_conforms() {
    let world = World::new(conformance::WORK_QUEUES).await;
    conformance::work(&world.work, &RealTime::new(world.clock.clone())).await;
}

#[tokio::test]
async fn a_job_that_is_due_in_an_hour_waits_in_records_and_is_promoted() {
    let world = World::new(&[QUEUE, Queue::RECEIPTS]).await;
    let now = world.clock.now();
    let minutes = SignedDuration::from_mins;
    world.push("later", now + HOUR).await;
    assert_eq!(world.messages().await, [0, 0, 0]);
    assert_eq!(world.waiting().await, ["later"]);
    assert_eq!(world.work.promote(now + minutes(44)).await.unwrap(), 0, "it is due in 16 minutes");
    assert_eq!(world.work.promote(now + minutes(46)).await.unwrap(), 1, "it is due in 14 minutes");
    assert_eq!(world.messages().await, [0, 1, 0], "it waits there for the rest of its time");
    assert_eq!(world.waiting().await, [""; 0]);
    assert_eq!(world.lease().await, []);

    // Many minutes were missed.
    for id in ["one", "two"] {
        world.push(id, now + HOUR).await;
    }
    assert_eq!(world.work.promote(now + 5 * HOUR).await.unwrap(), 2);
    let (one, two) = (world.job().await, world.job().await);
    assert_eq!((one.attempts, two.attempts), (1, 1));
    world.work.complete(QUEUE, &one).await.unwrap();

    // A retry goes the same way, and takes its attempts with it.
    let again = world.clock.now() + HOUR;
    world.work.retry(QUEUE, &two, again).await.unwrap();
    assert_eq!((world.messages().await, world.waiting().await), ([0, 1, 0], vec![two.id.clone()]));
    assert_eq!(world.work.promote(again).await.unwrap(), 1);
    let job = world.job().await;
    assert_eq!((&job.id, &job.payload, job.attempts), (&two.id, &two.payload, 2));
}

#[tokio::test]
async fn a_queue_that_fails_does_not_hold_the_others_back() {
    let world = World::new(&[QUEUE, Queue::RECEIPTS]).await;
    let due_at = world.clock.now() + HOUR;
    for number in 0..20 {
        let id = format!("job-{number}");
        world.push(&id, due_at).await;
        let jobs = vec![NewJob { id, payload: "{}".to_owned(), due_at }];
        world.work.push(Queue::RECEIPTS, jobs).await.unwrap();
    }
    world.sqs.delete_queue().queue_url(&world.urls[1].url).send().await.unwrap();
    let error = world.work.promote(due_at).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("-receipts does not exist"), "{error}");
    assert_eq!(world.messages().await, [20, 0, 0]);
    assert_eq!(world.waiting().await.len(), 20, "those of the other queue stay until it is there again");
}

#[tokio::test]
async fn what_a_batch_leaves_over_is_sent_again() {
    let world = World::new(&[QUEUE]).await;
    let jobs = || {
        let job = |number| NewJob {
            id: format!("job-{number}"),
            payload: "{}".to_owned(),
            due_at: world.clock.now(),
        };
        (0..25).map(job).collect::<Vec<_>>()
    };
    let of = async |code, is_senders, times| {
        let (url, calls) =
            leave_over(world.fixture.network.url.clone(), LeftOver { code, is_senders, times }).await;
        (work(&world.fixture, Some(&url), &world.urls, &world.clock), calls)
    };

    let (sending, calls) = of("InternalError", false, 4).await;
    sending.push(QUEUE, jobs()).await.unwrap();
    assert!(calls.count() > 3, "three calls have room for 25 messages, when nothing is left over");
    let mut ids: Vec<_> = world.lease().await.into_iter().map(|job| job.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 25);
    assert_eq!(world.messages().await, [0, 0, 25], "none was sent twice");

    let (sending, _) = of("InternalError", false, usize::MAX).await;
    let error = sending.push(QUEUE, jobs()).await.unwrap_err();
    let told = error.to_string();
    assert!(error.is_transient() && told.contains("-webhooks: InternalError: from the test"), "{told}");

    let (sending, calls) = of("InvalidMessageContents", true, usize::MAX).await;
    let error = sending.push(QUEUE, jobs()).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert_eq!(calls.count(), 3, "what we did wrong stays wrong");
}

#[tokio::test]
async fn a_queue_that_is_gone_is_named() {
    let world = World::new(&[QUEUE]).await;
    world.push("job", world.clock.now()).await;
    let job = world.job().await;
    for url in [&world.urls[0].url, &world.urls[0].dead_url] {
        world.sqs.delete_queue().queue_url(url).send().await.unwrap();
    }
    let name = format!("queue {}-webhooks", world.fixture.settings.records_table);
    let soon = NewJob { id: "soon".to_owned(), payload: "{}".to_owned(), due_at: world.clock.now() };
    let answers = [
        (world.work.push(QUEUE, vec![soon]).await, name.clone()),
        (world.work.lease(QUEUE, 1, LEASE).await.map(drop), name.clone()),
        (world.work.complete(QUEUE, &job).await, name.clone()),
        (world.work.retry(QUEUE, &job, world.clock.now()).await, name.clone()),
        (world.work.bury(QUEUE, &job, "reason").await, format!("{name}-dead")),
        (world.work.dead(QUEUE, 1).await.map(drop), format!("{name}-dead")),
        (world.work.redrive(QUEUE, "job").await, format!("{name}-dead")),
    ];
    for (answer, name) in answers {
        let error = answer.unwrap_err();
        assert!(
            error.is_transient() && error.to_string().contains(&format!("{name} does not exist")),
            "{error}"
        );
    }
    let error = world.work.lease(Queue::RECEIPTS, 1, LEASE).await.unwrap_err();
    assert!(error.to_string().contains("no queue of SQS is set for the jobs of receipts"), "{error}");
}

#[tokio::test]
async fn a_message_says_ids_and_nothing_else() {
    let world = World::new(&[QUEUE]).await;
    let delivery = WebhookJob {
        account: account(),
        stream: StreamName::new("message", "msg_1"),
        version: 7,
        index: 1,
        part: 0,
        event_id: EventId::derived(1, &[b"event"]),
        endpoint: WebhookEndpointId::derived(1, &[b"endpoint"]),
    };
    let payload = serde_json::to_string(&delivery).unwrap();
    let Value::Object(named) = serde_json::from_str(&payload).unwrap() else { panic!("{payload}") };
    let names: Vec<_> = named.keys().map(String::as_str).collect();
    assert_eq!(names, ["account", "endpoint", "event_id", "index", "part", "stream", "version"]);
    let jobs = vec![NewJob { id: "whd_1".to_owned(), payload: payload.clone(), due_at: world.clock.now() }];
    world.work.push(QUEUE, jobs).await.unwrap();
    let QueueUrls { url, dead_url, .. } = &world.urls[0];
    assert_eq!(world.body(url).await, json!({ "id": "whd_1", "payload": payload, "attempts": 0 }));

    // To read it counted as an attempt.
    let job = world.job().await;
    assert_eq!(job.attempts, 2);
    world.work.retry(QUEUE, &job, world.clock.now()).await.unwrap();
    assert_eq!(world.body(url).await, json!({ "id": "whd_1", "payload": payload, "attempts": 2 }));

    let job = world.job().await;
    world.work.bury(QUEUE, &job, "the receiver answered 500").await.unwrap();
    let letter = world.body(dead_url).await;
    let expected = json!({
        "id": "whd_1", "payload": payload, "attempts": 4,
        "reason": "the receiver answered 500", "at": letter["at"],
    });
    assert_eq!(letter, expected);
    assert_eq!(world.messages().await, [0, 0, 0]);
}

#[tokio::test]
async fn what_sqs_gives_up_is_a_dead_letter_like_any_other() {
    let world = World::new(&[QUEUE]).await;
    let QueueUrls { url, dead_url, .. } = &world.urls[0];
    let asked =
        world.sqs.get_queue_attributes().queue_url(dead_url).attribute_names(QueueAttributeName::QueueArn);
    let told = asked.send().await.unwrap().attributes.unwrap();
    let arn = &told[&QueueAttributeName::QueueArn];
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "1" }).to_string();
    let set =
        world.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::RedrivePolicy, policy);
    set.send().await.unwrap();
    world.push("ends-its-worker", world.clock.now()).await;
    let leased = world.work.lease(QUEUE, 1, Duration::from_secs(1)).await.unwrap();
    assert_eq!(leased.len(), 1);
    let began = Instant::now();
    let dead = loop {
        assert_eq!(world.lease().await, [], "it is not leased again");
        let dead = world.dead().await;
        if !dead.is_empty() {
            break dead;
        }
        assert!(began.elapsed() < PATIENCE, "SQS moves it when it becomes visible again");
    };
    assert_eq!((dead[0].id.as_str(), &dead[0].payload), ("ends-its-worker", &leased[0].payload));
    assert!(dead[0].reason.contains("leased too often"), "{dead:?}");
    world.work.redrive(QUEUE, "ends-its-worker").await.unwrap();
    let again = world.job().await;
    assert_eq!((again.attempts, world.dead().await), (1, vec![]));
}

#[tokio::test]
async fn a_job_that_lambda_brought_leaves_its_message_to_lambda_unless_it_goes_elsewhere() {
    let world = World::new(&[QUEUE]).await;
    world.push("job", world.clock.now()).await;
    let asked = world.sqs.receive_message().queue_url(&world.urls[0].url).wait_time_seconds(10);
    let message = asked.send().await.unwrap().messages.unwrap().remove(0);
    let part = |text: &Option<String>| text.clone().unwrap();
    let job =
        AwsWork::job_of(&part(&message.message_id), &part(&message.receipt_handle), &part(&message.body), 1);
    assert_eq!((job.id.as_str(), job.attempts), ("job", 1));
    world.fixture.network.calls();
    world.work.complete(QUEUE, &job).await.unwrap();
    assert!(world.fixture.network.calls().is_empty());
    assert_eq!(world.messages().await, [0, 0, 1]);
    // Put elsewhere, it must not come again with a batch that fails.
    world.work.bury(QUEUE, &job, "gone").await.unwrap();
    assert_eq!(world.messages().await, [0, 0, 0]);
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_repeats_a_job_and_loses_none() {
    let world = World::new(&[QUEUE]).await;
    world.fixture.network.disturb("SendMessageBatch", Fault::AnswerLost, 1);
    world.push("job", world.clock.now()).await;
    let (one, copy) = (world.job().await, world.job().await);
    assert_eq!((&one.id, &one.payload), (&copy.id, &copy.payload), "it was sent twice");
    world.fixture.network.disturb("DeleteMessage", Fault::AnswerLost, 1);
    world.work.complete(QUEUE, &one).await.unwrap();
    assert_eq!(world.messages().await, [0, 0, 1], "each copy ends by itself");
    world.work.complete(QUEUE, &copy).await.unwrap();
    assert_eq!(world.messages().await, [0, 0, 0]);
}
