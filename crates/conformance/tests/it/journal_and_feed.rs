use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use waxwing_app::ports::{
    Appended, Claim, ClaimKey, Clock as _, Commit, Feed, FeedItem, Journal, Order, PortError, StreamName,
};
use waxwing_conformance as conformance;
use waxwing_conformance::TestClock;
use waxwing_domain::AccountId;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    IgnoresHead,
    LooksThenWritesLater,
    IgnoresClaims,
    HidesTheHolder,
    TakesClaimsAtWrongHead,
    TakesSomeClaims,
    NeverReleases,
    ClaimsNeverEnd,
    SharesAccounts,
    ReadsByPrefix,
    LosesTraceIds,
    ReadsOnePage,
    OrdersAsNumbers,
    Skips,
    IgnoresCheckpoints,
    AcknowledgesByItself,
    MovesBack,
    SharesCheckpoints,
    IgnoresKinds,
    ComparesKindsByPrefix,
    ReversesPages,
    NeverTells,
    ForgetsWhatCameBefore,
}

#[derive(Default)]
struct State {
    commits: Vec<Commit>,
    claims: BTreeMap<ClaimKey, (Vec<u8>, Option<Timestamp>)>,
    checkpoints: HashMap<String, usize>,
    looked: HashMap<String, usize>,
}

struct Memory {
    state: Mutex<State>,
    appended: watch::Sender<usize>,
    clock: Arc<TestClock>,
    fault: Fault,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        Self { state: Mutex::default(), appended: watch::Sender::new(0), clock: Arc::default(), fault }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn is_of(&self, commit: &Commit, account: AccountId, stream: &StreamName) -> bool {
        let by_prefix = self.has(Fault::ReadsByPrefix) && commit.stream.0.starts_with(&stream.0);
        (commit.account == account || self.has(Fault::SharesAccounts))
            && (commit.stream == *stream || by_prefix)
    }

    fn holder(&self, state: &State, key: &ClaimKey) -> Option<Vec<u8>> {
        let (value, end) = state.claims.get(key)?;
        let is_over = end.is_some_and(|end| end < self.clock.now()) && !self.has(Fault::ClaimsNeverEnd);
        (!is_over).then(|| value.clone())
    }

    fn refusal(&self, state: &mut State, commit: &Commit, claims: &[Claim]) -> Option<Appended> {
        let head =
            state.commits.iter().filter(|other| self.is_of(other, commit.account, &commit.stream)).count();
        if head as u64 + 1 != commit.version && !self.has(Fault::IgnoresHead) {
            return Some(Appended::HeadMoved);
        }
        for claim in claims {
            let Claim::Take { key, .. } = claim else { continue };
            if let Some(value) = self.holder(state, key).filter(|_| !self.has(Fault::IgnoresClaims)) {
                let value = if self.has(Fault::HidesTheHolder) { vec![] } else { value };
                return Some(Appended::ClaimTaken { key: key.clone(), value });
            }
            if self.has(Fault::TakesSomeClaims) {
                self.write_claim(state, claim);
            }
        }
        None
    }

    fn write_claim(&self, state: &mut State, claim: &Claim) {
        match claim {
            Claim::Take { key, value, expires_at } => {
                state.claims.insert(key.clone(), (value.clone(), *expires_at));
            },
            Claim::Release { key } if !self.has(Fault::NeverReleases) => {
                state.claims.remove(key);
            },
            Claim::Release { .. } => {},
        }
    }

    fn order(&self, position: usize) -> Order {
        Order(if self.has(Fault::OrdersAsNumbers) { position.to_string() } else { format!("{position:09}") })
    }

    fn checkpoint_name(&self, consumer: &str) -> String {
        if self.has(Fault::SharesCheckpoints) { String::new() } else { consumer.to_owned() }
    }

    fn is_wanted(&self, commit: &Commit, kinds: &[&str]) -> bool {
        kinds.is_empty()
            || self.has(Fault::IgnoresKinds)
            || kinds.contains(&commit.stream.kind())
            || self.has(Fault::ComparesKindsByPrefix)
                && kinds.iter().any(|kind| commit.stream.kind().starts_with(kind))
    }
}

#[async_trait]
impl Journal for Memory {
    async fn append(&self, mut commit: Commit, claims: Vec<Claim>) -> Result<Appended, PortError> {
        let refused = self.refusal(&mut self.state(), &commit, &claims);
        if self.has(Fault::LooksThenWritesLater) {
            tokio::task::yield_now().await;
        }
        let mut state = self.state();
        // Between the two looks nothing else runs unless the fault let it.
        let refused = if self.has(Fault::LooksThenWritesLater) || self.has(Fault::TakesSomeClaims) {
            refused
        } else {
            self.refusal(&mut state, &commit, &claims)
        };
        if refused.is_none()
            || refused == Some(Appended::HeadMoved) && self.has(Fault::TakesClaimsAtWrongHead)
        {
            claims.iter().for_each(|claim| self.write_claim(&mut state, claim));
        }
        if let Some(refused) = refused {
            return Ok(refused);
        }
        if self.has(Fault::LosesTraceIds) {
            commit.trace_id = None;
        }
        state.commits.push(commit);
        let position = state.commits.len();
        self.appended.send_replace(position);
        Ok(Appended::Done(self.order(position)))
    }

