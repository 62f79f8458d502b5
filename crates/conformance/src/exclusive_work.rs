use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use waxwing_app::ports::{Clock as _, Job, NewJob, PortError, Queue, Work};

use crate::TestClock;

const MINUTE: Duration = Duration::from_secs(60);

/// Checks what an exclusive engine of [`Work`] promises beyond [`crate::work`].
pub async fn exclusive_work(work: &dyn Work, clock: &TestClock) {
    leases_all_that_is_due_the_longest_due_first(work, clock).await;
    keeps_one_job_of_an_id(work, clock).await;
    shares_all_that_is_due(work, clock).await;
    ends_a_job_for_the_current_lease_only(work, clock).await;
    retries_for_the_current_lease_only(work, clock).await;
    keeps_dead_letters_in_their_order(work, clock).await;
}

async fn leases_all_that_is_due_the_longest_due_first(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-exclusive-due");
    let jobs = vec![
        job("late", clock, 3 * MINUTE),
        job("soon", clock, 2 * MINUTE),
        job("now", clock, Duration::ZERO),
    ];
    push(work, queue, jobs).await;
    let due = lease(work, queue, 10).await;
    assert_eq!(ids(&due), ["now"], "Work: a look brings all that is due, and nothing else");
    complete(work, queue, &due[0]).await;
    clock.advance(5 * MINUTE);
    for id in ["soon", "late"] {
        let leased = lease(work, queue, 1).await;
        assert_eq!(ids(&leased), [id], "Work: the longest due comes first, up to the limit");
        complete(work, queue, &leased[0]).await;
    }
    push(work, queue, vec![job("second", clock, MINUTE), job("first", clock, Duration::ZERO)]).await;
    clock.advance(2 * MINUTE);
    assert_eq!(
        ids(&lease(work, queue, 10).await),
        ["first", "second"],
        "Work: a look brings all that is due, the longest due first"
    );
}

async fn keeps_one_job_of_an_id(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-exclusive-once");
    push(work, queue, vec![job("same", clock, Duration::ZERO)]).await;
    let other = NewJob { payload: "\"other\"".to_owned(), ..job("same", clock, Duration::ZERO) };
    push(work, queue, vec![other.clone(), other.clone()]).await;
    let leased = lease(work, queue, 10).await;
    assert_eq!(ids(&leased), ["same"], "Work: an id is in the queue once");
    assert_eq!(leased[0].payload, payload("same"), "Work: pushing a known id changes nothing");
    push(work, queue, vec![other.clone()]).await;
    assert_eq!(lease(work, queue, 10).await, [], "Work: pushing the id of a leased job does not free it");
    complete(work, queue, &leased[0]).await;
    push(work, queue, vec![other]).await;
    let leased = lease(work, queue, 10).await;
    assert_eq!(
        (ids(&leased), leased[0].attempts),
        (vec!["same"], 1),
        "Work: a completed job is gone, and its id is free"
    );
    complete(work, queue, &leased[0]).await;
}

async fn shares_all_that_is_due(work: &dyn Work, clock: &TestClock) {
    const JOBS: usize = 100;
    let queue = Queue("conformance-exclusive-rivals");
    push(work, queue, (0..JOBS).map(|number| job(&format!("job-{number}"), clock, Duration::ZERO)).collect())
        .await;
    let leased = join_all((0..20).map(|_| lease(work, queue, 10))).await.concat();
    let unique: HashSet<_> = leased.iter().map(|job| &job.id).collect();
    assert_eq!(unique.len(), leased.len(), "Work: a leased job goes to nobody else");
    assert_eq!(leased.len(), JOBS, "Work: one round of looks brings all that is due");
    for job in &leased {
        complete(work, queue, job).await;
    }
}

async fn ends_a_job_for_the_current_lease_only(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-exclusive-lease");
    push(work, queue, vec![job("slow", clock, Duration::ZERO)]).await;
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

async fn retries_for_the_current_lease_only(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-exclusive-retry");
    push(work, queue, vec![job("again", clock, Duration::ZERO)]).await;
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

async fn keeps_dead_letters_in_their_order(work: &dyn Work, clock: &TestClock) {
    let queue = Queue("conformance-exclusive-dead");
    // Neither by their ids nor the other way round.
    push(work, queue, ["b", "c", "a"].map(|id| job(id, clock, Duration::ZERO)).to_vec()).await;
    let mut buried = Vec::new();
    for reason in ["first reason", "second reason", "third reason"] {
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
        work.dead(queue, 1).await.ok().as_deref(),
        Some(&dead[..1]),
        "Work: `dead` keeps to its limit, the oldest first"
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
    complete(work, queue, &again).await;
}

fn job(id: &str, clock: &TestClock, due_in: Duration) -> NewJob {
    NewJob { id: id.to_owned(), payload: payload(id), due_at: clock.ahead(due_in) }
}

fn payload(id: &str) -> String {
    format!("{{\"of\":\"{id}\"}}")
}

async fn push(work: &dyn Work, queue: Queue, jobs: Vec<NewJob>) {
    work.push(queue, jobs).await.expect("Work: jobs can be pushed, also with an id that is there already");
}

async fn lease(work: &dyn Work, queue: Queue, limit: usize) -> Vec<Job> {
    let jobs = work.lease(queue, limit, MINUTE).await.expect("Work: jobs can be leased");
    assert!(jobs.len() <= limit, "Work: `lease` keeps to its limit");
    jobs
}

fn one(jobs: Vec<Job>) -> Job {
    let count = jobs.len();
    let [job] = <[Job; 1]>::try_from(jobs)
        .unwrap_or_else(|_| panic!("Work: a look brings all that is due: one job, and {count} were leased"));
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
