//! Passwords: what is accepted, and argon2id off the threads that serve others.

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::Semaphore;
use waxwing_domain::Secret;
use zxcvbn::{Score, zxcvbn};

use crate::ports::{Entropy, EntropyExt, PortError};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password: hashing more would only cost time.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// More than a million guesses: whoever guesses over the network, where guesses are slowed, does not get there.
const SCORE_MIN: Score = Score::Two;
/// Passwords that are hashed at the same time in one process: 19 MiB and one core each.
const AT_ONCE: usize = 4;
/// Hashes of bcrypt that cost more are not taken over: one sign-in would keep a core busy for seconds.
const BCRYPT_COST_MAX: u32 = 14;

static HASHING: Semaphore = Semaphore::const_new(AT_ONCE);

/// The hash of a password that nobody knows, with the cost of all others: an address that is unknown costs the same work.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// What hashes of the cost of today begin with.
const OF_TODAY: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// Why a password is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")]
    Length,
    /// Why, and what would be better.
    #[error("the password is too easily guessed{0}")]
    Guessable(String),
}

/// Refuses a password that is easily guessed by those who know this of the user: address, name.
pub(crate) async fn check(password: &Secret, known: &[&str]) -> Result<Result<(), PasswordError>, PortError> {
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.0.chars().count()) {
        return Ok(Err(PasswordError::Length));
    }
    let known: Vec<String> = known.iter().flat_map(|text| words(text)).collect();
    let password = password.clone();
    apart(move || {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let estimate = zxcvbn(&password.0, &known);
        if estimate.score() >= SCORE_MIN {
            return Ok(());
        }
        let feedback = estimate.feedback();
        let warning = feedback.and_then(|feedback| feedback.warning()).map(|warning| warning.to_string());
        let suggestions =
            feedback.iter().flat_map(|feedback| feedback.suggestions()).map(ToString::to_string);
        let advice: String = warning.into_iter().chain(suggestions).map(|text| format!(" {text}")).collect();
        Err(PasswordError::Guessable(if advice.is_empty() { advice } else { format!(":{advice}") }))
    })
    .await
}

/// The text and its parts: `ada@example.com` is guessed by `ada`, too.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|char: char| !char.is_alphanumeric()).filter(|part| part.chars().count() > 2);
    parts.chain([text]).map(str::to_owned).collect()
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

/// True when the password has this hash, of argon2 or bcrypt. Without a hash the same work is done for nothing.
pub(crate) async fn matches(password: &Secret, hash: Option<&Secret>) -> Result<bool, PortError> {
    let stored = hash.cloned().unwrap_or_else(|| Secret(NOBODYS.to_owned()));
    // Nobody has a longer one, and the work does not depend on what a stranger sends.
    let possible = password.0.chars().nth(PASSWORD_CHARS_MAX).is_none();
    let (password, known) =
        (if possible { password.clone() } else { Secret(String::new()) }, possible && hash.is_some());
    let same = apart(move || match bcrypt_cost(&stored.0) {
        Some(_) => bcrypt::verify(&password.0, &stored.0).unwrap_or(false),
        None => Argon2::default().verify_password(password.0.as_bytes(), &*stored.0).is_ok(),
    });
    Ok(same.await? && known)
}

/// True for a hash that is worth another one when the password is at hand.
pub(crate) fn is_outdated(hash: &Secret) -> bool {
    !hash.0.starts_with(OF_TODAY)
}

/// True for a hash that can be taken over from elsewhere: argon2 in the PHC format, or bcrypt up to cost 14.
pub fn is_known_hash(hash: &Secret) -> bool {
    match bcrypt_cost(&hash.0) {
        Some(cost) => cost <= BCRYPT_COST_MAX,
        None => PasswordHash::new(&hash.0).is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2")),
    }
}

fn bcrypt_cost(hash: &str) -> Option<u32> {
    hash.starts_with("$2")
        .then(|| hash.parse::<bcrypt::HashParts>().ok())
        .flatten()
        .map(|parts| parts.get_cost())
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PortError> {
    let unavailable = |error: String| PortError::Unavailable(error);
    let _one = HASHING.acquire().await.map_err(|error| unavailable(error.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn checked(password: &str) -> Result<(), PasswordError> {
        check(&Secret(password.to_owned()), &["ada.lovelace@example.com", "Ada"]).await.unwrap()
    }

    #[tokio::test]
    async fn passwords_have_8_to_128_characters_and_are_not_easily_guessed() {
        for accepted in ["correct horse", "tr0ub4dour&3", "pässwörd-für-ada", &"blau9 ".repeat(20)] {
            assert_eq!(checked(accepted).await, Ok(()), "{accepted}");
        }
        for length in ["", "kX9!fq2", &"kX9!fq2z".repeat(17)] {
            assert_eq!(checked(length).await, Err(PasswordError::Length), "{length}");
        }
        for guessable in ["password", "12345678", "aaaaaaaaaaaa", "ada.lovelace@example.com", "lovelace1"] {
            let refused = checked(guessable).await.unwrap_err();
            assert!(matches!(refused, PasswordError::Guessable(_)), "{guessable}");
        }
        let said = checked("password").await.unwrap_err().to_string();
        assert!(said.contains("common password") && said.contains("Add another word"), "{said}");
    }

    #[tokio::test]
    async fn a_hash_of_bcrypt_is_accepted_until_there_is_a_better_one() {
        let imported = Secret(bcrypt::hash_with_salt("correct horse", 4, [7; 16]).unwrap().to_string());
        assert!(is_known_hash(&imported) && is_outdated(&imported));
        assert!(matches(&Secret("correct horse".to_owned()), Some(&imported)).await.unwrap());
        assert!(!matches(&Secret("battery staple".to_owned()), Some(&imported)).await.unwrap());
        for other in ["", "$2b$31$abc", "plain", "$pbkdf2-sha256$i=1$c2FsdHNhbHQ$aGFzaA"] {
            assert!(!is_known_hash(&Secret(other.to_owned())), "{other}");
        }
        let costly = imported.0.replace("$04$", "$15$");
        assert!(!is_known_hash(&Secret(costly)));
        assert!(is_known_hash(&Secret(NOBODYS.to_owned())) && !is_outdated(&Secret(NOBODYS.to_owned())));
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
        assert!(PasswordHash::new(NOBODYS).is_ok(), "it is a hash, or no work would be done");
    }
}
