//! The product in one of its two shapes, and how it is hurt.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::{RngExt as _, rngs::StdRng};
use tempfile::TempDir;
use waxwing_tests_api::{Client, Sandbox, Waxwing, eventually};
use waxwing_tests_deployed::{proxy::Fault, stack::Stack};

/// Session hosts on AWS.
const HOSTS: usize = 3;
/// So many pages are left to a database whose disk is full.
const PAGES_LEFT: u64 = 40;
const PAGE_BYTES: u64 = 4_096;

/// What is tortured.
pub enum Shape {
    /// `waxwing up`, with the network in a process of its own.
    Standalone(Box<Standalone>),
    /// template.yaml on an emulator, with three hosts.
    Deployed(Box<Stack>, Client),
}

/// The standalone shape.
pub struct Standalone {
    folder: TempDir,
    sandbox: Sandbox,
    waxwing: Option<Waxwing>,
}

impl Standalone {
    async fn start(&mut self, flags: &[&str]) -> Result<Client> {
        let key_file = self.sandbox.key_file.to_string_lossy().into_owned();
        let mut all = vec!["--sandbox", self.sandbox.url.as_str(), "--sandbox-key-file", &key_file];
        all.extend_from_slice(flags);
        let waxwing = Waxwing::start_with(self.folder.path(), &all).await?;
        let client = waxwing.client()?;
        self.waxwing = Some(waxwing);
        Ok(client)
    }

    fn running(&mut self) -> Result<Waxwing> {
        self.waxwing.take().context("it runs")
    }

    /// How many pages the database has.
    fn pages(&self) -> Result<u64> {
        let mut bytes = 0;
        for file in std::fs::read_dir(self.folder.path())?.flatten() {
            if file.path().extension().is_some_and(|extension| extension == "db") {
                bytes = bytes.max(file.metadata()?.len());
            }
        }
        Ok(bytes / PAGE_BYTES)
    }
}

impl Shape {
    /// Starts the standalone shape in folders of its own.
    pub async fn standalone() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let network = folder.path().join("network");
        std::fs::create_dir(&network)?;
        let sandbox = Sandbox::start(&network).await?;
        let mut this = Standalone { folder, sandbox, waxwing: None };
        this.start(&[]).await?;
        Ok(Self::Standalone(Box::new(this)))
    }

    /// Deploys on an emulator.
    pub async fn deployed() -> Result<Self> {
        let stack = Stack::start("torture", HOSTS).await?;
        let client = stack.tenant("torture")?;
        Ok(Self::Deployed(Box::new(stack), client))
    }

    pub(crate) fn is_deployed(&self) -> bool {
        matches!(self, Self::Deployed(..))
    }

    /// Where it is now.
    pub(crate) fn client(&self) -> Result<Client> {
        match self {
            Self::Standalone(this) => this.waxwing.as_ref().context("it runs")?.client(),
            Self::Deployed(_, client) => Ok(client.clone()),
        }
    }

    /// What nothing has been heard of for so long is lost: longer than a webhook waits after its first failures, and than SQS
    /// hides the job of a function that was killed.
    pub(crate) fn standstill(&self) -> Duration {
        match self {
            Self::Standalone(_) => Duration::from_secs(120),
            Self::Deployed(..) => Duration::from_secs(420),
        }
    }

    /// The ends of its logs.
    pub(crate) fn logs(&self) -> String {
        match self {
            Self::Standalone(this) => this.waxwing.as_ref().map(Waxwing::log).unwrap_or_default(),
            Self::Deployed(stack, _) => stack.logs(),
        }
    }

    pub(crate) async fn kill(&mut self, random: &mut StdRng) -> Result<Option<Client>> {
        match self {
            Self::Standalone(this) => {
                this.running()?.kill()?;
                this.start(&[]).await.map(Some)
            },
            Self::Deployed(stack, _) => end_a_host(stack, "-KILL", random).await,
        }
    }

    pub(crate) async fn drain(&mut self, random: &mut StdRng) -> Result<Option<Client>> {
        match self {
            Self::Standalone(this) => {
                this.running()?.stop().await?;
                this.start(&[]).await.map(Some)
            },
            Self::Deployed(stack, _) => end_a_host(stack, "-TERM", random).await,
        }
    }

    pub(crate) fn kill_functions(&self) -> Result<()> {
        match self {
            Self::Standalone(_) => Ok(()),
            Self::Deployed(stack, _) => stack.kill_functions(),
        }
    }

    /// The engine refuses to write for so long.
    pub(crate) async fn cut_off(&mut self, lasts: Duration) -> Result<Option<Client>> {
        match self {
            Self::Standalone(this) => {
                this.running()?.stop().await?;
                let pages = (this.pages()? + PAGES_LEFT).to_string();
                this.start(&["--max-page-count", &pages]).await?;
                tokio::time::sleep(lasts).await;
                this.running()?.kill()?;
                this.start(&[]).await.map(Some)
            },
            Self::Deployed(stack, _) => {
                let refused = Fault::of("dynamodb", "ProvisionedThroughputExceededException");
                let disturbance = stack.proxy.disturb(refused);
                tokio::time::sleep(lasts).await;
                drop(disturbance);
                Ok(None)
            },
        }
    }

    /// Nothing is done to it any more.
    pub(crate) async fn calm(&mut self) -> Result<Client> {
        let client = self.client()?;
        eventually("an answer", || async { Ok(client.is_ready().await.then_some(())) }).await?;
        Ok(client)
    }
}

async fn end_a_host(stack: &Stack, signal: &str, random: &mut StdRng) -> Result<Option<Client>> {
    stack.end_a_host(random.random_range(0..HOSTS), signal).await?;
    Ok(None)
}
