//! The key file, and the keys derived from it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use waxwing_app::{
    envelope::{KEY_LEN, KeyBytes, RootKey},
    ports::{Entropy, KeyedHash},
};
use zeroize::Zeroizing;

use crate::open_error::OpenError;

const FILE_NAME: &str = "master.key";

/// What every key of one installation is derived from.
pub(crate) struct MasterKey {
    root: RootKey,
}

impl MasterKey {
    /// Reads the key file of `folder`; makes it where there is none and `may_create` allows it.
    pub(crate) fn load(folder: &Path, may_create: bool, entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        match fs::read(&path) {
            Ok(bytes) => {
                check_permissions(&path)?;
                Ok(Self::from_file(&path, &Zeroizing::new(bytes))?)
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
                let mut key = KeyBytes::default();
                entropy.fill(&mut key[..]);
                create(folder, &path, &key).map_err(|source| OpenError::Io {
                    path: path.clone(),
                    attempt: "write the master key",
                    source,
                })?;
                Ok(Self::new(&key))
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(problem(
                path,
                "the master key is missing, and without it the database beside it cannot be read: put the file back \
                 from a backup",
            )),
            Err(source) => Err(OpenError::Io { path, attempt: "read the master key", source }),
        }
    }

    fn from_file(path: &Path, text: &[u8]) -> Result<Self, OpenError> {
        let key = parse(text).ok_or_else(|| {
            problem(
                path.to_path_buf(),
                "this is not a master key (64 hexadecimal digits): put the file back from a backup",
            )
        })?;
        Ok(Self::new(&key))
    }

    fn new(key: &KeyBytes) -> Self {
        Self { root: RootKey::new(key) }
    }

    /// The key for `purpose`, which starts with the name of what it is for.
    pub(crate) fn derive(&self, purpose: &[&[u8]]) -> KeyBytes {
        self.root.derive(purpose)
    }

    /// HMAC-SHA256 of `data` under the key for `purpose`.
    pub(crate) fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        self.root.keyed_hash(purpose, data)
    }

    /// What a database keeps to know its master key again; says nothing about the key.
    pub(crate) fn check_value(&self) -> KeyedHash {
        self.keyed_hash("master-key-check", b"")
    }
}

/// The error for a key that is not the database's.
pub(crate) fn foreign_key(folder: &Path) -> OpenError {
    problem(
        folder.join(FILE_NAME),
        "this is the master key of another database: put the right file back, or use the data folder it came from",
    )
}

fn problem(path: PathBuf, problem: &str) -> OpenError {
    OpenError::MasterKey { path, problem: problem.to_owned() }
}

#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| OpenError::Io {
        path: path.to_path_buf(),
        attempt: "look at the permissions",
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("others may read or write the master key (mode {mode:03o}): chmod 600 it");
        return Err(OpenError::MasterKey { path: path.to_path_buf(), problem: text });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_path: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// Writes the key beside its place and moves it there, so that no crash leaves half a key.
fn create(folder: &Path, path: &Path, key: &KeyBytes) -> io::Result<()> {
    let unfinished = path.with_extension("key.new");
    // Left by a start that was killed here; nothing was encrypted with it.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {},
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(format_key(key).as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

fn format_key(key: &KeyBytes) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LEN + 1));
    for byte in key.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a hexadecimal digit"));
        }
    }
    text.push('\n');
    text
}

fn parse(text: &[u8]) -> Option<KeyBytes> {
    let digits = text.trim_ascii_end();
    if digits.len() != 2 * KEY_LEN {
        return None;
    }
    let mut key = KeyBytes::default();
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(key)
}
