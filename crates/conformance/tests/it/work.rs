use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use waxwing_app::ports::{Clock as _, DeadJob, Job, NewJob, PortError, Queue, Work};
use waxwing_conformance as conformance;
use waxwing_conformance::TestClock;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    // Of any engine.
    LeasesWhatIsNotDue,
    LeasesTwice,
    LeasesForEver,
    LeasesNotAll,
    IgnoresTheLimit,
    MangledPayload,
    CountsNoAttempts,
    KeepsWhatIsComplete,
    FailsWhereNothingIs,
    RemembersIds,
    RetriesAtOnce,
    RetriesAtTheLeasesEnd,
    RetriesAfterTheLease,
    RetriesAnew,
    CountsWhatWasNotTried,
    RetriesWithoutThePayload,
    RunsTheDead,
    LosesTheDead,
    ForgetsTheReason,
    ShowsAllTheDead,
    TakesTheDead,
    RedriveCountsOn,
    RedrivesNothing,
    DropsNothing,
    DropsAnything,
    RedriveKeepsTheDead,
    RedrivesAllTheDead,
    RedrivesAnything,
    SharesQueues,
    NeverTells,
    // Of an engine that says it is exclusive.
    LeasesInPart,
    LeasesTheNewestFirst,
    PushesTwice,
    ReplacesJobs,
    FreesPushedJobs,
    RepeatsLeases,
    AcceptsStaleLeases,
    ShowsTheNewestDeadFirst,
}

struct Entry {
    queue: Queue,
    job: Job,
    due_at: Timestamp,
    is_leased: bool,
}

#[derive(Default)]
struct State {
    jobs: Vec<Entry>,
    dead: Vec<(Queue, DeadJob)>,
    completed: HashSet<(Queue, String)>,
    leases: u64,
    looks: u64,
}

struct Memory {
    state: Mutex<State>,
    clock: Arc<TestClock>,
    fault: Fault,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn is_of(&self, queue: Queue, other: Queue) -> bool {
        queue == other || self.has(Fault::SharesQueues)
    }

    /// The job under this lease.
    fn held(&self, state: &State, queue: Queue, job: &Job) -> Result<usize, PortError> {
        let is_held = |entry: &Entry| {
            let is_current =
                entry.is_leased && entry.job.lease == job.lease || self.has(Fault::AcceptsStaleLeases);
            self.is_of(entry.queue, queue) && entry.job.id == job.id && is_current
        };
        state.jobs.iter().position(is_held).ok_or_else(|| match self.fault {
            Fault::FailsWhereNothingIs => PortError::Unavailable("the job".to_owned()),
            _ => PortError::Conflict("the lease".to_owned()),
        })
    }
}

