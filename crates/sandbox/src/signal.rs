//! A phone's side of Signal, on the client's own crate. One operation loads what it needs, and stores what
//! it changed; the stores that the crate asks for live only as long as the operation.

use async_trait::async_trait;
use futures::FutureExt;
use rand::RngExt;
use rand::rngs::StdRng;
use wacore_libsignal::protocol::{
    CiphertextMessageType, Direction, GenericSignedPreKey, IdentityChange, IdentityKey, IdentityKeyPair,
    IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore,
    ProtocolAddress, SessionRecord, SessionStore, SignalMessage, SignalProtocolError, SignedPreKeyId,
    SignedPreKeyRecord, SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt_prekey,
    message_decrypt_signal, message_encrypt, process_prekey_bundle,
};

use crate::error::Failure;
use crate::limits;
use crate::live::Address;
use crate::phones::Phone;
use crate::store::Query;
use crate::turn::Turn;

type SignalResult<T> = Result<T, SignalProtocolError>;

const SIGNED_PRE_KEY: u32 = 1;

/// The keys of a new phone, as they are stored.
pub(crate) struct PhoneKeys {
    pub registration_id: u32,
    pub identity: Vec<u8>,
    pub signed_pre_key: Vec<u8>,
}

pub(crate) fn generate(random: &mut StdRng) -> Result<PhoneKeys, Failure> {
    let identity = IdentityKeyPair::generate(random);
    let pair = KeyPair::generate(random);
    let signature = identity
        .private_key()
        .calculate_signature(&pair.public_key.serialize(), random)
        .map_err(Failure::protocol)?;
    let record =
        SignedPreKeyRecord::new(SIGNED_PRE_KEY.into(), Timestamp::from_epoch_millis(0), &pair, &signature);
    Ok(PhoneKeys {
        registration_id: random.random_range(1..0x3fff),
        identity: identity.serialize().to_vec(),
        signed_pre_key: record.serialize().map_err(Failure::protocol)?,
    })
}

/// The phone's long-term keys.
pub(crate) fn identity(phone: &Phone) -> Result<IdentityKeyPair, Failure> {
    IdentityKeyPair::try_from(phone.identity.as_slice()).map_err(Failure::protocol)
}

/// What came of a ciphertext.
pub(crate) enum Opened {
    Plain(Vec<u8>),
    /// The ratchet has used this message's key: the very same ciphertext came before.
    Duplicate,
    /// Cannot be decrypted; the number is WhatsApp's reason in a retry receipt.
    Failed(u8),
}

/// Decrypts what `from` encrypted for the phone. A message that fails changes nothing.
pub(crate) fn decrypt(
    turn: &mut Turn<'_>,
    phone: &Phone,
    from: Address,
    kind: &str,
    ciphertext: &[u8],
) -> Result<Opened, Failure> {
    let mut random = turn.generator(phone.network)?;
    let mut stores = Stores::load(turn, phone, from)?;
    let address = address(from);
    let result = if kind == "pkmsg" {
        let Ok(message) = PreKeySignalMessage::try_from(ciphertext) else { return Ok(Opened::Failed(4)) };
        if let Some(id) = message.pre_key_id() {
            stores.one_time.0 = load_one_time(turn, phone.id, id)?;
        }
        let Stores { own, session, one_time, signed } = &mut stores;
        finished(message_decrypt_prekey(
            &message,
            &address,
            session,
            own,
            one_time,
            signed,
            &mut random,
            UsePQRatchet::No,
        ))
    } else {
        let Ok(message) = SignalMessage::try_from(ciphertext) else { return Ok(Opened::Failed(4)) };
        finished(message_decrypt_signal(
            &message,
            &address,
            &mut stores.session,
            &mut stores.own,
            &mut random,
        ))
    };
    match result {
        Ok(opened) => {
            stores.session.save(turn, phone.id, from)?;
            if let Some(id) = opened.consumed_prekey_id {
                turn.db
                    .run("DELETE FROM phone_pre_key WHERE phone = ? AND id = ?", (phone.id, u32::from(id)))?;
            }
            Ok(Opened::Plain(opened.plaintext))
        },
        Err(SignalProtocolError::DuplicatedMessage(..)) => Ok(Opened::Duplicate),
        Err(SignalProtocolError::SessionNotFound(_)) => Ok(Opened::Failed(1)),
        Err(SignalProtocolError::InvalidPreKeyId | SignalProtocolError::InvalidSignedPreKeyId) => {
            Ok(Opened::Failed(3))
        },
        Err(SignalProtocolError::BadMac(_)) => Ok(Opened::Failed(7)),
        Err(_) => Ok(Opened::Failed(4)),
    }
}

