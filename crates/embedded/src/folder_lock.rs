use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::open_error::OpenError;

const FILE_NAME: &str = "waxwing.lock";

/// Who holds a data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: Option<u32>,
    /// The address at which it serves, once it does.
    pub address: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        match &self.address {
            Some(address) => write!(f, " (at {address})"),
            None => Ok(()),
        }
    }
}

/// The operating system's lock on a data folder. It ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = path_in(folder);
        let failed = |attempt, source| OpenError::Io { path: path.clone(), attempt, source };
        let mut options = OpenOptions::new();
        // Not truncated here: until the lock is ours, the content is the holder's.
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(|error| failed("open the lock file", error))?;
        match file.try_lock() {
            Ok(()) => {},
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: folder.to_path_buf(), holder: holder(folder) });
            },
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        announce(folder, None).map_err(|error| failed("write the lock file", error))?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would do, unless a child process that is just being started still has it.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the data folder's lock could not be given back; it ends with the process");
        }
    }
}

/// Writes who holds the folder. The lock sits on the file itself, so the file is rewritten in place, not replaced.
pub(crate) fn announce(folder: &Path, address: Option<&str>) -> io::Result<()> {
    let holder = Holder { pid: Some(std::process::id()), address: address.map(str::to_owned) };
    let mut file = OpenOptions::new().write(true).truncate(true).open(path_in(folder))?;
    file.write_all(&serde_json::to_vec(&holder)?)
}

/// What the lock file says; nothing where it cannot be read, since it only serves an error text.
fn holder(folder: &Path) -> Holder {
    fs::read(path_in(folder)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
