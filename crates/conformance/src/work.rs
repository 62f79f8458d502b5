use std::{collections::HashSet, time::Duration};

use futures::{future::join_all, join};
use waxwing_app::ports::{Clock as _, Job, NewJob, PortError, Queue, Work};

use crate::TestClock;

const MINUTE: Duration = Duration::from_secs(60);
/// `changed` promises a second; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks [`Work`].
pub async fn work(work: &dyn Work, clock: &TestClock) {
    runs_jobs_when_they_are_due(work, clock).await;
    keeps_one_job_of_an_id(work, clock).await;
    leases_to_one_worker(work, clock).await;
    leases_again_when_the_lease_ran_out(work, clock).await;
    retries(work, clock).await;
    buries_and_redrives(work, clock).await;
    keeps_queues_apart(work, clock).await;
    says_when_something_changed(work, clock).await;
}

async fn runs_jobs_when_they_are_due(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-due");
    assert_eq!(lease(work, queue, 10).await, [], "Work: an empty queue has nothing to lease");
    let jobs = vec![
        job("late", clock, 3 * MINUTE),
        job("soon", clock, 2 * MINUTE),
        job("now", clock, Duration::ZERO),
    ];
    work.push(queue, jobs).await.expect("Work: jobs can be pushed");
    let due = lease(work, queue, 10).await;
    assert_eq!(ids(&due), ["now"], "Work: only what is due is leased");
    assert_eq!(due[0].payload, payload("now"), "Work: a payload reads back as it was pushed");
    assert_eq!(due[0].attempts, 1, "Work: the first lease is attempt 1");
    complete(work, queue, &due[0]).await;
    clock.advance(5 * MINUTE);
    assert_eq!(
        ids(&lease(work, queue, 1).await),
        ["soon"],
        "Work: the longest due comes first, up to the limit"
    );
    assert_eq!(
        ids(&lease(work, queue, 1).await),
        ["late"],
        "Work: the longest due comes first, up to the limit"
    );
}

async fn keeps_one_job_of_an_id(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-once");
    work.push(queue, vec![job("same", clock, Duration::ZERO)]).await.expect("Work: jobs can be pushed");
    let other = NewJob { payload: "\"other\"".to_owned(), ..job("same", clock, Duration::ZERO) };
    work.push(queue, vec![other.clone(), other.clone()])
        .await
        .expect("Work: pushing an id twice is no error");
    let leased = lease(work, queue, 10).await;
    assert_eq!(ids(&leased), ["same"], "Work: an id is in the queue once");
    assert_eq!(leased[0].payload, payload("same"), "Work: pushing a known id changes nothing");
    work.push(queue, vec![other.clone()]).await.expect("Work: pushing an id twice is no error");
    assert_eq!(lease(work, queue, 10).await, [], "Work: pushing the id of a leased job does not free it");
    complete(work, queue, &leased[0]).await;
    work.push(queue, vec![other]).await.expect("Work: jobs can be pushed");
    let leased = lease(work, queue, 10).await;
    assert_eq!(
        (ids(&leased), leased[0].attempts),
        (vec!["same"], 1),
        "Work: a completed job is gone, and its id is free"
    );
    complete(work, queue, &leased[0]).await;
}

async fn leases_to_one_worker(work: &dyn Work, clock: &TestClock) {
    const JOBS: usize = 100;
    let queue = Queue("conformance-rivals");
    let jobs = (0..JOBS).map(|number| job(&format!("job-{number}"), clock, Duration::ZERO)).collect();
    work.push(queue, jobs).await.expect("Work: jobs can be pushed");
    let leased = join_all((0..20).map(|_| lease(work, queue, 10))).await.concat();
    let unique: HashSet<_> = leased.iter().map(|job| &job.id).collect();
    assert_eq!(unique.len(), leased.len(), "Work: a leased job goes to nobody else");
    assert_eq!(leased.len(), JOBS, "Work: every due job is leased to somebody");
    for job in &leased {
        complete(work, queue, job).await;
    }
}