#[async_trait]
impl Work for Memory {
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError> {
        let mut state = self.state();
        for NewJob { id, payload, due_at } in jobs {
            if self.has(Fault::RemembersIds) && state.completed.contains(&(queue, id.clone())) {
                continue;
            }
            let known =
                state.jobs.iter().position(|entry| self.is_of(entry.queue, queue) && entry.job.id == id);
            match (known, self.fault) {
                (None, _) | (_, Fault::PushesTwice) => {},
                (Some(known), Fault::ReplacesJobs) => drop(state.jobs.remove(known)),
                (Some(known), Fault::FreesPushedJobs) => {
                    state.jobs[known].due_at = due_at;
                    continue;
                },
                (Some(_), _) => continue,
            }
            let payload = match self.fault {
                Fault::MangledPayload => payload.replace('ä', "?"),
                _ => payload,
            };
            let job = Job { id, payload, attempts: 0, lease: String::new() };
            state.jobs.push(Entry { queue, job, due_at, is_leased: false });
        }
        Ok(())
    }

    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError> {
        let mut state = self.state();
        let State { jobs, leases, looks, .. } = &mut *state;
        let now = self.clock.now();
        *looks += 1;
        if self.has(Fault::LeasesInPart) && !looks.is_multiple_of(2) {
            return Ok(Vec::new());
        }
        let mut due: Vec<_> = jobs.iter_mut().filter(|entry| self.is_of(entry.queue, queue)).collect();
        due.retain(|entry| entry.due_at <= now || self.has(Fault::LeasesWhatIsNotDue));
        due.retain(|entry| !(entry.is_leased && self.has(Fault::LeasesForEver)));
        due.retain(|entry| !(entry.job.id == "job-57" && self.has(Fault::LeasesNotAll)));
        due.sort_by_key(|entry| entry.due_at);
        if self.has(Fault::LeasesTheNewestFirst) {
            due.reverse();
        }
        let limit = if self.has(Fault::IgnoresTheLimit) { usize::MAX } else { limit };
        let leased = due.into_iter().take(limit).map(|entry| {
            *leases += u64::from(!self.has(Fault::RepeatsLeases));
            entry.job.attempts += u32::from(!self.has(Fault::CountsNoAttempts));
            entry.job.lease = format!("lease-{leases}");
            if !self.has(Fault::LeasesTwice) {
                entry.due_at = now + lease;
            }
            entry.is_leased = true;
            entry.job.clone()
        });
        Ok(leased.collect())
    }

    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError> {
        let mut state = self.state();
        let held = self.held(&state, queue, job)?;
        state.completed.insert((queue, job.id.clone()));
        if !self.has(Fault::KeepsWhatIsComplete) {
            state.jobs.remove(held);
        }
        Ok(())
    }

    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError> {
        let mut state = self.state();
        let held = self.held(&state, queue, job)?;
        let entry = &mut state.jobs[held];
        entry.is_leased = false;
        if !self.has(Fault::CountsWhatWasNotTried) {
            entry.job.attempts = job.attempts;
        }
        entry.due_at = match self.fault {
            Fault::RetriesAtOnce => self.clock.now(),
            Fault::RetriesAtTheLeasesEnd => entry.due_at,
            Fault::RetriesAfterTheLease => entry.due_at.max(due_at),
            _ => due_at,
        };
        match self.fault {
            Fault::RetriesAnew => entry.job.attempts = 0,
            Fault::RetriesWithoutThePayload => entry.job.payload.clear(),
            _ => {},
        }
        Ok(())
    }

    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError> {
        let mut state = self.state();
        let held = self.held(&state, queue, job)?;
        let Job { id, payload, attempts, .. } = state.jobs[held].job.clone();
        if !self.has(Fault::RunsTheDead) {
            state.jobs.remove(held);
        }
        let reason = if self.has(Fault::ForgetsTheReason) { String::new() } else { reason.to_owned() };
        if !self.has(Fault::LosesTheDead) {
            state.dead.push((queue, DeadJob { id, payload, attempts, reason, at: self.clock.now() }));
        }
        Ok(())
    }

    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        let mut state = self.state();
        let of_queue = state.dead.iter().filter(|(other, _)| self.is_of(*other, queue));
        let mut dead: Vec<_> = of_queue.map(|(_, job)| job.clone()).collect();
        if self.has(Fault::ShowsTheNewestDeadFirst) {
            dead.reverse();
        }
        if !self.has(Fault::ShowsAllTheDead) {
            dead.truncate(limit);
        }
        if self.has(Fault::TakesTheDead) {
            state.dead.clear();
        }
        Ok(dead)
    }

    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        let mut state = self.state();
        let Some(place) =
            state.dead.iter().position(|(other, job)| self.is_of(*other, queue) && job.id == id)
        else {
            return if self.has(Fault::RedrivesAnything) {
                Ok(())
            } else {
                Err(PortError::NotFound(id.to_owned()))
            };
        };
        let (_, DeadJob { id, payload, attempts, .. }) = match self.fault {
            Fault::RedriveKeepsTheDead => state.dead[place].clone(),
            _ => state.dead.remove(place),
        };
        match self.fault {
            Fault::RedrivesNothing => return Ok(()),
            Fault::RedrivesAllTheDead => state.dead.clear(),
            _ => {},
        }
        let attempts = if self.has(Fault::RedriveCountsOn) { attempts } else { 0 };
        let job = Job { id, payload, attempts, lease: String::new() };
        state.jobs.push(Entry { queue, job, due_at: self.clock.now(), is_leased: false });
        Ok(())
    }

    async fn discard(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        if self.has(Fault::DropsNothing) {
            return Ok(());
        }
        let mut state = self.state();
        let before = state.dead.len();
        state.dead.retain(|(other, job)| !(self.is_of(*other, queue) && job.id == id));
        match state.dead.len() < before || self.has(Fault::DropsAnything) {
            true => Ok(()),
            false => Err(PortError::NotFound(id.to_owned())),
        }
    }

    async fn changed(&self, _queue: Queue) {
        if self.has(Fault::NeverTells) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn memory(fault: Fault) -> Memory {
    Memory { state: Mutex::default(), clock: Arc::default(), fault }
}

async fn suite(fault: Fault) {
    let memory = memory(fault);
    conformance::work(&memory, &*memory.clock).await;
}

async fn exclusive_suite(fault: Fault) {
    let memory = memory(fault);
    conformance::exclusive_work(&memory, &memory.clock).await;
}

#[tokio::test]
async fn correct_work_passes_both_suites_on_one_engine() {
    let memory = memory(Fault::None);
    conformance::work(&memory, &*memory.clock).await;
    conformance::exclusive_work(&memory, &memory.clock).await;
    let used: HashSet<Queue> = memory.state().completed.iter().map(|(queue, _)| *queue).collect();
    let of_work = |queue: &&Queue| !queue.0.contains("exclusive");
    let told = conformance::WORK_QUEUES.iter().filter(|queue| **queue != Queue("conformance-left"));
    assert_eq!(
        used.iter().filter(of_work).collect::<HashSet<_>>(),
        told.collect(),
        "engines that have to make queues are told of each"
    );
}

#[tokio::test]
async fn faulty_work_is_found() {
    let cases = [
        (Fault::LeasesWhatIsNotDue, "only what is due is leased"),
        (Fault::LeasesTwice, "a leased job goes to nobody else"),
        (Fault::LeasesForEver, "until its lease ran out, and then it is due again"),
        (Fault::LeasesNotAll, "every due job is leased to somebody"),
        (Fault::IgnoresTheLimit, "`lease` keeps to its limit"),
        (Fault::MangledPayload, "a payload reads back as it was pushed"),
        (Fault::CountsNoAttempts, "the first lease is attempt 1"),
        (Fault::KeepsWhatIsComplete, "a completed job is gone"),
        (Fault::FailsWhereNothingIs, "to complete what is gone is a conflict at most"),
        (Fault::RemembersIds, "the id of a completed job is free"),
        (Fault::RetriesAtOnce, "a retry waits for its time"),
        (Fault::RetriesAtTheLeasesEnd, "a retry waits for its time"),
        (Fault::RetriesAfterTheLease, "and not for the lease's end"),
        (Fault::RetriesAnew, "attempts count on through retries"),
        (Fault::CountsWhatWasNotTried, "counts on from the attempts that it is given"),
        (Fault::RetriesWithoutThePayload, "a retry keeps the id and the payload"),
        (Fault::RunsTheDead, "a buried job does not run"),
        (Fault::LosesTheDead, "buried jobs are kept"),
        (Fault::ForgetsTheReason, "say what they were, why and when"),
        (Fault::ShowsAllTheDead, "`dead` keeps to its limit"),
        (Fault::TakesTheDead, "to look at dead letters takes none away"),
        (Fault::RedriveCountsOn, "its attempts from zero"),
        (Fault::RedrivesNothing, "a redriven job is due now"),
        (Fault::RedriveKeepsTheDead, "a redriven job is no dead letter any more"),
        (Fault::RedrivesAllTheDead, "and the others stay"),
        (Fault::RedrivesAnything, "what is not dead cannot be redriven"),
        (Fault::DropsNothing, "a dead letter that was dropped is gone"),
        (Fault::DropsAnything, "it cannot be dropped twice"),
        (Fault::SharesQueues, "a job stays in its queue"),
        (Fault::NeverTells, "`changed` returns at a push"),
    ];
    all_break(cases, suite).await;
}

#[tokio::test]
async fn work_that_only_says_it_is_exclusive_is_found() {
    let cases = [
        (Fault::LeasesInPart, "a look brings all that is due"),
        (Fault::LeasesTheNewestFirst, "the longest due comes first"),
        (Fault::LeasesNotAll, "one round of looks brings all that is due"),
        (Fault::PushesTwice, "an id is in the queue once"),
        (Fault::ReplacesJobs, "pushing a known id changes nothing"),
        (Fault::FreesPushedJobs, "pushing the id of a leased job does not free it"),
        (Fault::RepeatsLeases, "each lease has its own proof"),
        (Fault::AcceptsStaleLeases, "without the current lease"),
        (Fault::FailsWhereNothingIs, "without the current lease"),
        (Fault::ShowsTheNewestDeadFirst, "dead letters come oldest first"),
    ];
    all_break(cases, exclusive_suite).await;
}

#[tokio::test]
async fn what_is_promised_by_exclusive_engines_is_asked_of_no_other() {
    for fault in [
        Fault::LeasesInPart,
        Fault::LeasesTheNewestFirst,
        Fault::PushesTwice,
        Fault::ReplacesJobs,
        Fault::FreesPushedJobs,
        Fault::RepeatsLeases,
        Fault::AcceptsStaleLeases,
        Fault::ShowsTheNewestDeadFirst,
    ] {
        suite(fault).await;
    }
}
