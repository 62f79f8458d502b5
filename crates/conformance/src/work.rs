use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use futures::{future::join_all, join};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use waxwing_app::ports::{DeadJob, Job, NewJob, PortError, Queue, Work};

use crate::TestTime;

const DUE: Queue = Queue("conformance-due");
const RIVALS: Queue = Queue("conformance-rivals");
const LEASE: Queue = Queue("conformance-lease");
const RETRY: Queue = Queue("conformance-retry");
const DEAD: Queue = Queue("conformance-dead");
const LEFT: Queue = Queue("conformance-left");
const RIGHT: Queue = Queue("conformance-right");
const CHANGED: Queue = Queue("conformance-changed");

/// The queues that [`work`] works with, for engines that have to make them first.
pub const WORK_QUEUES: &[Queue] = &[DUE, RIVALS, LEASE, RETRY, DEAD, LEFT, RIGHT, CHANGED];

/// Units of a lease that ends within its check.
const SHORT: u32 = 1;
/// Units of a lease that outlasts every check, and a suite's patience.
const LONG: u32 = 60;
/// Between two looks for what has to come.
const PAUSE: Duration = Duration::from_millis(20);

/// Checks what every engine of [`Work`] promises.
///
/// What must not happen before a time is judged by the clock as it stands after a look, so that no slow machine breaks a
/// promise by itself. Copies may come of lost answers only, so the engine should wait for answers longer than they take.
pub async fn work(work: &dyn Work, time: &impl TestTime) {
    let worker = |queue| Worker { work, time, queue };
    runs_jobs_when_they_are_due(worker(DUE)).await;
    leases_to_one_worker(worker(RIVALS)).await;
    leases_again_when_the_lease_ran_out(worker(LEASE)).await;
    retries(worker(RETRY)).await;
    buries_and_redrives(worker(DEAD)).await;
    keeps_queues_apart(worker(LEFT), worker(RIGHT)).await;
    says_when_something_changed(worker(CHANGED)).await;
}

async fn runs_jobs_when_they_are_due<T: TestTime>(at: Worker<'_, T>) {
    assert_eq!(at.lease(10, LONG).await, [], "Work: an empty queue has nothing to lease");
    let began = at.time.now();
    let dues = [("late", 4), ("soon", 2), ("now", 0)].map(|(id, units)| (id, at.ahead(units)));
    let jobs = dues.iter().map(|(id, due_at)| job(id, *due_at)).collect();
    at.work.push(at.queue, jobs).await.expect("Work: jobs can be pushed");
    let mut came = BTreeMap::new();
    while came.len() < dues.len() {
        let now = at.time.now();
        let is_more_due = came.len() < dues.iter().filter(|(_, due_at)| *due_at <= now).count();
        let jobs = match is_more_due {
            true => at.look(10, LONG, "a job is leased when its time has come").await,
            false => at.lease(10, LONG).await,
        };
        let now = at.time.now();
        for job in jobs {
            let due = dues.iter().find(|(id, due_at)| *id == job.id && *due_at <= now);
            assert!(due.is_some(), "Work: only what is due is leased: {} came at {now}", job.id);
            assert_eq!(job.payload, payload(&job.id), "Work: a payload reads back as it was pushed");
            let is_known = came.contains_key(&job.id);
            assert!(!is_known || now >= began + at.units(LONG), "Work: a leased job goes to nobody else");
            assert!(is_known || job.attempts == 1, "Work: the first lease is attempt 1");
            came.insert(job.id.clone(), job);
        }
        if !is_more_due {
            at.time.advance(1).await;
        }
    }
    for job in came.values() {
        at.complete(job).await;
    }
}