async fn leases_again_when_the_lease_ran_out(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-lease");
    work.push(queue, vec![job("slow", clock, Duration::ZERO)]).await.expect("Work: jobs can be pushed");
    let first = one(lease(work, queue, 10).await);
    assert_eq!(lease(work, queue, 10).await, [], "Work: a leased job goes to nobody else");
    clock.advance(2 * MINUTE);
    let second = one(lease(work, queue, 10).await);
    assert_eq!(
        (second.id.as_str(), second.attempts),
        ("slow", 2),
        "Work: a job whose lease ran out is due again, one attempt on"
    );
    assert_ne!(first.lease, second.lease, "Work: each lease has its own proof");
    refused(work.complete(queue, &first).await, "complete");
    refused(work.retry(queue, &first, clock.now()).await, "retry");
    refused(work.bury(queue, &first, "too late").await, "bury");
    let forged = Job { lease: "guessed".to_owned(), ..second.clone() };
    refused(work.complete(queue, &forged).await, "complete");
    assert_eq!(lease(work, queue, 10).await, [], "Work: a stale worker does not free the job");
    complete(work, queue, &second).await;
    refused(work.complete(queue, &second).await, "complete a second time");
    clock.advance(2 * MINUTE);
    assert_eq!(lease(work, queue, 10).await, [], "Work: a completed job is gone");
}

async fn retries(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-retry");
    work.push(queue, vec![job("again", clock, Duration::ZERO)]).await.expect("Work: jobs can be pushed");
    let first = one(lease(work, queue, 10).await);
    work.retry(queue, &first, clock.ahead(10 * MINUTE))
        .await
        .expect("Work: the holder may have a job run again");
    refused(work.complete(queue, &first).await, "complete after a retry");
    clock.advance(9 * MINUTE);
    assert_eq!(
        lease(work, queue, 10).await,
        [],
        "Work: a retry waits for its time, and not for the lease's end"
    );
    clock.advance(2 * MINUTE);
    let second = one(lease(work, queue, 10).await);
    assert_eq!(
        (second.attempts, &second.payload),
        (2, &first.payload),
        "Work: a retry counts on and keeps the payload"
    );
    complete(work, queue, &second).await;
}

async fn buries_and_redrives(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-dead");
    assert_eq!(work.dead(queue, 10).await.ok(), Some(vec![]), "Work: at first nothing is dead");
    work.push(queue, vec![job("a", clock, Duration::ZERO), job("b", clock, Duration::ZERO)])
        .await
        .expect("Work: jobs can be pushed");
    let mut buried = Vec::new();
    for reason in ["first reason", "second reason"] {
        let job = one(lease(work, queue, 1).await);
        work.bury(queue, &job, reason).await.expect("Work: the holder may bury a job");
        refused(work.complete(queue, &job).await, "complete after a burial");
        buried.push((job, reason, clock.now()));
        clock.advance(MINUTE);
    }
    clock.advance(10 * MINUTE);
    assert_eq!(lease(work, queue, 10).await, [], "Work: a buried job does not run");
    let dead = work.dead(queue, 10).await.expect("Work: dead letters can be read");
    assert_eq!(dead.len(), buried.len(), "Work: buried jobs are kept");
    for (dead, (job, reason, at)) in dead.iter().zip(&buried) {
        let said = (&dead.id, &dead.payload, dead.attempts, dead.reason.as_str(), dead.at);
        let expected = (&job.id, &job.payload, job.attempts, *reason, *at);
        assert_eq!(
            said, expected,
            "Work: dead letters come oldest first and say what they were, why and when"
        );
    }
    assert_eq!(
        work.dead(queue, 1).await.map(|dead| dead.len()).ok(),
        Some(1),
        "Work: `dead` keeps to its limit"
    );
    work.redrive(queue, &dead[0].id).await.expect("Work: a dead letter can be made due");
    let again = one(lease(work, queue, 10).await);
    assert_eq!(
        (&again.id, &again.payload, again.attempts),
        (&dead[0].id, &dead[0].payload, 1),
        "Work: a redriven job is due now, its attempts from zero"
    );
    let left = work.dead(queue, 10).await.expect("Work: dead letters can be read");
    assert_eq!(left, dead[1..], "Work: a redriven job is no dead letter any more, and the others stay");
    for id in [&dead[0].id, "never-there"] {
        let redriven = work.redrive(queue, id).await;
        assert!(
            matches!(redriven, Err(PortError::NotFound(_))),
            "Work: what is not dead cannot be redriven: {redriven:?}"
        );
    }
    complete(work, queue, &again).await;
}

