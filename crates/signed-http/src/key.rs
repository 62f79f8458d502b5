//! The shared key, and the signature over one request.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, hex};

/// The shortest key that is accepted, in bytes.
const KEY_MIN_BYTES: usize = 32;

/// The key shared by both sides. Its `Debug` shows nothing, and its memory is wiped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

/// A key that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Fewer than 32 bytes.
    #[error("a signing key needs 32 bytes or more")]
    TooShort,
    /// Not hexadecimal.
    #[error("a signing key is written in hexadecimal digits")]
    NotHex,
}

impl SigningKey {
    /// Takes 32 raw bytes or more.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() < KEY_MIN_BYTES {
            return Err(KeyError::TooShort);
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The key that follows from a secret of 32 characters or more, such as Secrets Manager draws by itself: SHA-256 of
    /// its text, without white space around it.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn from_secret(text: &str) -> Result<Self, KeyError> {
        match text.trim() {
            secret if secret.chars().count() >= KEY_MIN_BYTES => Self::from_bytes(&Sha256::digest(secret)),
            _ => Err(KeyError::TooShort),
        }
    }

    /// Takes 64 hexadecimal digits or more.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&Zeroizing::new(hex::decode(text.trim()).ok_or(KeyError::NotHex)?))
    }

    pub(crate) fn signature(
        &self,
        method: &str,
        path_and_query: &str,
        timestamp: &str,
        nonce: &str,
        body: &[u8],
    ) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        let digest = hex::encode(&Sha256::digest(body));
        for part in [method, "\n", path_and_query, "\n", timestamp, "\n", nonce, "\n", &digest] {
            mac.update(part.as_bytes());
        }
        hex::encode(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The three headers of a signed request: name and value.
pub type Headers = [(&'static str, String); 3];

/// Signs one request. `now_s` is Unix seconds; `nonce` must never repeat under one key.
#[must_use]
pub fn sign(
    key: &SigningKey,
    method: &str,
    path_and_query: &str,
    body: &[u8],
    now_s: i64,
    nonce: [u8; 16],
) -> Headers {
    let (timestamp, nonce) = (now_s.to_string(), hex::encode(&nonce));
    let signature = key.signature(method, path_and_query, &timestamp, &nonce, body);
    [(TIMESTAMP_HEADER, timestamp), (NONCE_HEADER, nonce), (SIGNATURE_HEADER, signature)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_needs_32_bytes_and_hides_itself() {
        assert_eq!(SigningKey::from_bytes(&[7; 31]).unwrap_err(), KeyError::TooShort);
        assert_eq!(SigningKey::from_hex("zz").unwrap_err(), KeyError::NotHex);
        assert_eq!(format!("{:?}", SigningKey::from_hex(&"0A".repeat(32)).unwrap()), "SigningKey(..)");
    }

    #[test]
    fn every_part_of_the_request_is_signed() {
        let key = SigningKey::from_bytes(&[7; 32]).unwrap();
        let signature =
            |method, path, body, now, nonce| sign(&key, method, path, body, now, nonce)[2].1.clone();
        let first = signature("POST", "/a?b=c", b"{}", 5, [1; 16]);
        assert_eq!(first, signature("POST", "/a?b=c", b"{}", 5, [1; 16]));
        for other in [
            signature("PUT", "/a?b=c", b"{}", 5, [1; 16]),
            signature("POST", "/a?b=d", b"{}", 5, [1; 16]),
            signature("POST", "/a?b=c", b"[]", 5, [1; 16]),
            signature("POST", "/a?b=c", b"{}", 6, [1; 16]),
            signature("POST", "/a?b=c", b"{}", 5, [2; 16]),
        ] {
            assert_ne!(first, other);
        }
    }
}