async fn leases_to_one_worker<T: TestTime>(at: Worker<'_, T>) {
    const JOBS: usize = 100;
    const WORKERS: usize = 20;
    let began = at.time.now();
    let jobs = (0..JOBS).map(|number| job(&format!("job-{number}"), began)).collect();
    at.work.push(at.queue, jobs).await.expect("Work: jobs can be pushed");
    let mut leased = Vec::new();
    let all = async {
        loop {
            leased.extend(join_all((1..=WORKERS).map(|limit| at.lease(limit, LONG))).await.concat());
            let unique: HashSet<&String> = leased.iter().map(|job: &Job| &job.id).collect();
            let is_shared = unique.len() == leased.len() || at.time.now() >= began + at.units(LONG);
            assert!(is_shared, "Work: a leased job goes to nobody else");
            if unique.len() == JOBS {
                return;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(at.time.patience(), all).await.expect("Work: every due job is leased to somebody");
    for job in &leased {
        at.complete(job).await;
    }
}

async fn leases_again_when_the_lease_ran_out<T: TestTime>(at: Worker<'_, T>) {
    let began = at.push("slow").await;
    let first = at.job_at(began, SHORT, "a due job is leased").await;
    let promise = "a leased job goes to nobody else until its lease ran out, and then it is due again";
    let second = at.job_at(began + at.units(SHORT), SHORT, promise).await;
    assert_eq!(
        (second.id.as_str(), &second.payload, second.attempts),
        ("slow", &first.payload, 2),
        "Work: a job whose lease ran out comes again, one attempt on"
    );
    at.complete(&second).await;
    let ended = at.work.complete(at.queue, &second).await;
    assert!(
        matches!(ended, Ok(()) | Err(PortError::Conflict(_))),
        "Work: to complete what is gone is a conflict at most: {ended:?}"
    );
    at.time.advance(2 * SHORT).await;
    assert_eq!(at.lease(10, LONG).await, [], "Work: a completed job is gone");
    let pushed = at.push("slow").await;
    let anew = at.job_at(pushed, LONG, "the id of a completed job is free").await;
    assert_eq!(anew.attempts, 1, "Work: the id of a completed job is free, and its attempts begin anew");
    at.complete(&anew).await;
}

async fn retries<T: TestTime>(at: Worker<'_, T>) {
    let promise = "a retry waits for its time, and not for the lease's end";
    let pushed = at.push("again").await;
    let first = at.job_at(pushed, SHORT, "a due job is leased").await;
    let due_at = at.ahead(3 * SHORT);
    at.retry(&first, due_at).await;
    let second = at.job_at(due_at, LONG, promise).await;
    let due_at = at.ahead(SHORT);
    at.retry(&second, due_at).await;
    let third = at.job_at(due_at, SHORT, promise).await;
    let fourth = at.job_at(due_at + at.units(SHORT), LONG, "a retried job is leased like any other").await;
    for (attempts, job) in (2..).zip([second, third, fourth.clone()]) {
        assert_eq!(
            (&job.id, &job.payload),
            (&first.id, &first.payload),
            "Work: a retry keeps the id and the payload"
        );
        assert_eq!(job.attempts, attempts, "Work: attempts count on through retries and leases that ran out");
    }
    let untried = Job { attempts: fourth.attempts - 1, ..fourth.clone() };
    at.retry(&untried, at.time.now()).await;
    let fifth = at.job_at(at.time.now(), LONG, promise).await;
    assert_eq!(fifth.attempts, fourth.attempts, "Work: a retry counts on from the attempts that it is given");
    at.complete(&fifth).await;
}

async fn buries_and_redrives<T: TestTime>(at: Worker<'_, T>) {
    assert_eq!(at.dead(10).await, [], "Work: at first nothing is dead");
    let mut buried = Vec::new();
    for (id, reason) in [("a", "first reason: ä"), ("b", "second reason")] {
        let pushed = at.push(id).await;
        let job = at.job_at(pushed, SHORT, "a due job is leased").await;
        let before = at.time.now();
        at.work.bury(at.queue, &job, reason).await.expect("Work: the holder may bury a job");
        buried.push((job, reason, before..=at.time.now()));
    }
    at.time.advance(2 * SHORT).await;
    assert_eq!(at.lease(10, LONG).await, [], "Work: a buried job does not run");
    let dead = at.dead(10).await;
    assert_eq!(dead.len(), buried.len(), "Work: buried jobs are kept");
    for (dead, (job, reason, when)) in dead.iter().zip(&buried) {
        let said = (&dead.id, &dead.payload, dead.attempts, dead.reason.as_str());
        let expected = (&job.id, &job.payload, job.attempts, *reason);
        assert!(
            said == expected && when.contains(&dead.at),
            "Work: dead letters say what they were, why and when: {dead:?}"
        );
    }
    assert_eq!(at.dead(10).await, dead, "Work: to look at dead letters takes none away");
    assert_eq!(at.dead(1).await.len(), 1, "Work: `dead` keeps to its limit");
    at.work.redrive(at.queue, "a").await.expect("Work: a dead letter can be made due");
    let again = at.job_at(at.time.now(), LONG, "a redriven job is due now").await;
    assert_eq!(
        (&again.id, &again.payload, again.attempts),
        (&dead[0].id, &dead[0].payload, 1),
        "Work: a redriven job is the same job, its attempts from zero"
    );
    assert_eq!(
        at.dead(10).await,
        dead[1..],
        "Work: a redriven job is no dead letter any more, and the others stay"
    );
    for id in ["a", "never-there"] {
        at.is_not_dead(id, "what is not dead cannot be redriven").await;
    }
    at.work.discard(at.queue, "b").await.expect("Work: a dead letter can be dropped");
    assert_eq!(at.dead(10).await, [], "Work: a dead letter that was dropped is gone");
    assert_eq!(at.lease(10, LONG).await, [], "Work: and does not run");
    let dropped = at.work.discard(at.queue, "b").await;
    assert!(matches!(dropped, Err(PortError::NotFound(_))), "Work: it cannot be dropped twice: {dropped:?}");
    at.complete(&again).await;
}

async fn keeps_queues_apart<T: TestTime>(left: Worker<'_, T>, right: Worker<'_, T>) {
    let pushed = left.push("same").await;
    assert_eq!(right.lease(10, LONG).await, [], "Work: a job stays in its queue");
    let of_left = left.job_at(pushed, LONG, "a due job is leased").await;
    let pushed = right.push("same").await;
    let of_right = right.job_at(pushed, LONG, "a job stays in its queue").await;
    left.work.bury(left.queue, &of_left, "reason").await.expect("Work: the holder may bury a job");
    right.complete(&of_right).await;
    assert_eq!(right.dead(10).await, [], "Work: dead letters stay in their queue");
    right.is_not_dead("same", "dead letters stay in their queue").await;
}

async fn says_when_something_changed<T: TestTime>(at: Worker<'_, T>) {
    let changed = || async {
        let heard = timeout(at.time.patience(), at.work.changed(at.queue)).await;
        heard.expect("Work: `changed` returns at a push, and after a second in any case");
    };
    changed().await;
    for number in 0..3 {
        let jobs = vec![job(&format!("job-{number}"), at.time.now())];
        let (pushed, ()) = join!(at.work.push(at.queue, jobs), changed());
        pushed.expect("Work: jobs can be pushed");
        // A false alarm may have come first.
        let leased = async {
            loop {
                match at.lease(1, LONG).await.pop() {
                    Some(job) => return job,
                    None => changed().await,
                }
            }
        };
        let leased = timeout(at.time.patience(), leased).await;
        at.complete(&leased.expect("Work: a job is leased after `changed` said so")).await;
    }
}

/// Somebody who works on one queue.
struct Worker<'a, T> {
    work: &'a dyn Work,
    time: &'a T,
    queue: Queue,
}

impl<T: TestTime> Worker<'_, T> {
    fn units(&self, units: u32) -> Duration {
        self.time.unit() * units
    }

    fn ahead(&self, units: u32) -> Timestamp {
        self.time.now() + self.units(units)
    }

    /// Pushes a job that is due now, and says when that was.
    async fn push(&self, id: &str) -> Timestamp {
        let now = self.time.now();
        self.work.push(self.queue, vec![job(id, now)]).await.expect("Work: jobs can be pushed");
        now
    }

    async fn lease(&self, limit: usize, units: u32) -> Vec<Job> {
        let jobs = self.work.lease(self.queue, limit, self.units(units)).await;
        let jobs = jobs.expect("Work: jobs can be leased");
        assert!(jobs.len() <= limit, "Work: `lease` keeps to its limit");
        jobs
    }

    /// What has to come although no more time passes.
    async fn look(&self, limit: usize, units: u32, promise: &str) -> Vec<Job> {
        let looks = async {
            loop {
                let jobs = self.lease(limit, units).await;
                if !jobs.is_empty() {
                    return jobs;
                }
                sleep(PAUSE).await;
            }
        };
        timeout(self.time.patience(), looks).await.unwrap_or_else(|_| panic!("Work: {promise}"))
    }

    /// The one job of the queue, leased for `units`: looked for once a unit, because it must not come before `due`, and
    /// from then on it has to.
    async fn job_at(&self, due: Timestamp, units: u32, promise: &str) -> Job {
        let mut jobs = self.lease(1, units).await;
        while jobs.is_empty() && self.time.now() < due {
            self.time.advance(1).await;
            jobs = self.lease(1, units).await;
        }
        if jobs.is_empty() {
            jobs = self.look(1, units, promise).await;
        }
        assert!(self.time.now() >= due, "Work: {promise}");
        jobs.remove(0)
    }

    async fn complete(&self, job: &Job) {
        let completed = self.work.complete(self.queue, job).await;
        completed.expect("Work: the holder of the lease may complete the job");
    }

    async fn retry(&self, job: &Job, due_at: Timestamp) {
        let retried = self.work.retry(self.queue, job, due_at).await;
        retried.expect("Work: the holder may have a job run again");
    }

    /// Dead letters, by their ids: not every engine knows another order.
    async fn dead(&self, limit: usize) -> Vec<DeadJob> {
        let mut dead = self.work.dead(self.queue, limit).await.expect("Work: dead letters can be read");
        dead.sort_by(|one, other| one.id.cmp(&other.id));
        dead
    }

    async fn is_not_dead(&self, id: &str, promise: &str) {
        let redriven = self.work.redrive(self.queue, id).await;
        assert!(matches!(redriven, Err(PortError::NotFound(_))), "Work: {promise}: {redriven:?}");
    }
}

fn job(id: &str, due_at: Timestamp) -> NewJob {
    NewJob { id: id.to_owned(), payload: payload(id), due_at }
}

fn payload(id: &str) -> String {
    format!("{{\"of\":\"{id}\",\"umlaut\":\"ä\"}}")
}
