//! One command on one stream: load, decide, commit; decide anew when somebody else was faster.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use cqrs_es::{AggregateContext, AggregateError, CqrsFramework, EventEnvelope, EventStore};
use jiff::Timestamp;
use waxwing_domain::{AccountId, Aggregate, DomainEvent};

use crate::{
    codec,
    ports::{Appended, Claim, ClaimKey, Clock, Commit, Journal, Order, PortError, SecretBox, StreamName},
    recent::{Name, Recent},
};

/// How often a command is decided anew after somebody else wrote first.
const TRIES: usize = 5;

/// What stands before the actor's id in a [`Cause`] where the operator is at work on somebody else's account, whose people
/// are told neither the id nor the address.
pub const OPERATOR: &str = "operator/";

/// Who caused a command, and in which request.
#[derive(Debug, Clone)]
pub struct Cause {
    /// An API key's id, a user's id, either behind [`OPERATOR`], `anonymous`, or `system`.
    pub actor: String,
    /// The API request.
    pub request_id: Option<String>,
    /// The trace.
    pub trace_id: Option<String>,
    /// From where: the client's address. It is sealed with the events.
    pub address: Option<IpAddr>,
}

impl Cause {
    /// Waxwing itself.
    pub fn system() -> Self {
        Self { actor: "system".to_owned(), request_id: None, trace_id: None, address: None }
    }
}

/// What a command needs of the engine.
#[derive(Clone)]
pub struct CommandPorts {
    /// Where commits go.
    pub journal: Arc<dyn Journal>,
    /// What encrypts them.
    pub secrets: Arc<dyn SecretBox>,
    /// When they happen.
    pub clock: Arc<dyn Clock>,
    recent: Arc<Recent>,
    alone: bool,
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<E> {
    /// The events; empty when there was nothing to do.
    pub events: Vec<E>,
    /// The stream's head afterwards.
    pub version: u64,
    /// When they were committed, and where in the feed.
    pub committed: Option<(Timestamp, Order)>,
}

/// Why a command led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<E: std::error::Error> {
    /// The aggregate refused it.
    #[error(transparent)]
    Refused(E),
    /// A claim is held by another; this is what that one left.
    #[error("a claim is taken")]
    ClaimTaken(ClaimKey, Vec<u8>),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A claim is taken that nobody else can hold.
pub(crate) fn unexpected_claim() -> PortError {
    PortError::Conflict("an unexpected claim is taken".to_owned())
}

/// One command.
pub struct Execution<'a, A: Aggregate> {
    /// The tenant.
    pub account: AccountId,
    /// The aggregate's id.
    pub id: &'a str,
    /// What to do.
    pub command: A::Command,
    /// True when the stream should not exist yet: then nothing is read first.
    pub fresh: bool,
    /// What else has to be free, or is given back.
    pub claims: Vec<Claim>,
    /// Who wants it.
    pub cause: &'a Cause,
}

impl CommandPorts {
    /// Of an engine that several processes share.
    pub fn new(journal: Arc<dyn Journal>, secrets: Arc<dyn SecretBox>, clock: Arc<dyn Clock>) -> Self {
        Self { journal, secrets, clock, recent: Arc::default(), alone: false }
    }

    /// All commits of the engine come by way of these ports and their clones: what they have read lately is as it stands.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Runs a command on the stream of `A` with this id.
    pub async fn execute<A>(
        &self,
        execution: Execution<'_, A>,
    ) -> Result<Outcome<A::Event>, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()>,
        A::Command: Clone,
        A::Error: Send + Sync + 'static,
    {
        let Execution { account, id, command, mut fresh, claims, cause } = execution;
        for _ in 0..TRIES {
            let result = Arc::new(Mutex::new(CommitResult::Nothing { version: 0 }));
            let store = CommandStore::<A> {
                ports: self,
                account,
                fresh,
                claims: &claims,
                cause,
                result: result.clone(),
            };
            let framework = CqrsFramework::<A, _>::new(store, Vec::new(), ());
            let executed = framework.execute(id, command.clone()).await;
            let result = std::mem::replace(
                &mut *result.lock().unwrap_or_else(PoisonError::into_inner),
                CommitResult::Nothing { version: 0 },
            );
            match (executed, result) {
                (Err(AggregateError::UserError(refusal)), _) => return Err(ExecuteError::Refused(refusal)),
                (_, CommitResult::Failed(error)) => return Err(error.into()),
                (_, CommitResult::ClaimTaken(key, value)) => {
                    return Err(ExecuteError::ClaimTaken(key, value));
                },
                (_, CommitResult::HeadMoved) => fresh = false,
                (Ok(()), CommitResult::Done { events, version, at, order }) => {
                    return Ok(Outcome { events, version, committed: Some((at, order)) });
                },
                (Ok(()), CommitResult::Nothing { version }) => {
                    return Ok(Outcome { events: Vec::new(), version, committed: None });
                },
                (Err(error), _) => return Err(PortError::Corrupt(error.to_string()).into()),
            }
        }
        Err(PortError::Conflict(format!(
            "{}/{id} changed {TRIES} times while a command was decided",
            A::TYPE
        ))
        .into())
    }

    /// The aggregate as it stands, strongly consistent, and its head version (0 when there is none).
    pub async fn load<A: Aggregate>(&self, account: AccountId, id: &str) -> Result<(A, u64), PortError> {
        let (mut aggregate, mut head) = (A::default(), 0);
        for commit in self.journal.read(account, &StreamName::new(A::TYPE, id)).await? {
            head = commit.version;
            for event in codec::open_what_is_left::<A::Event>(&*self.secrets, &commit).await? {
                aggregate.apply(event);
            }
        }
        Ok((aggregate, head))
    }

