//! Sender keys: each device writes to a group with a key of its own, which it gives to every other device
//! one by one. Here is a phone's side, on the client's own crate.

use async_trait::async_trait;
use futures::FutureExt;
use wacore_libsignal::protocol::{
    SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore, SignalProtocolError,
    create_sender_key_distribution_message, group_decrypt, group_encrypt,
    process_sender_key_distribution_message,
};

use super::Group;
use crate::error::Failure;
use crate::live::Address;
use crate::phones::Phone;
use crate::signal::Opened;
use crate::store::Query;
use crate::turn::Turn;

type SignalResult<T> = Result<T, SignalProtocolError>;

/// WhatsApp's reasons in a retry receipt: no session, and a message that cannot be decrypted.
const NO_KEY: u8 = 1;
const INVALID_MESSAGE: u8 = 4;

/// The phone's own key, to be given to a device; made when there is none.
pub(super) fn distribution(turn: &mut Turn<'_>, phone: &Phone, group: &Group) -> Result<Vec<u8>, Failure> {
    let own = Address { phone: phone.id, device: 0 };
    let mut random = turn.generator(group.network)?;
    let mut key = Key::load(turn, phone, group, own)?;
    let name = key.name();
    let operation = create_sender_key_distribution_message(&name, &mut key, &mut random);
    let message = finished(operation)?.map_err(Failure::protocol)?;
    key.save(turn)?;
    Ok(message.serialized().to_vec())
}

/// Keeps the key with which a device writes from now on.
pub(super) fn learn(
    turn: &Turn<'_>,
    phone: &Phone,
    group: &Group,
    from: Address,
    distribution: &[u8],
) -> Result<(), Failure> {
    let message = SenderKeyDistributionMessage::try_from(distribution).map_err(Failure::protocol)?;
    let mut key = Key::load(turn, phone, group, from)?;
    let name = key.name();
    finished(process_sender_key_distribution_message(&name, &message, &mut key))?
        .map_err(Failure::protocol)?;
    key.save(turn)
}

/// Encrypts with the phone's own key, which [`distribution`] made.
pub(super) fn encrypt(
    turn: &mut Turn<'_>,
    phone: &Phone,
    group: &Group,
    plain: &[u8],
) -> Result<Vec<u8>, Failure> {
    let own = Address { phone: phone.id, device: 0 };
    let mut random = turn.generator(group.network)?;
    let mut key = Key::load(turn, phone, group, own)?;
    let name = key.name();
    let sealed = finished(group_encrypt(&mut key, &name, plain, &mut random))?.map_err(Failure::protocol)?;
    key.save(turn)?;
    Ok(sealed.serialized().to_vec())
}

pub(super) fn decrypt(
    turn: &Turn<'_>,
    phone: &Phone,
    group: &Group,
    from: Address,
    ciphertext: &[u8],
) -> Result<Opened, Failure> {
    let mut key = Key::load(turn, phone, group, from)?;
    let name = key.name();
    Ok(match finished(group_decrypt(ciphertext, &mut key, &name))? {
        Ok(plain) => {
            key.save(turn)?;
            Opened::Plain(plain)
        },
        Err(SignalProtocolError::DuplicatedMessage(..)) => Opened::Duplicate,
        Err(SignalProtocolError::NoSenderKeyState(_)) => Opened::Failed(NO_KEY),
        Err(_) => Opened::Failed(INVALID_MESSAGE),
    })
}

/// Whether the device has the phone's own key.
pub(super) fn is_given(turn: &Turn<'_>, phone: i64, group: &Group, device: Address) -> Result<bool, Failure> {
    let sql = "SELECT count(*) FROM sender_key_given WHERE phone = ? AND group_chat = ? AND peer = ? AND device = ?";
    Ok(turn.db.number(sql, (phone, group.id, device.phone, device.device))? > 0)
}

pub(super) fn note_given(turn: &Turn<'_>, phone: i64, group: &Group, device: Address) -> Result<(), Failure> {
    turn.db.run(
        "INSERT OR IGNORE INTO sender_key_given (phone, group_chat, peer, device) VALUES (?, ?, ?, ?)",
        (phone, group.id, device.phone, device.device),
    )?;
    Ok(())
}

/// All phones of the group write with a new key from now on.
pub(super) fn rotate(turn: &Turn<'_>, group: &Group) -> Result<(), Failure> {
    turn.db.run("DELETE FROM sender_key WHERE group_chat = ? AND peer = phone AND device = 0", [group.id])?;
    turn.db.run("DELETE FROM sender_key_given WHERE group_chat = ?", [group.id])?;
    Ok(())
}

/// A device that was unlinked: its number never comes back, and its keys are of no use.
pub(crate) fn forget_device(turn: &Turn<'_>, device: Address) -> Result<(), Failure> {
    for table in ["sender_key", "sender_key_given"] {
        let sql = format!("DELETE FROM {table} WHERE peer = ? AND device = ?");
        turn.db.run(&sql, (device.phone, device.device))?;
    }
    Ok(())
}

/// The phone loses all its keys.
pub(crate) fn forget_phone(turn: &Turn<'_>, phone: i64) -> Result<(), Failure> {
    turn.db.run("DELETE FROM sender_key WHERE phone = ?", [phone])?;
    turn.db.run("DELETE FROM sender_key_given WHERE phone = ?", [phone])?;
    Ok(())
}

/// The crate's operations are asynchronous for stores that are; this one never waits.
fn finished<T>(operation: impl Future<Output = T>) -> Result<T, Failure> {
    operation.now_or_never().ok_or_else(|| Failure::protocol("a store in memory waited"))
}

/// One record, as long as an operation on it.
struct Key {
    phone: i64,
    group: i64,
    of: Address,
    record: Option<SenderKeyRecord>,
    changed: bool,
}

impl Key {
    fn load(turn: &Turn<'_>, phone: &Phone, group: &Group, of: Address) -> Result<Self, Failure> {
        let stored = turn.db.one(
            "SELECT record FROM sender_key WHERE phone = ? AND group_chat = ? AND peer = ? AND device = ?",
            (phone.id, group.id, of.phone, of.device),
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        let record = stored
            .map(|bytes| {
                let mut record = SenderKeyRecord::deserialize(&bytes)?;
                // Every change is committed before its ciphertext leaves, so no counters need be reserved.
                record.waive_counter_lease()?;
                Ok::<_, SignalProtocolError>(record)
            })
            .transpose()
            .map_err(Failure::protocol)?;
        Ok(Self { phone: phone.id, group: group.id, of, record, changed: false })
    }

    /// The name is only a key of the store; it is no part of what is encrypted.
    fn name(&self) -> SenderKeyName {
        SenderKeyName::new(self.group.to_string(), format!("{}.{}", self.of.phone, self.of.device))
    }

    fn save(&self, turn: &Turn<'_>) -> Result<(), Failure> {
        if let (Some(record), true) = (&self.record, self.changed) {
            let bytes = record.serialize().map_err(Failure::protocol)?;
            turn.db.run("INSERT INTO sender_key (phone, group_chat, peer, device, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record", (self.phone, self.group, self.of.phone, self.of.device, bytes))?;
        }
        Ok(())
    }
}

#[async_trait]
impl SenderKeyStore for Key {
    async fn store_sender_key(&mut self, _: &SenderKeyName, mut record: SenderKeyRecord) -> SignalResult<()> {
        record.waive_counter_lease()?;
        self.record = Some(record);
        self.changed = true;
        Ok(())
    }

    async fn load_sender_key(&self, _: &SenderKeyName) -> SignalResult<Option<SenderKeyRecord>> {
        Ok(self.record.clone())
    }
}
