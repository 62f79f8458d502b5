//! The embedded engine with the use cases on it.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use waxwing_app::{
    commands::{AccountLimits, Commands},
    execute::CommandPorts,
    id_source::IdSource,
    ports::{Clock, Entropy},
};
use waxwing_embedded::{Engine, OpenOptions};
use waxwing_runtime::{OsEntropy, SystemClock};

/// An open installation.
pub(crate) struct Installation {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) commands: Commands,
}

impl Installation {
    /// Opens the data folder and locks it.
    pub(crate) fn open(data_dir: &Path, max_page_count: Option<u32>) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let options = OpenOptions { max_page_count };
        let engine = Engine::open_with(data_dir, &options, clock.clone(), entropy.clone())?;
        let ports = CommandPorts::new(engine.journal(), engine.secrets(), clock.clone()).alone();
        let commands = Commands {
            ports,
            records: engine.records(),
            entropy: entropy.clone(),
            ids: Arc::new(IdSource::new(clock.clone(), entropy.clone())),
            network: waxwing_whatsapp::NETWORK,
            limits: AccountLimits::default(),
        };
        Ok(Self { engine, clock, entropy, commands })
    }
}