    /// The aggregate as it stands; where nobody else commits, without reading it each time.
    pub(crate) async fn load_current<A: Aggregate + 'static>(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Arc<A>, PortError> {
        match self.alone {
            true => self.load_recent(account, id).await,
            false => Ok(Arc::new(self.load::<A>(account, id).await?.0)),
        }
    }

    /// The aggregate as it stands, or stood up to [`RECENT`](crate::recent::RECENT) ago if another process changed it since.
    pub(crate) async fn load_recent<A: Aggregate + 'static>(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Arc<A>, PortError> {
        self.recent((A::TYPE, account, id.to_owned()), async || Ok(self.load::<A>(account, id).await?.0))
            .await
    }

    /// What `read` says, or said lately.
    pub(crate) async fn recent<T: Send + Sync + 'static>(
        &self,
        name: Name,
        read: impl AsyncFnOnce() -> Result<T, PortError>,
    ) -> Result<Arc<T>, PortError> {
        let now = self.clock.now();
        let changes = match self.recent.get(&name, now) {
            Ok(value) => return Ok(value),
            Err(changes) => changes,
        };
        let value = Arc::new(read().await?);
        self.recent.keep(name, value.clone(), (now, changes));
        Ok(value)
    }
}

/// What became of a commit; the framework has no place for it in its errors.
enum CommitResult<E> {
    Nothing { version: u64 },
    Done { events: Vec<E>, version: u64, at: Timestamp, order: Order },
    HeadMoved,
    ClaimTaken(ClaimKey, Vec<u8>),
    Failed(PortError),
}

/// Our store for `cqrs-es`, made for one command: it knows the account, the claims and the cause.
struct CommandStore<'a, A: Aggregate> {
    ports: &'a CommandPorts,
    account: AccountId,
    fresh: bool,
    claims: &'a [Claim],
    cause: &'a Cause,
    result: Arc<Mutex<CommitResult<A::Event>>>,
}

struct Loaded<A> {
    aggregate: A,
    head: u64,
    id: String,
}

impl<A: Aggregate> AggregateContext<A> for Loaded<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl<A: Aggregate> CommandStore<'_, A> {
    fn report(&self, result: CommitResult<A::Event>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn failed(&self, error: PortError) -> AggregateError<A::Error> {
        self.report(CommitResult::Failed(error));
        AggregateError::AggregateConflict
    }

    async fn append(
        &self,
        events: &[A::Event],
        context: &Loaded<A>,
    ) -> Result<CommitResult<A::Event>, PortError> {
        let Self { ports, account, cause, .. } = *self;
        let (stream, version) = (StreamName::new(A::TYPE, &context.id), context.head + 1);
        let sealed = codec::seal(&*ports.secrets, (account, &stream, version), events, cause.address).await?;
        let at = ports.clock.now();
        let commit = Commit {
            account,
            stream,
            version,
            types: events.iter().map(DomainEvent::event_type).collect(),
            actor: cause.actor.clone(),
            request_id: cause.request_id.clone(),
            trace_id: cause.trace_id.clone(),
            at,
            key_id: sealed.key_id,
            payload: sealed.bytes,
        };
        Ok(match ports.journal.append(commit, self.claims.to_vec()).await? {
            Appended::Done(order) => CommitResult::Done { events: events.to_vec(), version, at, order },
            Appended::HeadMoved => CommitResult::HeadMoved,
            Appended::ClaimTaken { key, value } => CommitResult::ClaimTaken(key, value),
        })
    }
}

impl<A: Aggregate> EventStore<A> for CommandStore<'_, A>
where
    A::Error: Send + Sync + 'static,
{
    type AC = Loaded<A>;

    async fn load_events(&self, id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stream = StreamName::new(A::TYPE, id);
        let commits =
            self.ports.journal.read(self.account, &stream).await.map_err(|error| self.failed(error))?;
        let mut envelopes = Vec::with_capacity(commits.len());
        for commit in commits {
            let events = codec::open_what_is_left(&*self.ports.secrets, &commit)
                .await
                .map_err(|error| self.failed(error))?;
            for payload in events {
                let sequence = envelopes.len() + 1;
                envelopes.push(EventEnvelope {
                    aggregate_id: id.to_owned(),
                    sequence,
                    payload,
                    metadata: HashMap::new(),
                });
            }
        }
        Ok(envelopes)
    }

    async fn load_aggregate(&self, id: &str) -> Result<Loaded<A>, AggregateError<A::Error>> {
        let (aggregate, head) = match self.fresh {
            true => (A::default(), 0),
            false => self.ports.load(self.account, id).await.map_err(|error| self.failed(error))?,
        };
        Ok(Loaded { aggregate, head, id: id.to_owned() })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Loaded<A>,
        _metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        if events.is_empty() {
            self.report(CommitResult::Nothing { version: context.head });
            return Ok(Vec::new());
        }
        let result = self.append(&events, &context).await.unwrap_or_else(CommitResult::Failed);
        // Whatever became of it: an answer may be lost, too.
        self.ports.recent.forget(A::TYPE, self.account, &context.id);
        let refused = !matches!(result, CommitResult::Done { .. });
        self.report(result);
        match refused {
            true => Err(AggregateError::AggregateConflict),
            // Nobody reads the envelopes: what follows from a commit follows from the feed.
            false => Ok(Vec::new()),
        }
    }
}