    async fn read(&self, account: AccountId, stream: &StreamName) -> Result<Vec<Commit>, PortError> {
        let state = self.state();
        let commits = state.commits.iter().filter(|commit| self.is_of(commit, account, stream)).cloned();
        Ok(commits.take(if self.has(Fault::ReadsOnePage) { 16 } else { usize::MAX }).collect())
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.holder(&self.state(), key))
    }
}

#[async_trait]
impl Feed for Memory {
    async fn next(&self, consumer: &str, kinds: &[&str], limit: usize) -> Result<Vec<FeedItem>, PortError> {
        let mut state = self.state();
        let name = self.checkpoint_name(consumer);
        let checkpoint = state.checkpoints.get(&name).copied().unwrap_or(0);
        let checkpoint = if self.has(Fault::IgnoresCheckpoints) { 0 } else { checkpoint };
        let mut looked = state.commits.len();
        let mut items = Vec::new();
        for (index, commit) in state.commits.iter().enumerate().skip(checkpoint) {
            if self.has(Fault::Skips) && index % 5 == 4 || !self.is_wanted(commit, kinds) {
                continue;
            }
            items.push(FeedItem { order: self.order(index + 1), commit: commit.clone() });
            if items.len() == limit {
                looked = index + 1;
                break;
            }
        }
        if self.has(Fault::AcknowledgesByItself) {
            state.checkpoints.insert(name, looked);
        }
        if self.has(Fault::ReversesPages) {
            items.reverse();
        }
        state.looked.insert(consumer.to_owned(), looked);
        Ok(items)
    }

    async fn acknowledge(&self, consumer: &str, order: &Order) -> Result<(), PortError> {
        let position = order.0.parse().map_err(|_| PortError::Corrupt(order.0.clone()))?;
        let mut state = self.state();
        let checkpoint = state.checkpoints.entry(self.checkpoint_name(consumer)).or_default();
        *checkpoint = if self.has(Fault::MovesBack) { position } else { position.max(*checkpoint) };
        Ok(())
    }

    async fn changed(&self, consumer: &str) {
        let mut appended = self.appended.subscribe();
        let looked = self.state().looked.get(consumer).copied().unwrap_or(0);
        match self.fault {
            Fault::NeverTells => std::future::pending().await,
            Fault::ForgetsWhatCameBefore => drop(appended.changed().await),
            _ => drop(
                appended.wait_for(|latest| *latest > looked).await.expect("the sender lives as long as this"),
            ),
        }
    }
}

async fn journal_suite(fault: Fault) {
    let memory = Memory::new(fault);
    conformance::journal(&memory, &memory.clock).await;
}

async fn feed_suite(fault: Fault) {
    let memory = Memory::new(fault);
    conformance::feed(&memory, &memory, &memory.clock).await;
}

#[tokio::test]
async fn a_correct_journal_and_feed_pass() {
    journal_suite(Fault::None).await;
    feed_suite(Fault::None).await;
}

#[tokio::test]
async fn a_faulty_journal_is_found() {
    let cases = [
        (Fault::IgnoresHead, "an append at a wrong head is refused"),
        (Fault::LooksThenWritesLater, "of concurrent appends at one head only one succeeds"),
        (Fault::IgnoresClaims, "a taken claim is refused"),
        (Fault::HidesTheHolder, "with what its holder left"),
        (Fault::TakesClaimsAtWrongHead, "an append at a wrong head takes no claim"),
        (Fault::TakesSomeClaims, "a refused append takes none of its claims"),
        (Fault::NeverReleases, "a claim is held from its taking to its release"),
        (Fault::ClaimsNeverEnd, "a claim past its time reads as free"),
        (Fault::SharesAccounts, "a stream is its own, by account"),
        (Fault::ReadsByPrefix, "another account's commits stay out"),
        (Fault::LosesTraceIds, "a commit reads back as it was written"),
        (Fault::ReadsOnePage, "a stream is read whole"),
        (Fault::OrdersAsNumbers, "orders of a stream's commits rise"),
    ];
    all_break(cases, journal_suite).await;
}

#[tokio::test]
async fn a_faulty_feed_is_found() {
    let cases = [
        (Fault::Skips, "every commit is brought once"),
        (Fault::IgnoresCheckpoints, "what was acknowledged does not come again"),
        (Fault::AcknowledgesByItself, "every commit is brought once"),
        (Fault::MovesBack, "a checkpoint never moves backwards"),
        (Fault::SharesCheckpoints, "a checkpoint is its consumer's own"),
        (Fault::IgnoresKinds, "with a kind, only its streams come"),
        (Fault::ComparesKindsByPrefix, "a kind is compared whole"),
        (Fault::ReversesPages, "in the order of their `order`"),
        (Fault::NeverTells, "`changed` returns after an append"),
        (Fault::ForgetsWhatCameBefore, "`changed` returns after an append"),
    ];
    all_break(cases, feed_suite).await;
}