/// Makes a ciphertext one that is read but does not verify: the last byte of a message is of its signature. Damage
/// elsewhere could leave something that no client takes for a message, and that none asks for again.
pub(crate) fn damage(kind: &str, ciphertext: &mut [u8]) {
    let mut end = ciphertext.len();
    if kind == "pkmsg"
        && let Ok(outer) = PreKeySignalMessage::try_from(&*ciphertext)
    {
        let inner = outer.message().serialized();
        let found = ciphertext.windows(inner.len()).rposition(|window| window == inner);
        end = found.map_or(end, |start| start + inner.len());
    }
    if let Some(byte) = end.checked_sub(1).and_then(|last| ciphertext.get_mut(last)) {
        *byte ^= 1;
    }
}

/// Encrypts for one device. There must be a ratchet already: see [`has_ratchet`] and [`begin`].
/// Gives the kind of ciphertext (`pkmsg` or `msg`) and its bytes.
pub(crate) fn encrypt(
    turn: &Turn<'_>,
    phone: &Phone,
    to: Address,
    plain: &[u8],
) -> Result<(&'static str, Vec<u8>), Failure> {
    let Stores { mut own, mut session, .. } = Stores::load(turn, phone, to)?;
    let sealed =
        finished(message_encrypt(plain, &address(to), &mut session, &mut own)).map_err(Failure::protocol)?;
    session.save(turn, phone.id, to)?;
    let kind = if sealed.message_type() == CiphertextMessageType::PreKey { "pkmsg" } else { "msg" };
    Ok((kind, sealed.serialize().to_vec()))
}

pub(crate) fn has_ratchet(turn: &Turn<'_>, phone: i64, with: Address) -> Result<bool, Failure> {
    Ok(turn.db.number(
        "SELECT count(*) FROM ratchet WHERE phone = ? AND peer = ? AND device = ?",
        (phone, with.phone, with.device),
    )? > 0)
}

/// Begins a new ratchet from a bundle; an old one is archived inside the record.
pub(crate) fn begin(
    turn: &mut Turn<'_>,
    phone: &Phone,
    with: Address,
    bundle: &PreKeyBundle,
) -> Result<(), Failure> {
    let mut random = turn.generator(phone.network)?;
    let Stores { mut own, mut session, .. } = Stores::load(turn, phone, with)?;
    finished(process_prekey_bundle(
        &address(with),
        &mut session,
        &mut own,
        bundle,
        &mut random,
        UsePQRatchet::No,
    ))
    .map_err(Failure::protocol)?;
    session.save(turn, phone.id, with)
}

/// The phone's own bundle, with a one-time key made for it.
pub(crate) fn bundle(turn: &mut Turn<'_>, phone: &Phone) -> Result<PreKeyBundle, Failure> {
    let id = u32::try_from(turn.db.number(
        "UPDATE phone SET next_pre_key = next_pre_key % 16777214 + 1 WHERE id = ? RETURNING next_pre_key",
        [phone.id],
    )?)
    .map_err(Failure::protocol)?;
    let pair = KeyPair::generate(&mut turn.generator(phone.network)?);
    let record = PreKeyRecord::new(id.into(), &pair).serialize().map_err(Failure::protocol)?;
    turn.db.run(
        "INSERT OR REPLACE INTO phone_pre_key (phone, id, record) VALUES (?, ?, ?)",
        (phone.id, id, record),
    )?;
    turn.db.run(
        "DELETE FROM phone_pre_key WHERE phone = ? AND id = ?",
        (phone.id, id.saturating_sub(limits::PHONE_PRE_KEYS)),
    )?;
    let identity = identity(phone)?;
    let signed = SignedPreKeyRecord::deserialize(&phone.signed_pre_key).map_err(Failure::protocol)?;
    PreKeyBundle::new(
        phone.registration_id,
        0.into(),
        Some((id.into(), pair.public_key)),
        SIGNED_PRE_KEY.into(),
        signed.public_key().map_err(Failure::protocol)?,
        signed.signature().map_err(Failure::protocol)?.to_vec(),
        *identity.identity_key(),
    )
    .map_err(Failure::protocol)
}

/// The name is only a key of the stores; it is no part of what is encrypted.
fn address(of: Address) -> ProtocolAddress {
    ProtocolAddress::new(&of.phone.to_string(), u32::from(of.device).into())
}

/// The crate's operations are asynchronous for stores that are; these never wait.
fn finished<T>(operation: impl Future<Output = T>) -> T {
    operation.now_or_never().expect("stores in memory never wait")
}

