//! Linking a device by a code that it shows and its owner types into the phone, in place of a scan.
//!
//! The device seals an ephemeral key with the code (`companion_hello`), the phone answers with one of its own
//! (`primary_hello`), and the device proves with a bundle sealed by both (`companion_finish`) that the two codes
//! were the same. What follows is as after a scan. The stanzas are those of `pair_code.rs` in `wacore` and of
//! `requestPairingCode` in Baileys.

use rand::RngExt;
use tokio::sync::oneshot;
use wacore::crypto::hkdf_sha256_into;
use wacore::libsignal::crypto::aes_256_gcm_decrypt;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::{KeyPair, PublicKey};

use crate::error::{Failure, Refusal};
use crate::identity::public_bytes;
use crate::live::{ConnectionId, Registration};
use crate::phones::Phone;
use crate::stanza::{self, Read, iq_error, iq_result};
use crate::turn::Turn;
use crate::{pairing, signal};

/// Salt, initialisation vector and sealed key, as both sides send it.
const WRAPPED_BYTES: usize = 80;
/// As many as `wacore` lets a phone make (`pair_code.rs`).
const WRONG_CODES: u32 = 3;
const KEY_BUNDLE_INFO: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const ADV_SECRET_INFO: &[u8] = b"adv_secret";

/// What the owner of the phone is told in the end.
pub(crate) type Outcome = Result<(), Refusal>;

/// A client's wish to be linked by code, as long as it is connected.
pub(crate) struct CodeRequest {
    /// Digits of the phone that it asks for.
    number: String,
    reference: Vec<u8>,
    /// The client's ephemeral key, sealed with the code.
    wrapped: [u8; WRAPPED_BYTES],
    entered: Option<Entered>,
    /// How many wrong codes were typed into the phone.
    wrong: u32,
}

/// The code was typed into the phone, which waits for the client's proof.
struct Entered {
    ephemeral: KeyPair,
    client_ephemeral: PublicKey,
    outcome: oneshot::Sender<Outcome>,
}

/// What a phone needs to try a code.
pub(crate) struct Attempt {
    connection: ConnectionId,
    reference: Vec<u8>,
    wrapped: [u8; WRAPPED_BYTES],
    /// For sealing the phone's key: the network's own randomness.
    salt_and_iv: [u8; 48],
    ephemeral: KeyPair,
}

/// An attempt with the code applied.
pub(crate) struct Tried {
    attempt: Attempt,
    client_ephemeral: [u8; 32],
    sealed_ephemeral: [u8; 32],
}

/// The eight characters of a code, which people write with a hyphen and in small letters, too.
pub(crate) fn parse(code: &str) -> Result<String, Refusal> {
    let code = code.replace('-', "").to_ascii_uppercase();
    if PairCodeUtils::validate_code(&code) {
        return Ok(code);
    }
    Err(Refusal::field("/code", "a code has eight digits and letters, without 0, I, O and U"))
}

/// `companion_hello` and `companion_finish`, from a client that is not linked yet.
pub(crate) fn handle(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    id: &str,
    asked: &Node,
) -> Result<(), Failure> {
    match asked.text("stage").as_deref() {
        Some("companion_hello") => hello(turn, connection, id, asked),
        Some("companion_finish") => finish(turn, connection, id, asked),
        _ => {
            turn.send(connection, iq_error(id, 400, "bad-request"));
            Ok(())
        },
    }
}

fn hello(turn: &mut Turn<'_>, connection: ConnectionId, id: &str, asked: &Node) -> Result<(), Failure> {
    let network = match turn.live.pairings.get(&connection) {
        Some(pairing) if pairing.claimed.is_none() => pairing.network,
        _ => return Err(Failure::protocol("no registration to link by code")),
    };
    let wrapped = asked
        .child_bytes("link_code_pairing_wrapped_companion_ephemeral_pub")
        .and_then(|wrapped| wrapped.try_into().ok());
    let (Some(number), Some(wrapped)) = (asked.jid("jid").map(|jid| jid.user.to_string()), wrapped) else {
        turn.send(connection, iq_error(id, 400, "bad-request"));
        return Ok(());
    };
    let reference = turn.generator(network)?.random::<[u8; 16]>().to_vec();
    let answer = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "companion_hello")
        .children([NodeBuilder::new("link_code_pairing_ref").bytes(reference.clone()).build()])
        .build();
    turn.send(connection, iq_result(id, vec![answer]));
    if let Some(pairing) = turn.live.pairings.get_mut(&connection) {
        pairing.code = Some(CodeRequest { number, reference, wrapped, entered: None, wrong: 0 });
    }
    Ok(())
}

