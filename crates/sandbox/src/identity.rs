//! The server's keys: a root that signs an intermediate that signs the Noise key, as WhatsApp has it.

use buffa::{Message as _, MessageField};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rusqlite::Connection;
use wacore_libsignal::protocol::{KeyPair, PrivateKey};
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::{NoiseCertificate, noise_certificate::Details};

use crate::error::OpenError;
use crate::store::Query;

/// Validity of the certificates, wide enough for clocks of tests (2020 to 2080).
const NOT_BEFORE_S: u64 = 1_577_836_800;
const NOT_AFTER_S: u64 = 3_471_292_800;

/// Made once for each sandbox, kept in its file: clients remember the Noise key for their next handshake.
pub(crate) struct ServerIdentity {
    /// The static Noise key.
    pub noise: KeyPair,
    /// The encoded chain of two certificates.
    pub chain: Vec<u8>,
    /// What a strict client must trust.
    pub root: [u8; 32],
}

impl ServerIdentity {
    pub(crate) fn load(db: &Connection, seed: impl FnOnce() -> [u8; 32]) -> Result<Self, OpenError> {
        let stored =
            |key: &str| db.one("SELECT value FROM meta WHERE key = ?", [key], |row| row.get::<_, Vec<u8>>(0));
        if let (Some(noise), Some(chain), Some(root)) =
            (stored("noise_key")?, stored("certificate_chain")?, stored("root_key")?)
        {
            let damaged = |what: &str| OpenError::Corrupt(format!("{what} is not a key"));
            let private = PrivateKey::deserialize(&noise).map_err(|_| damaged("noise_key"))?;
            let public = private.public_key().map_err(|_| damaged("noise_key"))?;
            let root = root.try_into().map_err(|_| damaged("root_key"))?;
            return Ok(Self { noise: KeyPair::new(public, private), chain, root });
        }
        let made = Self::make(seed());
        let keep =
            |key: &str, value: &[u8]| db.run("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value));
        keep("noise_key", made.noise.private_key.serialize())?;
        keep("certificate_chain", &made.chain)?;
        keep("root_key", &made.root)?;
        Ok(made)
    }

    fn make(seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let (root, intermediate, noise) =
            (KeyPair::generate(&mut random), KeyPair::generate(&mut random), KeyPair::generate(&mut random));
        let mut certificate = |serial, issuer_serial, key: &KeyPair, issuer: &KeyPair| {
            let details = Details {
                serial: Some(serial),
                issuer_serial: Some(issuer_serial),
                key: Some(key.public_key.public_key_bytes().to_vec()),
                not_before: Some(NOT_BEFORE_S),
                not_after: Some(NOT_AFTER_S),
            }
            .encode_to_vec();
            let signature =
                issuer.private_key.calculate_signature(&details, &mut random).expect("a generated key signs");
            MessageField::some(NoiseCertificate {
                details: Some(details),
                signature: Some(signature.to_vec()),
            })
        };
        let chain = CertChain {
            intermediate: certificate(1, 0, &intermediate, &root),
            leaf: certificate(2, 1, &noise, &intermediate),
        };
        Self { chain: chain.encode_to_vec(), root: public_bytes(&root), noise }
    }
}

/// The 32 bytes of a public key, without Signal's type byte.
pub(crate) fn public_bytes(pair: &KeyPair) -> [u8; 32] {
    pair.public_key.public_key_bytes().try_into().expect("a Curve25519 public key has 32 bytes")
}
