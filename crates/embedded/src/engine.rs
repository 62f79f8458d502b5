use std::{
    fs::{self, DirBuilder, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use waxwing_app::ports::{
    Clock, Entropy, Erasure, Feed, Journal, KeyCustody, PortError, Records, Search, SecretBox, Work,
};

use crate::{
    feed::SqliteFeed,
    folder_lock::{self, FolderLock},
    journal::SqliteJournal,
    keyring::Keyring,
    log::Log,
    open_error::OpenError,
    readers::Readers,
    records::SqliteRecords,
    schema,
    search::SqliteSearch,
    secrets::LocalSecretBox,
    signals::Signals,
    store::Store,
    work::SqliteWork,
    writer::Writer,
};

/// How a data folder is opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Most pages of 4 KiB that the database may have; past it writes fail as on a full disk.
    pub max_page_count: Option<u32>,
}

/// An open data folder. No other process can open it until this one has closed it or has ended.
pub struct Engine {
    folder: PathBuf,
    store: Arc<Store>,
    feed: Arc<SqliteFeed>,
    secrets: Arc<LocalSecretBox>,
    entropy: Arc<dyn Entropy>,
}

impl Engine {
    /// Opens `data_dir`; makes it, its database and its master key on first use. Blocks the thread for the time of a few
    /// disk accesses, and of a check of the file while that is small.
    pub fn open(
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        Self::open_with(data_dir, &OpenOptions::default(), clock, entropy)
    }

    /// [`Engine::open`] with options.
    pub fn open_with(
        data_dir: &Path,
        options: &OpenOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        make_folder(data_dir)?;
        let lock = FolderLock::take(data_dir)?;
        let database = data_dir.join(schema::FILE_NAME);
        let mut connection = schema::open_writable(&database, options.max_page_count)?;
        let told = |error: rusqlite::Error| schema::refusal(&database, &error);
        let keyring = Keyring::open(data_dir, &mut connection, &*entropy)?;
        // The lock on the folder says that whoever held a lease is gone.
        connection
            .execute("UPDATE jobs SET due_ms = 0, lease = NULL WHERE lease IS NOT NULL", [])
            .map_err(told)?;
        let position: i64 = connection
            .query_row("SELECT coalesce(max(position), 0) FROM commits", [], |row| row.get(0))
            .map_err(told)?;
        let signals = Arc::new(Signals::new(position.cast_unsigned()));
        let failed = |attempt| move |source| OpenError::Io { path: data_dir.to_path_buf(), attempt, source };
        let log = Log::of(&database).map_err(failed("open the write-ahead log"))?;
        let writer = Writer::start(connection, lock, log, Arc::clone(&clock), Arc::clone(&signals))
            .map_err(failed("start the writer thread"))?;
        let store = Arc::new(Store { writer, readers: Readers::new(database), signals, clock });
        Ok(Self {
            folder: data_dir.to_path_buf(),
            feed: Arc::new(SqliteFeed::new(Arc::clone(&store))),
            secrets: Arc::new(LocalSecretBox::new(Arc::clone(&store), Arc::clone(&entropy), keyring)),
            store,
            entropy,
        })
    }

    /// The journal.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(SqliteJournal { store: Arc::clone(&self.store) })
    }

    /// The journal's feed. What a consumer has seen is shared between all that this returns.
    pub fn feed(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.feed) as Arc<dyn Feed>
    }

    /// Read models and state.
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::new(SqliteRecords { store: Arc::clone(&self.store) })
    }

    /// Messages by their words.
    pub fn search(&self) -> Arc<dyn Search> {
        Arc::new(SqliteSearch { store: Arc::clone(&self.store) })
    }

    /// Due rows.
    pub fn work(&self) -> Arc<dyn Work> {
        Arc::new(SqliteWork { store: Arc::clone(&self.store), entropy: Arc::clone(&self.entropy) })
    }

    /// Envelope encryption under the folder's master key.
    pub fn secrets(&self) -> Arc<dyn SecretBox> {
        Arc::clone(&self.secrets) as Arc<dyn SecretBox>
    }

    /// The data keys themselves. Copies of the folder made before keep theirs.
    pub fn keys(&self) -> Arc<dyn KeyCustody> {
        Arc::clone(&self.secrets) as Arc<dyn KeyCustody>
    }

    /// All rows of an account.
    pub fn erasure(&self) -> Arc<dyn Erasure> {
        Arc::new(SqliteRecords { store: Arc::clone(&self.store) })
    }

    /// Writes into the lock file at which address this process serves, for the error text of whoever wants the folder, too.
    pub fn announce(&self, address: &str) -> io::Result<()> {
        folder_lock::announce(&self.folder, Some(address))
    }

    /// Sets anew what [`OpenOptions::max_page_count`] set.
    pub async fn limit_pages(&self, max_page_count: u32) -> Result<(), PortError> {
        self.store
            .writer
            .run(move |transaction| Ok(schema::set_max_page_count(transaction.connection(), max_page_count)?))
            .await
    }

    /// Finishes the writes that wait, refuses later calls, and gives the folder free. Calling it again is fine. An error
    /// says that the write-ahead log could not be emptied, which costs nothing but time at the next start.
    pub async fn close(&self) -> Result<(), PortError> {
        let stopped = self.store.writer.stop().await;
        self.store.readers.close();
        stopped
    }
}

/// Whether there is a database in `data_dir`: opening would make one otherwise.
pub fn is_installed(data_dir: &Path) -> bool {
    data_dir.join(schema::FILE_NAME).exists()
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    if fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(folder).and_then(|()| match folder.parent() {
        // Or a power cut could take the folder with everything that was answered since.
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    });
    made.map_err(|source| OpenError::Io {
        path: folder.to_path_buf(),
        attempt: "make the data folder",
        source,
    })
}
