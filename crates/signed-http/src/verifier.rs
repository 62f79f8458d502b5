//! The receiving side: time window, replay cache, constant-time comparison.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use subtle::ConstantTimeEq;

use crate::{Clock, NONCE_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER, WINDOW_S, hex};

/// How many nonces are remembered for each span of twice the window. More requests than that are refused:
/// forgetting one would let it be replayed.
pub const NONCE_LIMIT: usize = 524_288;

/// Why a request was not accepted. The caller of the other side sees 401 whatever the reason.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum Refused {
    /// A header is missing or has another form.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("the time of signing is outside the window")]
    Stale,
    /// Another key, or a changed request.
    #[error("the signature does not match")]
    Mismatch,
    /// The same request once more.
    #[error("the nonce was used before")]
    Replayed,
    /// [`NONCE_LIMIT`] is reached.
    #[error("too many requests to remember")]
    Crowded,
}

/// Nonces in two generations: a generation lives for twice the window, so each nonce is remembered for at
/// least as long as its timestamp can be valid.
#[derive(Default)]
struct Nonces {
    current: HashSet<[u8; 16]>,
    previous: HashSet<[u8; 16]>,
    turned_at_s: i64,
}

/// Checks signed requests. Cheap to clone; clones share one replay cache.
#[derive(Clone)]
pub struct Verifier {
    key: SigningKey,
    clock: Clock,
    nonces: Arc<Mutex<Nonces>>,
}

impl Verifier {
    /// `clock` tells Unix seconds.
    #[must_use]
    pub fn new(key: SigningKey, clock: Clock) -> Self {
        Self { key, clock, nonces: Arc::default() }
    }

    /// Checks one request, and remembers its nonce when everything else is right.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Refused> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Refused::Malformed);
        let (timestamp, nonce, signature) =
            (header(TIMESTAMP_HEADER)?, header(NONCE_HEADER)?, header(SIGNATURE_HEADER)?);
        let signed_at_s: i64 = timestamp.parse().map_err(|_| Refused::Malformed)?;
        let nonce_bytes: [u8; 16] =
            hex::decode(nonce).and_then(|bytes| bytes.try_into().ok()).ok_or(Refused::Malformed)?;
        let now_s = (self.clock)();
        if now_s.abs_diff(signed_at_s) > WINDOW_S.unsigned_abs() {
            return Err(Refused::Stale);
        }
        let expected = self.key.signature(method, path_and_query, timestamp, nonce, body);
        if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
            return Err(Refused::Mismatch);
        }
        self.remember(nonce_bytes, now_s)
    }

    fn remember(&self, nonce: [u8; 16], now_s: i64) -> Result<(), Refused> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if now_s.saturating_sub(nonces.turned_at_s) > 2 * WINDOW_S {
            nonces.previous = std::mem::take(&mut nonces.current);
            nonces.turned_at_s = now_s;
        }
        if nonces.previous.contains(&nonce) || nonces.current.contains(&nonce) {
            return Err(Refused::Replayed);
        }
        if nonces.current.len() >= NONCE_LIMIT {
            return Err(Refused::Crowded);
        }
        nonces.current.insert(nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::sign;

    fn headers(key: &SigningKey, now_s: i64, nonce: u8) -> HeaderMap {
        sign(key, "POST", "/x", b"{}", now_s, [nonce; 16])
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_request_is_accepted_once_and_inside_the_window_only() {
        let key = SigningKey::from_bytes(&[7; 32]).unwrap();
        let now = Arc::new(AtomicI64::new(1_000));
        let clock = Arc::clone(&now);
        let verifier = Verifier::new(key.clone(), Arc::new(move || clock.load(Ordering::Relaxed)));
        let verify = |headers: &HeaderMap| verifier.verify("POST", "/x", headers, b"{}");

        assert_eq!(verify(&headers(&key, 1_000, 1)), Ok(()));
        assert_eq!(verify(&headers(&key, 1_000, 1)), Err(Refused::Replayed));
        assert_eq!(verify(&headers(&key, 1_060, 2)), Ok(()));
        assert_eq!(verify(&headers(&key, 1_061, 3)), Err(Refused::Stale));
        assert_eq!(verify(&headers(&key, 939, 4)), Err(Refused::Stale));
        assert_eq!(
            verify(&headers(&SigningKey::from_bytes(&[8; 32]).unwrap(), 1_000, 5)),
            Err(Refused::Mismatch)
        );
        assert_eq!(verify(&HeaderMap::new()), Err(Refused::Malformed));
        // Signed a minute ahead and replayed at the last moment at which its time is still valid.
        now.store(1_120, Ordering::Relaxed);
        assert_eq!(verify(&headers(&key, 1_060, 2)), Err(Refused::Replayed));
    }
}