async fn keeps_queues_apart(work: &dyn Work, clock: &TestClock) {
    let (left, right) = (Queue("conformance-left"), Queue("conformance-right"));
    work.push(left, vec![job("same", clock, Duration::ZERO)]).await.expect("Work: jobs can be pushed");
    assert_eq!(lease(work, right, 10).await, [], "Work: a job stays in its queue");
    work.push(right, vec![job("same", clock, Duration::ZERO)]).await.expect("Work: jobs can be pushed");
    let (of_left, of_right) = (one(lease(work, left, 10).await), one(lease(work, right, 10).await));
    work.bury(left, &of_left, "reason").await.expect("Work: the holder may bury a job");
    complete(work, right, &of_right).await;
    assert_eq!(work.dead(right, 10).await.ok(), Some(vec![]), "Work: dead letters stay in their queue");
    let redriven = work.redrive(right, "same").await;
    assert!(
        matches!(redriven, Err(PortError::NotFound(_))),
        "Work: dead letters stay in their queue: {redriven:?}"
    );
}

async fn says_when_something_changed(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-changed");
    let changed = || async {
        let heard = tokio::time::timeout(PATIENCE, work.changed(queue)).await;
        heard.expect("Work: `changed` returns at a push, and after a second in any case");
    };
    changed().await;
    for number in 0..3 {
        let jobs = vec![job(&format!("job-{number}"), clock, Duration::ZERO)];
        let (pushed, ()) = join!(work.push(queue, jobs), changed());
        pushed.expect("Work: jobs can be pushed");
        // A false alarm may have come first.
        let mut leased = lease(work, queue, 10).await;
        while leased.is_empty() {
            changed().await;
            leased = lease(work, queue, 10).await;
        }
        complete(work, queue, &one(leased)).await;
    }
}

fn job(id: &str, clock: &TestClock, due_in: Duration) -> NewJob {
    NewJob { id: id.to_owned(), payload: payload(id), due_at: clock.ahead(due_in) }
}

fn payload(id: &str) -> String {
    format!("{{\"of\":\"{id}\",\"umlaut\":\"ä\"}}")
}

async fn lease(work: &dyn Work, queue: Queue, limit: usize) -> Vec<Job> {
    let jobs = work.lease(queue, limit, MINUTE).await.expect("Work: jobs can be leased");
    assert!(jobs.len() <= limit, "Work: `lease` keeps to its limit");
    jobs
}

fn one(jobs: Vec<Job>) -> Job {
    let count = jobs.len();
    let [job] = <[Job; 1]>::try_from(jobs)
        .unwrap_or_else(|_| panic!("Work: one job is due, and {count} were leased"));
    job
}

async fn complete(work: &dyn Work, queue: Queue, job: &Job) {
    work.complete(queue, job).await.expect("Work: the holder of the lease may complete the job");
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

fn refused(answer: Result<(), PortError>, what: &str) {
    assert!(
        matches!(answer, Err(PortError::Conflict(_))),
        "Work: without the current lease, {what} is a conflict: {answer:?}"
    );
}
