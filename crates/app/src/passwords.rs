//! Passwords: what is accepted, and argon2id off the threads that serve others.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use waxwing_domain::Secret;

use crate::ports::{Entropy, EntropyExt, PortError};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password: hashing more would only cost time.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Fewest different characters of a password.
const DIFFERENT_CHARS_MIN: usize = 4;
/// Passwords that are hashed at the same time in one process: 19 MiB and one core each.
const AT_ONCE: usize = 4;

static HASHING: Semaphore = Semaphore::const_new(AT_ONCE);

/// The hash of a password that nobody knows, with the cost of all others: an address that is unknown costs the same work.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// True for a password that may be set for the user with this address.
pub(crate) fn is_acceptable(password: &Secret, email: &str) -> bool {
    let chars: Vec<char> = password.0.chars().collect();
    let different: std::collections::HashSet<char> = chars.iter().copied().collect();
    (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars.len())
        && different.len() >= DIFFERENT_CHARS_MIN
        && !password.0.eq_ignore_ascii_case(email)
}

/// The argon2id hash, in the PHC format, with the library's recommended cost.
pub(crate) async fn hash(entropy: &dyn Entropy, password: &Secret) -> Result<Secret, PortError> {
    let (salt, password): ([u8; 16], _) = (entropy.bytes(), password.clone());
    apart(move || {
        let hashed = Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt);
        hashed.map(|hash| Secret(hash.to_string()))
    })
    .await?
    .map_err(|error| PortError::Unavailable(format!("the password could not be hashed: {error}")))
}

/// True when the password has this hash. Without a hash the same work is done for nothing.
pub(crate) async fn matches(password: &Secret, hash: Option<&Secret>) -> Result<bool, PortError> {
    let stored = hash.cloned().unwrap_or_else(|| Secret(NOBODYS.to_owned()));
    // Nobody has a longer one, and the work does not depend on what a stranger sends.
    let possible = password.0.chars().nth(PASSWORD_CHARS_MAX).is_none();
    let (password, known) =
        (if possible { password.clone() } else { Secret(String::new()) }, possible && hash.is_some());
    let same = apart(move || Argon2::default().verify_password(password.0.as_bytes(), &*stored.0).is_ok());
    Ok(same.await? && known)
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PortError> {
    let unavailable = |error: String| PortError::Unavailable(error);
    let _one = HASHING.acquire().await.map_err(|error| unavailable(error.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_8_to_128_characters_and_are_not_the_address() {
        let accepted = |password: &str| is_acceptable(&Secret(password.to_owned()), "ada@example.com");
        assert!(accepted("abcdefgh") && accepted(&"abcd".repeat(32)) && accepted("pässwörd"));
        for refused in ["abcdefg", &"abcd".repeat(33), "aaaaaaaaaaaa", "ADA@example.com", ""] {
            assert!(!accepted(refused), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_and_no_password_matches_nobodys() {
        struct Fixed;
        impl Entropy for Fixed {
            fn fill(&self, buffer: &mut [u8]) {
                buffer.fill(7);
            }
        }
        let (right, wrong) = (Secret("correct horse".to_owned()), Secret("battery staple".to_owned()));
        let hash = hash(&Fixed, &right).await.unwrap();
        let cost = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(&hash.0), cost(NOBODYS), "an unknown address costs the same work");
        assert!(matches(&right, Some(&hash)).await.unwrap());
        assert!(!matches(&wrong, Some(&hash)).await.unwrap());
        assert!(!matches(&right, None).await.unwrap());
        assert!(!matches(&Secret("x".repeat(PASSWORD_CHARS_MAX + 1)), Some(&hash)).await.unwrap());
        use argon2::password_hash::phc::PasswordHash;
        assert!(PasswordHash::new(NOBODYS).is_ok(), "it is a hash, or no work would be done");
    }
}
