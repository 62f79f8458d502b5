//! The key file, and the keys derived from it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use waxwing_app::{
    envelope::{KEY_LEN, KeyBytes, RootKey},
    ports::{Entropy, KeyedHash},
};
use zeroize::Zeroizing;

use crate::open_error::OpenError;

/// The key file.
pub(crate) const FILE_NAME: &str = "master.key";
/// A key on its way into its place.
pub(crate) const NEW_FILE_NAME: &str = "master.key.new";

/// What wraps every key of one installation.
pub(crate) struct MasterKey {
    key: KeyBytes,
}

impl MasterKey {
    /// A key that nobody has seen.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut key = KeyBytes::default();
        entropy.fill(&mut key[..]);
        Self { key }
    }

    /// Reads a key file of `folder`, if it is there.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Option<Self>, OpenError> {
        let path = folder.join(name);
        let text = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::Io { path, attempt: "read the master key", source }),
        };
        check_permissions(&path)?;
        let problem = "this is not a master key (64 hexadecimal digits): put the file back from a backup";
        let key = parse(&text).ok_or_else(|| refused(&path, problem))?;
        Ok(Some(Self { key }))
    }

    /// Writes the key beside its place, for its owner only, durable. What an earlier attempt left there is replaced: nothing is
    /// encrypted with it.
    pub(crate) fn write_beside(&self, folder: &Path) -> Result<(), OpenError> {
        discard_new(folder)?;
        let path = folder.join(NEW_FILE_NAME);
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&path)?;
            file.write_all(format_key(&self.key).as_bytes())?;
            file.sync_all()?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|source| OpenError::Io {
            path: path.clone(),
            attempt: "write the master key",
            source,
        })
    }

    /// Wraps data keys and the root of keyed hashes.
    pub(crate) fn wrapping_key(&self) -> KeyBytes {
        RootKey::new(&self.key).derive(&[b"waxwing/1/wrap-data-keys"])
    }

    /// What a database keeps to know its master key again; says nothing about the key.
    pub(crate) fn check_value(&self) -> KeyedHash {
        RootKey::new(&self.key).keyed_hash("master-key-check", b"")
    }

    /// The key itself.
    pub(crate) fn into_bytes(self) -> KeyBytes {
        self.key
    }
}

/// Moves the key beside its place into it, over the one that was there, durably.
pub(crate) fn put_in_place(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join(FILE_NAME);
    let moved = fs::rename(folder.join(NEW_FILE_NAME), &path);
    moved.and_then(|()| File::open(folder)?.sync_all()).map_err(|source| OpenError::Io {
        path,
        attempt: "put the master key into its place",
        source,
    })
}

/// Removes the key beside its place, if there is one.
pub(crate) fn discard_new(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join(NEW_FILE_NAME);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Io { path, attempt: "remove the unfinished master key", source })
        },
        _ => Ok(()),
    }
}

/// The error for a key that is not the database's.
pub(crate) fn foreign(folder: &Path) -> OpenError {
    refused(
        &folder.join(FILE_NAME),
        "this is the master key of another database, or the one from before a rotation: put the right file back, or use \
         the data folder it came from",
    )
}

/// The error for a key that is not there.
pub(crate) fn missing(folder: &Path) -> OpenError {
    refused(
        &folder.join(FILE_NAME),
        "the master key is missing, and without it the database beside it cannot be read: put the file back from a backup",
    )
}

fn refused(path: &Path, problem: &str) -> OpenError {
    OpenError::MasterKey { path: path.to_path_buf(), problem: problem.to_owned() }
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
        return Err(refused(path, &text));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_path: &Path) -> Result<(), OpenError> {
    Ok(())
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