/// Finds the client that showed a code for this phone: the last one, where there are several.
pub(crate) fn begin(turn: &mut Turn<'_>, phone: &Phone) -> Result<Attempt, Failure> {
    let found = turn
        .live
        .pairings
        .iter()
        .filter(|(_, pairing)| pairing.network == phone.network && pairing.claimed.is_none())
        .filter_map(|(connection, pairing)| Some((*connection, pairing.code.as_ref()?)))
        .filter(|(_, code)| code.number == phone.number)
        .max_by_key(|(connection, _)| *connection)
        .map(|(connection, code)| (connection, code.reference.clone(), code.wrapped));
    let (connection, reference, wrapped) = found.ok_or_else(|| {
        Refusal::new(409, "no_code_shown", "no client shows a code for this phone").at("/code")
    })?;
    pairing::refuse_one_too_many(turn, phone)?;
    let mut random = turn.generator(phone.network)?;
    let salt_and_iv = random.random();
    Ok(Attempt { connection, reference, wrapped, salt_and_iv, ephemeral: KeyPair::generate(&mut random) })
}

impl Attempt {
    /// Derives the keys from the code. Takes a while, as it should: not for the engine's thread.
    pub(crate) fn with(self, code: &str) -> Result<Tried, Refusal> {
        let apply = |wrapped: &[u8]| {
            PairCodeUtils::decrypt_primary_ephemeral_pub(wrapped, code)
                .map_err(|error| Refusal::new(422, "protocol_error", error.to_string()))
        };
        let client_ephemeral = apply(&self.wrapped)?;
        // A stream cipher: sealing is the same operation as opening.
        let own = [self.salt_and_iv.as_slice(), &public_bytes(&self.ephemeral)].concat();
        let sealed_ephemeral = apply(&own)?;
        Ok(Tried { attempt: self, client_ephemeral, sealed_ephemeral })
    }
}

/// Says `primary_hello`; what is returned tells what the client makes of it.
pub(crate) fn enter(
    turn: &mut Turn<'_>,
    phone: &Phone,
    tried: Tried,
) -> Result<oneshot::Receiver<Outcome>, Failure> {
    let Tried { attempt, client_ephemeral, sealed_ephemeral } = tried;
    let client_ephemeral =
        PublicKey::from_djb_public_key_bytes(&client_ephemeral).map_err(Failure::protocol)?;
    let identity = signal::identity(phone)?.public_key().public_key_bytes().to_vec();
    let wrapped = [attempt.salt_and_iv.as_slice(), &sealed_ephemeral].concat();
    let bytes = |tag, value: Vec<u8>| NodeBuilder::new(tag).bytes(value).build();
    let hello = NodeBuilder::new("link_code_companion_reg").attr("stage", "primary_hello").children([
        bytes("link_code_pairing_wrapped_primary_ephemeral_pub", wrapped),
        bytes("primary_identity_pub", identity),
        bytes("link_code_pairing_ref", attempt.reference.clone()),
    ]);
    let notification = notification(turn, phone.network, hello.build())?;
    let (outcome, wait) = oneshot::channel();
    let code = turn.live.pairings.get_mut(&attempt.connection).and_then(|pairing| pairing.code.as_mut());
    // The client may have gone, or asked anew, while the keys were derived.
    let Some(code) = code.filter(|code| code.reference == attempt.reference) else {
        return Err(Refusal::new(409, "code_expired", "the client no longer shows this code")
            .at("/code")
            .into());
    };
    code.entered = Some(Entered { ephemeral: attempt.ephemeral, client_ephemeral, outcome });
    turn.send(attempt.connection, notification);
    Ok(wait)
}

