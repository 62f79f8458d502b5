//! Runs the consumers of the feed: [`FeedRunner`] where the engine is pulled (the embedded one), [`FeedPush`] where it
//! pushes (DynamoDB Streams). Both park a stream that a consumer cannot handle, and the rest goes on.

mod parked;

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
pub use parked::{ParkedStream, parked, unpark};
use tokio::sync::watch;
use waxwing_domain::AccountId;

use crate::ports::{Feed, FeedItem, PortError, Records, StreamName};

/// Most commits that a consumer gets at once.
const BATCH: usize = 256;
/// First pause after a failure that may pass; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Something that follows from commits. Handling a commit twice must have one effect.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Under which its checkpoint is kept. Never changes.
    fn name(&self) -> &'static str;

    /// Aggregate types whose commits it wants.
    fn kinds(&self) -> &'static [&'static str];

    /// Handles commits in order. When it returns, all that has to follow is durable. An error that is not transient
    /// means that one of them cannot be handled; they are then tried one by one.
    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError>;
}

/// A consumer with the streams that it could not handle: their later commits wait, too.
struct Attended {
    records: Arc<dyn Records>,
    consumer: Arc<dyn Consumer>,
    parked: HashSet<(AccountId, StreamName)>,
}

impl Attended {
    fn new(records: Arc<dyn Records>, consumer: Arc<dyn Consumer>) -> Self {
        Self { records, consumer, parked: HashSet::new() }
    }

    /// Handles the commits, less those of parked streams. An error is transient: all of them have to come again.
    async fn handle(&mut self, items: &[FeedItem]) -> Result<(), PortError> {
        let wanted: Vec<FeedItem> = items.iter().filter(|item| !self.is_parked(item)).cloned().collect();
        match self.consumer.handle(&wanted).await {
            Err(error) if !error.is_transient() => self.handle_one_by_one(&wanted).await,
            handled => handled,
        }
    }

    fn is_parked(&self, item: &FeedItem) -> bool {
        !self.parked.is_empty() && self.parked.contains(&(item.commit.account, item.commit.stream.clone()))
    }

    async fn handle_one_by_one(&mut self, items: &[FeedItem]) -> Result<(), PortError> {
        for item in items {
            if self.is_parked(item) {
                continue;
            }
            match self.consumer.handle(std::slice::from_ref(item)).await {
                Ok(()) => {},
                Err(error) if error.is_transient() => return Err(error),
                // Nothing follows any more from what was erased.
                Err(PortError::Erased(_)) => {},
                Err(error) => self.park(item, &error).await?,
            }
        }
        Ok(())
    }

    async fn park(&mut self, item: &FeedItem, error: &PortError) -> Result<(), PortError> {
        let commit = &item.commit;
        let consumer = self.consumer.name();
        tracing::error!(consumer, stream = %commit.stream, version = commit.version, %error, "a stream is parked");
        parked::park(&*self.records, consumer, item, error).await?;
        self.parked.insert((commit.account, commit.stream.clone()));
        Ok(())
    }

    /// Reads which streams are parked.
    async fn load_parked(&mut self) -> Result<(), PortError> {
        let parked = parked(&*self.records, self.consumer.name()).await?;
        self.parked = parked.into_iter().map(|parked| (parked.account, parked.stream)).collect();
        Ok(())
    }
}

/// One consumer on its way through the feed.
pub struct FeedRunner {
    feed: Arc<dyn Feed>,
    attended: Attended,
}

impl FeedRunner {
    /// A runner that goes on where the consumer's checkpoint stands.
    pub fn new(feed: Arc<dyn Feed>, records: Arc<dyn Records>, consumer: Arc<dyn Consumer>) -> Self {
        Self { feed, attended: Attended::new(records, consumer) }
    }

    /// Reads which streams were parked before.
    pub async fn load_parked(&mut self) -> Result<(), PortError> {
        self.attended.load_parked().await
    }

    /// Runs until `stop` becomes true. A batch that was begun is finished.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE;
        while !*stop.borrow() {
            let wait = match self.turn().await {
                Ok(0) => None,
                Ok(_) => {
                    pause = PAUSE;
                    continue;
                },
                Err(error) => {
                    tracing::warn!(consumer = self.attended.consumer.name(), %error, "the feed waits");
                    pause = (pause * 2).min(PAUSE_MAX);
                    Some(pause)
                },
            };
            let idle = async {
                match wait {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => self.feed.changed(self.attended.consumer.name()).await,
                }
            };
            tokio::select! {
                () = idle => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Handles the next commits and moves the checkpoint. Says how many there were.
    async fn turn(&mut self) -> Result<usize, PortError> {
        let consumer = &self.attended.consumer;
        let (name, kinds) = (consumer.name(), consumer.kinds());
        let items = self.feed.next(name, kinds, BATCH).await?;
        let Some(last) = items.last() else { return Ok(0) };
        self.attended.handle(&items).await?;
        self.feed.acknowledge(name, &last.order).await?;
        Ok(items.len())
    }
}

/// Several consumers of commits that come in batches, each batch in order and again until it is handled.
pub struct FeedPush {
    attended: Vec<Attended>,
}

impl FeedPush {
    /// For these consumers.
    pub fn new(records: &Arc<dyn Records>, consumers: Vec<Arc<dyn Consumer>>) -> Self {
        let attended = |consumer| Attended::new(records.clone(), consumer);
        Self { attended: consumers.into_iter().map(attended).collect() }
    }

    /// Handles a batch: when it returns, all that has to follow is durable, or stands parked. On an error the batch has
    /// to come again; handling a commit twice has one effect.
    pub async fn handle(&mut self, items: &[FeedItem]) -> Result<(), PortError> {
        for attended in &mut self.attended {
            let kinds = attended.consumer.kinds();
            let wanted = |item: &&FeedItem| kinds.contains(&item.commit.stream.kind());
            let wanted: Vec<FeedItem> = items.iter().filter(wanted).cloned().collect();
            if wanted.is_empty() {
                continue;
            }
            // Another process may have handled the batch before.
            attended.load_parked().await?;
            attended.handle(&wanted).await?;
        }
        Ok(())
    }
}
