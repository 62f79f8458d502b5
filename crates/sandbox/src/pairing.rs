//! Linking a device: codes on its screen, the phone's scan, two signatures, and a login to follow.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use buffa::Message as _;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;
use wacore::pair::PairUtils;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::PublicKey;
use waproto::whatsapp as wa;

use crate::error::{Failure, Refusal};
use crate::faults;
use crate::live::{Address, ConnectionId, Pairing, Registration};
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{code_pairing, devices, limits, signal};

/// Codes that a client gets; it shows one after the other.
const REFS: usize = 6;
/// What each side signs begins with these, so that one signature cannot pass for the other.
const ACCOUNT_SIGNATURE: [u8; 2] = [6, 0];
const DEVICE_SIGNATURE: [u8; 2] = [6, 1];

/// A client without an account: remember what it says about itself, and give it codes.
pub(crate) fn offer(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    network: i64,
    payload: &wa::ClientPayload,
    noise_key: Vec<u8>,
) -> Result<(), Failure> {
    let said = payload
        .device_pairing_data
        .as_option()
        .ok_or_else(|| Failure::protocol("neither a login nor a registration"))?;
    let number = |bytes: &Option<Vec<u8>>| bytes.as_deref().and_then(stanza::big_endian).unwrap_or(0);
    let registration = Registration {
        noise_key,
        identity: said.e_ident.clone().unwrap_or_default(),
        registration_id: number(&said.e_regid),
        signed_id: number(&said.e_skey_id),
        signed_key: said.e_skey_val.clone().unwrap_or_default(),
        signed_signature: said.e_skey_sig.clone().unwrap_or_default(),
    };
    let mut random = turn.generator(network)?;
    let refs: Vec<String> =
        (0..REFS).map(|_| format!("2@{}", URL_SAFE_NO_PAD.encode(random.random::<[u8; 32]>()))).collect();
    for code in &refs {
        turn.live.refs.insert(code.clone(), connection);
    }
    let nodes = refs.iter().map(|code| NodeBuilder::new("ref").bytes(code.as_bytes().to_vec()).build());
    let pair_device = NodeBuilder::new("pair-device").children(nodes).build();
    turn.live.pairings.insert(connection, Pairing { network, registration, claimed: None, code: None });
    if let Some(socket) = turn.live.sockets.get_mut(&connection) {
        socket.refs = refs;
    }
    let iq = request(turn, network, pair_device)?;
    turn.send(connection, iq);
    Ok(())
}

fn request(turn: &mut Turn<'_>, network: i64, child: Node) -> Result<Node, Failure> {
    let id = turn.stanza_id(network)?;
    Ok(NodeBuilder::new("iq")
        .attr("from", stanza::SERVER)
        .attr("type", "set")
        .attr("id", id)
        .attr("xmlns", "md")
        .children([child])
        .build())
}

/// The phone scans a code: it signs the device's identity, and the network tells the device whose it is.
pub(crate) fn scan(turn: &mut Turn<'_>, phone: &Phone, qr: &str) -> Result<(), Failure> {
    let (code, noise_key, identity) =
        PairUtils::parse_qr_code(qr).map_err(|error| Refusal::new(422, "invalid_qr", error.to_string()))?;
    let secret = qr
        .split(',')
        .nth(3)
        .and_then(|secret| STANDARD.decode(secret).ok())
        .ok_or_else(|| Refusal::new(422, "invalid_qr", "the fourth field is not base64"))?;
    let expired = || Refusal::new(409, "qr_expired", "no client shows this code any more");
    let connection = *turn.live.refs.get(&code).ok_or_else(expired)?;
    let pairing = turn
        .live
        .pairings
        .get(&connection)
        .filter(|pairing| pairing.network == phone.network && pairing.claimed.is_none())
        .ok_or_else(expired)?;
    if pairing.registration.noise_key != noise_key || pairing.registration.identity != identity {
        return Err(Refusal::new(
            422,
            "invalid_qr",
            "the keys are not those of the client that shows this code",
        )
        .into());
    }
    if faults::applies(turn, "passkey", phone.id)? {
        return ask_for_passkey(turn, phone, connection);
    }
    claim(turn, phone, connection, &identity, &secret)
}

/// A challenge as WebAuthn has it (`PublicKeyCredentialRequestOptions`). Nobody answers it here.
const PASSKEY_OPTIONS: &str =
    r#"{"challenge":"c2FuZGJveA","rpId":"web.whatsapp.com","userVerification":"required"}"#;

/// The account wants a passkey: the client is asked for it, and the phone does not link it now. As
/// `whatsapp-rust`'s `passkey/flow.rs` reads it.
fn ask_for_passkey(turn: &mut Turn<'_>, phone: &Phone, connection: ConnectionId) -> Result<(), Failure> {
    let options = NodeBuilder::new("passkey_request_options").bytes(PASSKEY_OPTIONS.as_bytes().to_vec());
    let notification = NodeBuilder::new("notification")
        .attr("from", stanza::SERVER)
        .attr("type", "passkey_prologue_request")
        .attr("id", turn.stanza_id(phone.network)?)
        .attr("t", stanza::seconds(turn.now))
        .children([options.build()]);
    turn.send(connection, notification.build());
    Ok(())
}

