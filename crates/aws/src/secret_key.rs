//! Keys of an installation that Secrets Manager keeps.

use aws_sdk_secretsmanager::Client;
use sha2::{Digest, Sha256};
use waxwing_app::ports::PortError;
use zeroize::Zeroizing;

use crate::failure::port_error;

/// Fewest characters of a secret: with letters and digits they hold more than 128 random bits.
const CHARS_MIN: usize = 32;

/// What the secret says.
pub(crate) async fn text(secrets: &Client, id: &str) -> Result<Zeroizing<String>, PortError> {
    let got = secrets.get_secret_value().secret_id(id).send().await;
    let got = got.map_err(|error| port_error(&format!("secret {id}"), &error))?;
    Ok(Zeroizing::new(got.secret_string.unwrap_or_default()))
}

/// The key that follows from a secret: SHA-256 of its text, which may be any of enough random characters, such as
/// Secrets Manager draws by itself.
pub(crate) async fn read(secrets: &Client, id: &str) -> Result<Zeroizing<[u8; 32]>, PortError> {
    key_of(&text(secrets, id).await?).ok_or_else(|| {
        PortError::Corrupt(format!(
            "secret {id} is no key: {CHARS_MIN} random characters or more are expected"
        ))
    })
}

fn key_of(secret: &str) -> Option<Zeroizing<[u8; 32]>> {
    let secret = secret.trim();
    (secret.chars().count() >= CHARS_MIN).then(|| Zeroizing::new(Sha256::digest(secret).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_too_short_is_no_key() {
        assert!(key_of(&"x".repeat(CHARS_MIN - 1)).is_none());
        assert!(key_of(&format!("  {}  ", "x".repeat(CHARS_MIN - 1))).is_none());
        let (a, b) = (key_of(&"x".repeat(CHARS_MIN)), key_of(&"y".repeat(CHARS_MIN)));
        assert!(a.is_some() && a != b);
    }
}