fn finish(turn: &mut Turn<'_>, connection: ConnectionId, id: &str, asked: &Node) -> Result<(), Failure> {
    let pairing = turn.live.pairings.get_mut(&connection);
    let registration = pairing.as_ref().map(|pairing| (pairing.network, pairing.registration.clone()));
    let code = pairing.and_then(|pairing| pairing.code.as_mut());
    let entered = code.and_then(|code| Some((code.number.clone(), code.entered.take()?)));
    let (Some((network, registration)), Some((number, entered))) = (registration, entered) else {
        turn.send(connection, iq_error(id, 400, "bad-request"));
        return Ok(());
    };
    turn.send(connection, iq_result(id, Vec::new()));
    let phone = crate::phones::required(turn, network, &number)?;
    let secret = shared_secret(&phone, &registration, &entered, asked)?;
    let outcome = match secret {
        Some(secret) => match pairing::claim(turn, &phone, connection, &registration.identity, &secret) {
            Ok(()) => Ok(()),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(failure) => return Err(failure),
        },
        None => {
            refresh_after_too_many(turn, network, connection)?;
            Err(Refusal::new(422, "wrong_code", "this is not the code that the client shows").at("/code"))
        },
    };
    turn.after_commit(move |committed| {
        // Whoever typed the code may have stopped waiting.
        let _ = entered.outcome.send(if committed { outcome } else { Err(Refusal::unavailable()) });
    });
    Ok(())
}

/// A client takes up to [`WRONG_CODES`] attempts at one code. After them it is told to show another one (`refresh_code`).
fn refresh_after_too_many(
    turn: &mut Turn<'_>,
    network: i64,
    connection: ConnectionId,
) -> Result<(), Failure> {
    let Some(pairing) = turn.live.pairings.get_mut(&connection) else { return Ok(()) };
    let Some(code) = pairing.code.as_mut() else { return Ok(()) };
    code.wrong += 1;
    if code.wrong < WRONG_CODES {
        return Ok(());
    }
    let reference = NodeBuilder::new("link_code_pairing_ref").bytes(code.reference.clone()).build();
    pairing.code = None;
    let refresh = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "refresh_code")
        .attr("force_manual_refresh", "true")
        .children([reference]);
    let notification = notification(turn, network, refresh.build())?;
    turn.send(connection, notification);
    Ok(())
}

fn notification(turn: &mut Turn<'_>, network: i64, content: Node) -> Result<Node, Failure> {
    let id = turn.stanza_id(network)?;
    Ok(NodeBuilder::new("notification")
        .attr("from", stanza::SERVER)
        .attr("type", "link_code_companion_reg")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children([content])
        .build())
}

/// The secret with which the signed identity is sealed, or `None` when the bundle does not open: then one side
/// used another code.
fn shared_secret(
    phone: &Phone,
    registration: &Registration,
    entered: &Entered,
    asked: &Node,
) -> Result<Option<[u8; 32]>, Failure> {
    let own = signal::identity(phone)?;
    let agreed = entered
        .ephemeral
        .private_key
        .calculate_agreement(&entered.client_ephemeral)
        .map_err(Failure::protocol)?;
    let wrapped = asked.child_bytes("link_code_pairing_wrapped_key_bundle").unwrap_or_default();
    let Some((salt, rest)) = wrapped.split_first_chunk::<32>() else { return Ok(None) };
    let Some((nonce, sealed)) = rest.split_first_chunk::<12>() else { return Ok(None) };
    let mut key = [0; 32];
    hkdf_sha256_into(&agreed, Some(salt), KEY_BUNDLE_INFO, &mut key).map_err(Failure::protocol)?;
    let mut bundle = Vec::new();
    if aes_256_gcm_decrypt(&key, nonce, b"", sealed, &mut bundle).is_err() {
        return Ok(None);
    }
    // The client's identity, ours as the client sees it, and its share of the secret.
    let identities = [registration.identity.as_slice(), own.public_key().public_key_bytes()].concat();
    let Some(random) = bundle.strip_prefix(identities.as_slice()) else { return Ok(None) };
    let client = PublicKey::from_djb_public_key_bytes(&registration.identity).map_err(Failure::protocol)?;
    let identities_agreed = own.private_key().calculate_agreement(&client).map_err(Failure::protocol)?;
    let mut secret = [0; 32];
    let material = [agreed.as_ref(), identities_agreed.as_ref(), random].concat();
    hkdf_sha256_into(&material, None, ADV_SECRET_INFO, &mut secret).map_err(Failure::protocol)?;
    Ok(Some(secret))
}
