//! Companion devices as rows, and their pools of one-time pre-keys.

use buffa::Message as _;
use rusqlite::Row;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::{IdentityKey, PreKeyBundle, PublicKey};

use crate::error::Failure;
use crate::live::{Address, Registration};
use crate::phones::{Form, Phone};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, groups, limits, people, stanza};

/// One linked device.
pub(crate) struct Device {
    pub address: Address,
    pub keys: Registration,
    /// The identity signed by phone and device, which others get with its bundle.
    pub signed_identity: Vec<u8>,
    pub fresh: bool,
    told_low: bool,
}

impl Device {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            address: Address { phone: row.get(0)?, device: row.get(1)? },
            keys: Registration {
                noise_key: row.get(2)?,
                identity: row.get(3)?,
                registration_id: row.get(4)?,
                signed_id: row.get(5)?,
                signed_key: row.get(6)?,
                signed_signature: row.get(7)?,
            },
            signed_identity: row.get(8)?,
            fresh: row.get(9)?,
            told_low: row.get(10)?,
        })
    }
}

pub(crate) fn load(turn: &Turn<'_>, address: Address) -> Result<Option<Device>, Failure> {
    let sql = "SELECT phone, id, noise_key, identity, registration_id, signed_id, signed_key, signed_signature, signed_identity, fresh, told_low FROM device WHERE phone = ? AND id = ?";
    Ok(turn.db.one(sql, (address.phone, address.device), Device::read)?)
}

/// The numbers of a phone's companions, ascending; without the phone itself.
pub(crate) fn companions(turn: &Turn<'_>, phone: i64) -> Result<Vec<u16>, Failure> {
    Ok(turn.db.all("SELECT id FROM device WHERE phone = ? ORDER BY id", [phone], |row| row.get(0))?)
}

pub(crate) fn insert(
    turn: &Turn<'_>,
    address: Address,
    keys: &Registration,
    signed_identity: &[u8],
) -> Result<(), Failure> {
    turn.db.run(
        "INSERT INTO device (phone, id, noise_key, identity, registration_id, signed_id, signed_key, signed_signature, signed_identity, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (address.phone, address.device, &keys.noise_key, &keys.identity, keys.registration_id, keys.signed_id, &keys.signed_key, &keys.signed_signature, signed_identity, turn.now),
    )?;
    Ok(())
}

/// Unlinks a device: its keys and its queue go, its socket is told and closed, others learn of it.
pub(crate) fn remove(turn: &mut Turn<'_>, address: Address) -> Result<(), Failure> {
    if let Some(phone) = crate::phones::by_id(turn, address.phone)? {
        announce(turn, &phone, address.device, "remove")?;
    }
    for sql in [
        "DELETE FROM device WHERE phone = ? AND id = ?",
        "DELETE FROM device_pre_key WHERE phone = ? AND device = ?",
        "DELETE FROM queue WHERE phone = ? AND device = ?",
        "DELETE FROM ratchet WHERE peer = ? AND device = ?",
    ] {
        turn.db.run(sql, (address.phone, address.device))?;
    }
    groups::forget_device(turn, address)?;
    turn.live.queued.remove(&address);
    if let Some(&connection) = turn.live.by_address.get(&address) {
        turn.send(connection, stanza::conflict("device_removed"));
        turn.close(connection);
    }
    Ok(())
}

/// The device's keys for somebody who wants to write to it; a one-time key is used up.
pub(crate) fn bundle(turn: &mut Turn<'_>, phone: &Phone, device: &Device) -> Result<PreKeyBundle, Failure> {
    let Address { phone: owner, device: number } = device.address;
    let oldest = turn.db.one(
        "SELECT seq, id, key FROM device_pre_key WHERE phone = ? AND device = ? ORDER BY seq LIMIT 1",
        (owner, number),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, Vec<u8>>(2)?)),
    )?;
    let one_time = match oldest {
        Some((seq, id, key)) => {
            turn.db.run("DELETE FROM device_pre_key WHERE seq = ?", [seq])?;
            Some((id.into(), PublicKey::from_djb_public_key_bytes(&key).map_err(Failure::protocol)?))
        },
        None => None,
    };
    tell_when_low(turn, phone, device)?;
    assemble(&device.keys, number, one_time)
}

