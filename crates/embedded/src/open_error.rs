use std::{io, path::PathBuf};

use crate::folder_lock::Holder;

/// Why a data folder cannot be opened. Each text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("{} is in use by {holder}: stop it, or choose another data folder", path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// Who holds it, as far as it said.
        holder: Holder,
    },
    /// The file is damaged.
    #[error("{} is damaged ({detail}): keep a copy of it, and put a backup in its place", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The file is a database, but not one of Waxwing's.
    #[error("{} is a database of another program: choose another data folder", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A newer Waxwing wrote the file.
    #[error(
        "{} has schema {found}, and this Waxwing knows schemas up to {supported}: start the newer version again, or \
         put a backup from before the upgrade in its place",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version that this build knows.
        supported: i64,
    },
    /// The master key is missing, unreadable, open to others, or of another database.
    #[error("{}: {problem}", path.display())]
    MasterKey {
        /// The key file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {attempt}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{} cannot be opened: {detail}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
}
