use std::{
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
    LeasesTwice,
    LeasesWhatIsNotDue,
    LeasesTheNewestFirst,
    IgnoresTheLimit,
    CountsNoAttempts,
    ReplacesJobs,
    LeasesForEver,
    RepeatsLeases,
    AcceptsStaleLeases,
    KeepsWhatIsComplete,
    RetriesAtOnce,
    LosesTheDead,
    ForgetsTheReason,
    RedriveCountsOn,
    RedrivesAnything,
    SharesQueues,
    NeverTells,
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
    leases: u64,
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
        state.jobs.iter().position(is_held).ok_or_else(|| PortError::Conflict("the lease".to_owned()))
    }
}

#[async_trait]
impl Work for Memory {
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError> {
        let mut state = self.state();
        for NewJob { id, payload, due_at } in jobs {
            let known =
                state.jobs.iter().position(|entry| self.is_of(entry.queue, queue) && entry.job.id == id);
            match known {
                Some(known) if self.has(Fault::ReplacesJobs) => drop(state.jobs.remove(known)),
                Some(_) => continue,
                None => {},
            }
            let job = Job { id, payload, attempts: 0, lease: String::new() };
            state.jobs.push(Entry { queue, job, due_at, is_leased: false });
        }
        Ok(())
    }

    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError> {
        let mut state = self.state();
        let State { jobs, leases, .. } = &mut *state;
        let now = self.clock.now();
        let mut due: Vec<_> = jobs.iter_mut().filter(|entry| self.is_of(entry.queue, queue)).collect();
        due.retain(|entry| entry.due_at <= now || self.has(Fault::LeasesWhatIsNotDue));
        due.retain(|entry| !(entry.is_leased && self.has(Fault::LeasesForEver)));
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
        if !self.has(Fault::KeepsWhatIsComplete) {
            state.jobs.remove(held);
        }
        Ok(())
    }

    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError> {
        let mut state = self.state();
        let held = self.held(&state, queue, job)?;
        state.jobs[held].due_at = if self.has(Fault::RetriesAtOnce) { self.clock.now() } else { due_at };
        state.jobs[held].is_leased = false;
        Ok(())
    }

    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError> {
        let mut state = self.state();
        let held = self.held(&state, queue, job)?;
        let Job { id, payload, attempts, .. } = state.jobs.remove(held).job;
        let reason = if self.has(Fault::ForgetsTheReason) { String::new() } else { reason.to_owned() };
        if !self.has(Fault::LosesTheDead) {
            state.dead.push((queue, DeadJob { id, payload, attempts, reason, at: self.clock.now() }));
        }
        Ok(())
    }

    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        let state = self.state();
        let dead = state.dead.iter().filter(|(other, _)| self.is_of(*other, queue));
        Ok(dead.take(limit).map(|(_, job)| job.clone()).collect())
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
        let (_, DeadJob { id, payload, attempts, .. }) = state.dead.remove(place);
        let attempts = if self.has(Fault::RedriveCountsOn) { attempts } else { 0 };
        let job = Job { id, payload, attempts, lease: String::new() };
        state.jobs.push(Entry { queue, job, due_at: self.clock.now(), is_leased: false });
        Ok(())
    }

    async fn changed(&self, _queue: Queue) {
        if self.has(Fault::NeverTells) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn suite(fault: Fault) {
    let memory = Memory { state: Mutex::default(), clock: Arc::default(), fault };
    conformance::work(&memory, &memory.clock).await;
}

#[tokio::test]
async fn correct_work_passes() {
    suite(Fault::None).await;
}

#[tokio::test]
async fn faulty_work_is_found() {
    let cases = [
        (Fault::LeasesTwice, "the longest due comes first"),
        (Fault::LeasesWhatIsNotDue, "only what is due is leased"),
        (Fault::LeasesTheNewestFirst, "the longest due comes first"),
        (Fault::IgnoresTheLimit, "`lease` keeps to its limit"),
        (Fault::CountsNoAttempts, "the first lease is attempt 1"),
        (Fault::ReplacesJobs, "pushing a known id changes nothing"),
        (Fault::LeasesForEver, "one job is due, and 0 were leased"),
        (Fault::RepeatsLeases, "each lease has its own proof"),
        (Fault::AcceptsStaleLeases, "without the current lease"),
        (Fault::KeepsWhatIsComplete, "the longest due comes first"),
        (Fault::RetriesAtOnce, "a retry waits for its time"),
        (Fault::LosesTheDead, "buried jobs are kept"),
        (Fault::ForgetsTheReason, "say what they were, why and when"),
        (Fault::RedriveCountsOn, "its attempts from zero"),
        (Fault::RedrivesAnything, "what is not dead cannot be redriven"),
        (Fault::SharesQueues, "one job is due, and 3"),
        (Fault::NeverTells, "`changed` returns at a push"),
    ];
    all_break(cases, suite).await;
}