/// The device's keys as it registered them, without a one-time key.
pub(crate) fn bundle_without_one_time_key(device: &Device) -> Result<PreKeyBundle, Failure> {
    assemble(&device.keys, device.address.device, None)
}

fn assemble(
    keys: &Registration,
    device: u16,
    one_time: Option<(wacore_libsignal::protocol::PreKeyId, PublicKey)>,
) -> Result<PreKeyBundle, Failure> {
    let signed = PublicKey::from_djb_public_key_bytes(&keys.signed_key).map_err(Failure::protocol)?;
    let identity =
        IdentityKey::new(PublicKey::from_djb_public_key_bytes(&keys.identity).map_err(Failure::protocol)?);
    PreKeyBundle::new(
        keys.registration_id,
        u32::from(device).into(),
        one_time,
        keys.signed_id.into(),
        signed,
        keys.signed_signature.clone(),
        identity,
    )
    .map_err(Failure::protocol)
}

fn tell_when_low(turn: &mut Turn<'_>, phone: &Phone, device: &Device) -> Result<(), Failure> {
    let left = pre_key_count(turn, device.address)?;
    if device.told_low || left >= limits::PRE_KEYS_LOW {
        return Ok(());
    }
    turn.db.run(
        "UPDATE device SET told_low = 1 WHERE phone = ? AND id = ?",
        (device.address.phone, device.address.device),
    )?;
    let id = turn.stanza_id(phone.network)?;
    let count = NodeBuilder::new("count").attr("value", left.to_string()).build();
    let notification = NodeBuilder::new("notification")
        .attr("from", stanza::SERVER)
        .attr("type", "encrypt")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children([count])
        .build();
    deliver::to_companion(turn, device.address, notification)
}

/// Tells the clients which may have the phone's device list in memory: those of the people it has written
/// with, and its own. Without this they would leave a new device out until their memory expires.
pub(crate) fn announce(
    turn: &mut Turn<'_>,
    phone: &Phone,
    device: u16,
    operation: &'static str,
) -> Result<(), Failure> {
    let others = people::acquainted(turn, phone.id)?;
    let companions: Vec<u16> = companions(turn, phone.id)?
        .into_iter()
        .filter(|known| operation == "add" || *known != device)
        .collect();
    let list = NodeBuilder::new("key-index-list").attr("ts", stanza::seconds(turn.now));
    let list = if operation == "add" {
        list.bytes(key_index_list(turn, phone, &companions)?).build()
    } else {
        list.build()
    };
    let changed = NodeBuilder::new("device")
        .attr("jid", phone.device_jid(Form::Pn, device))
        .attr("lid", phone.device_jid(Form::Lid, device))
        .attr("key-index", device.to_string())
        .build();
    let id = turn.stanza_id(phone.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", "devices")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .attr("lid", phone.jid(Form::Lid))
        .children([NodeBuilder::new(operation).children([changed, list]).build()])
        .build();
    for other in others {
        deliver::to_companions(turn, other, (other == phone.id).then_some(device), &notification)?;
    }
    Ok(())
}

pub(crate) fn pre_key_count(turn: &Turn<'_>, address: Address) -> Result<i64, Failure> {
    Ok(turn.db.number(
        "SELECT count(*) FROM device_pre_key WHERE phone = ? AND device = ?",
        (address.phone, address.device),
    )?)
}

/// The signed list of valid devices that comes with a device list, so that nobody can add one unseen.
pub(crate) fn key_index_list(
    turn: &mut Turn<'_>,
    phone: &Phone,
    companions: &[u16],
) -> Result<Vec<u8>, Failure> {
    let details = waproto::whatsapp::ADVKeyIndexList {
        raw_id: Some(1),
        timestamp: Some(u64::try_from(turn.now / 1_000).unwrap_or(0)),
        current_index: Some(companions.iter().copied().max().unwrap_or(0).into()),
        valid_indexes: std::iter::once(0).chain(companions.iter().map(|device| u32::from(*device))).collect(),
        ..Default::default()
    }
    .encode_to_vec();
    let identity = crate::signal::identity(phone)?;
    let mut random = turn.generator(phone.network)?;
    let signature = identity
        .private_key()
        .calculate_signature(&[&[6, 2], details.as_slice()].concat(), &mut random)
        .map_err(Failure::protocol)?;
    let signed = waproto::whatsapp::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(identity.public_key().public_key_bytes().to_vec()),
    };
    Ok(signed.encode_to_vec())
}