/// A phone has up to [`limits::COMPANIONS`], those included that are being linked.
pub(crate) fn refuse_one_too_many(turn: &Turn<'_>, phone: &Phone) -> Result<(), Failure> {
    let waiting = turn
        .live
        .pairings
        .values()
        .filter(|other| other.claimed.is_some_and(|claimed| claimed.phone == phone.id))
        .count();
    if turn.db.number("SELECT count(*) FROM device WHERE phone = ?", [phone.id])?
        + i64::try_from(waiting).unwrap_or(i64::MAX)
        >= limits::COMPANIONS
    {
        return Err(Refusal::new(
            409,
            "companion_limit",
            format!("a phone has up to {} companions", limits::COMPANIONS),
        )
        .into());
    }
    Ok(())
}

/// The phone takes the device for its own: it gets a number, and its identity signed and sealed.
pub(crate) fn claim(
    turn: &mut Turn<'_>,
    phone: &Phone,
    connection: ConnectionId,
    identity: &[u8],
    secret: &[u8],
) -> Result<(), Failure> {
    refuse_one_too_many(turn, phone)?;
    let device = turn.db.number(
        "UPDATE phone SET next_device = next_device + 1 WHERE id = ? RETURNING next_device - 1",
        [phone.id],
    )?;
    let device = u16::try_from(device).map_err(|_| {
        Refusal::new(409, "companion_limit", "this phone has linked too many devices in its life")
    })?;

    let container = signed_by_phone(turn, phone, device, identity, secret)?;
    let success = NodeBuilder::new("pair-success").children([
        NodeBuilder::new("device-identity").bytes(container).build(),
        NodeBuilder::new("device")
            .attr("jid", phone.device_jid(Form::Pn, device))
            .attr("lid", phone.device_jid(Form::Lid, device))
            .build(),
        NodeBuilder::new("platform").attr("name", "android").build(),
    ]);
    let iq = request(turn, phone.network, success.build())?;
    turn.send(connection, iq);
    if let Some(pairing) = turn.live.pairings.get_mut(&connection) {
        pairing.claimed = Some(Address { phone: phone.id, device });
    }
    Ok(())
}

/// The device's identity with the phone's signature, sealed with the secret that only the screen showed.
fn signed_by_phone(
    turn: &mut Turn<'_>,
    phone: &Phone,
    device: u16,
    identity: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    let own = signal::identity(phone)?;
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(1),
        timestamp: Some(u64::try_from(turn.now / 1_000).unwrap_or(0)),
        key_index: Some(device.into()),
        ..Default::default()
    }
    .encode_to_vec();
    let mut random = turn.generator(phone.network)?;
    let signature = own
        .private_key()
        .calculate_signature(&[&ACCOUNT_SIGNATURE, details.as_slice(), identity].concat(), &mut random)
        .map_err(Failure::protocol)?;
    let signed = wa::ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(own.public_key().public_key_bytes().to_vec()),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(Failure::protocol)?;
    mac.update(&signed);
    Ok(wa::ADVSignedDeviceIdentityHMAC {
        details: Some(signed),
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        ..Default::default()
    }
    .encode_to_vec())
}

/// What an unpaired client says: only its answer to `pair-success` matters.
pub(crate) fn handle(turn: &mut Turn<'_>, connection: ConnectionId, node: &Node) -> Result<(), Failure> {
    if let Some(id) = node.text("id")
        && node.text("type").as_deref() == Some("get")
    {
        // Keepalives.
        turn.send(connection, stanza::iq_result(&id, Vec::new()));
    }
    if let Some(asked) = node.child("link_code_companion_reg") {
        return code_pairing::handle(turn, connection, &node.id()?, asked);
    }
    let Some(sign) = node.child("pair-device-sign") else { return Ok(()) };
    let Some(pairing) = turn.live.pairings.get(&connection) else { return Ok(()) };
    let (Some(address), registration) = (pairing.claimed, pairing.registration.clone()) else {
        return Err(Failure::protocol("signed before the scan"));
    };
    let phone = phones::by_id(turn, address.phone)?.ok_or_else(|| Failure::protocol("no such phone"))?;
    let Some(identity) =
        signed_by_device(&phone, &registration, sign.child_bytes("device-identity").unwrap_or_default())?
    else {
        turn.close(connection);
        return Err(Failure::protocol("a signature of the device is wrong"));
    };
    devices::insert(turn, address, &registration, &identity)?;
    devices::announce(turn, &phone, address.device, "add")?;
    turn.send(connection, NodeBuilder::new("stream:error").attr("code", "515").build());
    turn.close(connection);
    Ok(())
}

/// The identity with both signatures, or `None` when one of the device's is wrong.
fn signed_by_device(
    phone: &Phone,
    registration: &Registration,
    signed: &[u8],
) -> Result<Option<Vec<u8>>, Failure> {
    let account_key = signal::identity(phone)?.public_key().public_key_bytes().to_vec();
    let mut signed = wa::ADVSignedDeviceIdentity::decode_from_slice(signed).map_err(Failure::protocol)?;
    let device_key =
        PublicKey::from_djb_public_key_bytes(&registration.identity).map_err(Failure::protocol)?;
    let identity_signed = [
        &DEVICE_SIGNATURE,
        signed.details.as_deref().unwrap_or_default(),
        &registration.identity,
        &account_key,
    ]
    .concat();
    // Signal signs a key with its type byte.
    let pre_key_signed = [&[5], registration.signed_key.as_slice()].concat();
    let right = device_key
        .verify_signature(&identity_signed, signed.device_signature.as_deref().unwrap_or_default())
        && device_key.verify_signature(&pre_key_signed, &registration.signed_signature);
    // The client leaves the account's key out; others need it to check the whole.
    signed.account_signature_key = Some(account_key);
    Ok(right.then(|| signed.encode_to_vec()))
}