fn load_one_time(turn: &Turn<'_>, phone: i64, id: PreKeyId) -> Result<Option<PreKeyRecord>, Failure> {
    let stored = turn.db.one(
        "SELECT record FROM phone_pre_key WHERE phone = ? AND id = ?",
        (phone, u32::from(id)),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    stored.map(|record| PreKeyRecord::deserialize(&record).map_err(Failure::protocol)).transpose()
}

struct Stores {
    own: Own,
    session: Session,
    one_time: OneTime,
    signed: Signed,
}

impl Stores {
    fn load(turn: &Turn<'_>, phone: &Phone, with: Address) -> Result<Self, Failure> {
        let stored = turn.db.one(
            "SELECT record FROM ratchet WHERE phone = ? AND peer = ? AND device = ?",
            (phone.id, with.phone, with.device),
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        let record = stored
            .map(|bytes| {
                let mut record = SessionRecord::deserialize(&bytes).map_err(Failure::protocol)?;
                // Every change is committed before its ciphertext leaves, so no counters need be reserved.
                record.waive_counter_lease();
                Ok::<_, Failure>(record)
            })
            .transpose()?;
        Ok(Self {
            own: Own { identity: identity(phone)?, registration_id: phone.registration_id },
            session: Session { record, changed: false },
            one_time: OneTime(None),
            signed: Signed(
                SignedPreKeyRecord::deserialize(&phone.signed_pre_key).map_err(Failure::protocol)?,
            ),
        })
    }
}

struct Own {
    identity: IdentityKeyPair,
    registration_id: u32,
}

#[async_trait]
impl IdentityKeyStore for Own {
    async fn get_identity_key_pair(&self) -> SignalResult<IdentityKeyPair> {
        Ok(self.identity.clone())
    }
    async fn get_local_registration_id(&self) -> SignalResult<u32> {
        Ok(self.registration_id)
    }
    async fn save_identity(&mut self, _: &ProtocolAddress, _: &IdentityKey) -> SignalResult<IdentityChange> {
        Ok(IdentityChange::NewOrUnchanged)
    }
    // A simulated person accepts a new device at once, as the apps do by default.
    async fn is_trusted_identity(
        &self,
        _: &ProtocolAddress,
        _: &IdentityKey,
        _: Direction,
    ) -> SignalResult<bool> {
        Ok(true)
    }
    async fn get_identity(&self, _: &ProtocolAddress) -> SignalResult<Option<IdentityKey>> {
        Ok(None)
    }
}

struct Session {
    record: Option<SessionRecord>,
    changed: bool,
}

impl Session {
    fn save(&self, turn: &Turn<'_>, phone: i64, with: Address) -> Result<(), Failure> {
        if let (Some(record), true) = (&self.record, self.changed) {
            let bytes = record.serialize().map_err(Failure::protocol)?;
            turn.db.run("INSERT INTO ratchet (phone, peer, device, record) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record", (phone, with.phone, with.device, bytes))?;
        }
        Ok(())
    }
}

#[async_trait]
impl SessionStore for Session {
    async fn load_session(&self, _: &ProtocolAddress) -> SignalResult<Option<SessionRecord>> {
        Ok(self.record.clone())
    }
    async fn has_session(&self, _: &ProtocolAddress) -> SignalResult<bool> {
        Ok(self.record.is_some())
    }
    async fn store_session(&mut self, _: &ProtocolAddress, mut record: SessionRecord) -> SignalResult<()> {
        record.waive_counter_lease();
        self.record = Some(record);
        self.changed = true;
        Ok(())
    }
}

struct OneTime(Option<PreKeyRecord>);

#[async_trait]
impl PreKeyStore for OneTime {
    async fn get_pre_key(&self, _: PreKeyId) -> SignalResult<PreKeyRecord> {
        self.0.clone().ok_or(SignalProtocolError::InvalidPreKeyId)
    }
    async fn save_pre_key(&mut self, _: PreKeyId, record: &PreKeyRecord) -> SignalResult<()> {
        self.0 = Some(record.clone());
        Ok(())
    }
    async fn remove_pre_key(&mut self, _: PreKeyId) -> SignalResult<()> {
        self.0 = None;
        Ok(())
    }
}

struct Signed(SignedPreKeyRecord);

#[async_trait]
impl SignedPreKeyStore for Signed {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> SignalResult<SignedPreKeyRecord> {
        if u32::from(id) == SIGNED_PRE_KEY {
            Ok(self.0.clone())
        } else {
            Err(SignalProtocolError::InvalidSignedPreKeyId)
        }
    }
    async fn save_signed_pre_key(
        &mut self,
        _: SignedPreKeyId,
        record: &SignedPreKeyRecord,
    ) -> SignalResult<()> {
        self.0 = record.clone();
        Ok(())
    }
}
