//! The responder's side of WhatsApp's Noise handshakes: XX for a new device, IK when the client knows our
//! key already, and XXfallback when it knows another one (the sandbox's file was replaced).

use buffa::{Message as _, MessageField};
use rand::rngs::StdRng;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{NoiseCipher, NoiseHandshake};
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello};
use waproto::whatsapp::{ClientPayload, HandshakeMessage};

use crate::error::Failure;
use crate::identity::{ServerIdentity, public_bytes};

/// What a handshake gives.
pub(crate) struct Established {
    pub payload: ClientPayload,
    /// The client's static key, which identifies a paired device.
    pub client_key: Vec<u8>,
    pub read: NoiseCipher,
    pub write: NoiseCipher,
}

/// After the client's first message.
pub(crate) enum Reply {
    /// Send these bytes; the handshake is done.
    Done(Vec<u8>, Box<Established>),
    /// Send these bytes, then give the client's second message to [`Pending::finish`].
    More(Vec<u8>, Box<Pending>),
}

/// A handshake that waits for `ClientFinish`.
pub(crate) struct Pending {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Answers `ClientHello`. `prologue` is the four bytes with which the client began its stream.
pub(crate) fn answer(
    server: &ServerIdentity,
    prologue: [u8; 4],
    hello: &[u8],
    random: &mut StdRng,
) -> Result<Reply, Failure> {
    let hello = HandshakeMessage::decode_from_slice(hello)
        .map_err(Failure::protocol)?
        .client_hello
        .into_option()
        .ok_or_else(|| missing("client_hello"))?;
    let client_ephemeral = key(hello.ephemeral.as_deref(), "ephemeral")?;
    if hello.r#static.is_none() {
        return offer(server, prologue, NOISE_PATTERN_XX, client_ephemeral, random);
    }
    match resume(server, prologue, &hello, client_ephemeral, random) {
        Ok(reply) => Ok(reply),
        Err(_) => offer(server, prologue, NOISE_PATTERN_XXFALLBACK, client_ephemeral, random),
    }
}

fn offer(
    server: &ServerIdentity,
    prologue: [u8; 4],
    pattern: &str,
    client_ephemeral: [u8; 32],
    random: &mut StdRng,
) -> Result<Reply, Failure> {
    let ephemeral = KeyPair::generate(random);
    let ephemeral_public = public_bytes(&ephemeral);
    let mut noise = NoiseHandshake::new(pattern, &prologue).map_err(Failure::protocol)?;
    noise.authenticate(&client_ephemeral);
    noise.authenticate(&ephemeral_public);
    noise
        .mix_shared_secret(ephemeral.private_key.serialize(), &client_ephemeral)
        .map_err(Failure::protocol)?;
    let sealed_static = noise.encrypt(&public_bytes(&server.noise)).map_err(Failure::protocol)?;
    noise
        .mix_shared_secret(server.noise.private_key.serialize(), &client_ephemeral)
        .map_err(Failure::protocol)?;
    let sealed_chain = noise.encrypt(&server.chain).map_err(Failure::protocol)?;
    let bytes = server_hello(ephemeral_public, Some(sealed_static), sealed_chain);
    Ok(Reply::More(bytes, Box::new(Pending { noise, ephemeral })))
}

fn resume(
    server: &ServerIdentity,
    prologue: [u8; 4],
    hello: &ClientHello,
    client_ephemeral: [u8; 32],
    random: &mut StdRng,
) -> Result<Reply, Failure> {
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &prologue).map_err(Failure::protocol)?;
    noise.authenticate(&public_bytes(&server.noise));
    noise.authenticate(&client_ephemeral);
    noise
        .mix_shared_secret(server.noise.private_key.serialize(), &client_ephemeral)
        .map_err(Failure::protocol)?;
    let client_key =
        noise.decrypt(hello.r#static.as_deref().unwrap_or_default()).map_err(Failure::protocol)?;
    noise
        .mix_shared_secret(server.noise.private_key.serialize(), &key(Some(&client_key), "static")?)
        .map_err(Failure::protocol)?;
    let payload = noise.decrypt(hello.payload.as_deref().unwrap_or_default()).map_err(Failure::protocol)?;

    let ephemeral = KeyPair::generate(random);
    let ephemeral_public = public_bytes(&ephemeral);
    noise.authenticate(&ephemeral_public);
    noise
        .mix_shared_secret(ephemeral.private_key.serialize(), &client_ephemeral)
        .map_err(Failure::protocol)?;
    noise
        .mix_shared_secret(ephemeral.private_key.serialize(), &key(Some(&client_key), "static")?)
        .map_err(Failure::protocol)?;
    let sealed_chain = noise.encrypt(&server.chain).map_err(Failure::protocol)?;
    let bytes = server_hello(ephemeral_public, None, sealed_chain);
    Ok(Reply::Done(bytes, Box::new(established(noise, client_key, &payload)?)))
}

impl Pending {
    /// Reads `ClientFinish`.
    pub(crate) fn finish(mut self, finish: &[u8]) -> Result<Established, Failure> {
        let finish = HandshakeMessage::decode_from_slice(finish)
            .map_err(Failure::protocol)?
            .client_finish
            .into_option()
            .ok_or_else(|| missing("client_finish"))?;
        let client_key =
            self.noise.decrypt(finish.r#static.as_deref().unwrap_or_default()).map_err(Failure::protocol)?;
        self.noise
            .mix_shared_secret(self.ephemeral.private_key.serialize(), &key(Some(&client_key), "static")?)
            .map_err(Failure::protocol)?;
        let payload =
            self.noise.decrypt(finish.payload.as_deref().unwrap_or_default()).map_err(Failure::protocol)?;
        established(self.noise, client_key, &payload)
    }
}

fn established(noise: NoiseHandshake, client_key: Vec<u8>, payload: &[u8]) -> Result<Established, Failure> {
    let payload = ClientPayload::decode_from_slice(payload).map_err(Failure::protocol)?;
    // The first cipher is the initiator's to write with, hence ours to read with.
    let (read, write) = noise.finish().map_err(Failure::protocol)?;
    Ok(Established { payload, client_key, read, write })
}

fn server_hello(ephemeral: [u8; 32], sealed_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    let hello = ServerHello {
        ephemeral: Some(ephemeral.to_vec()),
        r#static: sealed_static,
        payload: Some(payload),
        ..Default::default()
    };
    HandshakeMessage { server_hello: MessageField::some(hello), ..Default::default() }.encode_to_vec()
}

fn key(bytes: Option<&[u8]>, what: &str) -> Result<[u8; 32], Failure> {
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| missing(what))
}

fn missing(what: &str) -> Failure {
    Failure::Protocol(format!("the handshake has no usable {what}"))
}
