//! The key with which our own processes sign what they ask of each other, and the client that does.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result};
use waxwing_app::ports::{Clock, Entropy, EntropyExt};
use waxwing_runtime::{signed_client_maker, unix_seconds};
use waxwing_signed_http::{Client, SigningKey, Verifier};

/// Name of the key file in a data folder.
const FILE: &str = "internal.key";

/// Reads the folder's key; makes it on first use, from the system's randomness, readable by its owner only.
pub(crate) fn key(data_dir: &Path, entropy: &dyn Entropy) -> Result<SigningKey> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        let random: [u8; 32] = entropy.bytes();
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        write_private(&path, hex.as_bytes())?;
    }
    read_key(&path)
}

/// Reads a key from a file.
pub(crate) fn read_key(path: &Path) -> Result<SigningKey> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    SigningKey::from_hex(&text).with_context(|| format!("{} holds no key", path.display()))
}

/// Writes a file that only its owner can read: whole or not at all, and durable.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

pub(crate) fn verifier(key: SigningKey, clock: Arc<dyn Clock>) -> Verifier {
    Verifier::new(key, unix_seconds(clock))
}

pub(crate) fn client(
    base_url: &str,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Client> {
    let maker = signed_client_maker(clock, entropy).context("the HTTP client cannot be built")?;
    Ok(maker(base_url, key))
}
