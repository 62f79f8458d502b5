//! What a person does to chats and contacts on the phone: written as patches of the account's app state, by which all of
//! its devices agree. Indexes, collections and versions are those of the apps (`wacore::appstate::schemas`).

use rand::RngExt;
use serde::{Deserialize, Serialize};
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::schemas::{self, Schema};
use wacore::appstate::{encode_record, expand_app_state_keys};
use waproto::whatsapp as wa;
use waproto::whatsapp::sync_action_value as action;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use crate::app_state::{self, KEY_ID};
use crate::error::{Failure, Refusal};
use crate::limits;
use crate::phone_handle::{Chat, PhoneHandle, Recipient};
use crate::phones::{self, Form, Phone};
use crate::store::Query;
use crate::turn::Turn;

/// Bytes of a MAC, which is the end of a record's value.
const MAC_BYTES: usize = 32;
/// A chat that is muted without an end, as the apps write it.
const FOR_EVER: i64 = -1;

/// Something that a person does to a chat. A `message` is the WhatsApp id of one of the chat's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatChange {
    /// Puts it away, or back.
    Archive {
        /// Whether it is put away.
        on: bool,
    },
    /// Keeps it on top, or no longer.
    Pin {
        /// Whether it is kept there.
        on: bool,
    },
    /// Lets it make no sound, or lets it again.
    Mute {
        /// Whether it is silent.
        on: bool,
        /// Unix milliseconds at which it ends; never when absent.
        until: Option<i64>,
    },
    /// Marks it as read or unread.
    Read {
        /// Whether it is read.
        on: bool,
    },
    /// Gives a message a star, or takes it.
    Star {
        /// The message.
        message: String,
        /// Whether it has a star.
        on: bool,
    },
    /// Deletes a message on the account's own devices only.
    DeleteForMe {
        /// The message.
        message: String,
    },
    /// Deletes its messages, and keeps the chat.
    Clear,
    /// Deletes the chat.
    Delete,
    /// Gives the person a name in the account's address book.
    Name {
        /// 1 to 100 characters.
        full_name: String,
    },
}

/// One change as it is written: where, under which index, and what.
struct Entry {
    schema: &'static Schema,
    index: Vec<String>,
    value: wa::SyncActionValue,
}

impl ChatChange {
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Name { full_name } if !(1..=limits::NAME_CHARS).contains(&full_name.chars().count()) => {
                Err(Refusal::field("/full_name", "a name has 1 to 100 characters"))
            },
            Self::Mute { until: Some(..=0), .. } => {
                Err(Refusal::field("/until", "a time in Unix milliseconds"))
            },
            _ => Ok(()),
        }
    }

    fn entry(&self, turn: &Turn<'_>, phone: &Phone, chat: &Chat) -> Result<Entry, Failure> {
        let jid = chat.jid.to_string();
        let mut value = wa::SyncActionValue { timestamp: Some(turn.now), ..Default::default() };
        let (schema, rest): (_, Vec<String>) = match self {
            Self::Archive { on } => {
                let archive = action::ArchiveChatAction { archived: Some(*on), ..Default::default() };
                value.archive_chat_action = archive.into();
                (&schemas::ARCHIVE, vec![jid])
            },
            Self::Pin { on } => {
                value.pin_action = action::PinAction { pinned: Some(*on) }.into();
                (&schemas::PIN, vec![jid])
            },
            Self::Mute { on, until } => {
                let end = if *on { until.unwrap_or(FOR_EVER) } else { 0 };
                let mute = action::MuteAction {
                    muted: Some(*on),
                    mute_end_timestamp: Some(end),
                    ..Default::default()
                };
                value.mute_action = mute.into();
                (&schemas::MUTE, vec![jid])
            },
            Self::Read { on } => {
                let read = action::MarkChatAsReadAction { read: Some(*on), ..Default::default() };
                value.mark_chat_as_read_action = read.into();
                (&schemas::MARK_CHAT_AS_READ, vec![jid])
            },
            Self::Star { message, on } => {
                value.star_action = action::StarAction { starred: Some(*on) }.into();
                (&schemas::STAR, key(turn, phone, chat, message)?)
            },
            Self::DeleteForMe { message } => {
                let delete = action::DeleteMessageForMeAction {
                    delete_media: Some(true),
                    message_timestamp: Some(turn.now / 1_000),
                };
                value.delete_message_for_me_action = delete.into();
                (&schemas::DELETE_MESSAGE_FOR_ME, key(turn, phone, chat, message)?)
            },
            Self::Clear => {
                value.clear_chat_action = action::ClearChatAction::default().into();
                // Messages with a star stay, files go.
                (&schemas::CLEAR_CHAT, vec![jid, "0".to_owned(), "1".to_owned()])
            },
            Self::Delete => {
                value.delete_chat_action = action::DeleteChatAction::default().into();
                (&schemas::DELETE_CHAT, vec![jid, "1".to_owned()])
            },
            Self::Name { full_name } => {
                if chat.group.is_some() {
                    return Err(Refusal::field("/chat", "a group is nobody's contact").into());
                }
                let contact =
                    action::ContactAction { full_name: Some(full_name.clone()), ..Default::default() };
                value.contact_action = contact.into();
                (&schemas::CONTACT, vec![jid])
            },
        };
        let index = std::iter::once(schema.name.to_owned()).chain(rest).collect();
        Ok(Entry { schema, index, value })
    }
}

/// How an index names a message: chat, id, whether the account sent it, and in groups who else did.
fn key(turn: &Turn<'_>, phone: &Phone, chat: &Chat, id: &str) -> Result<Vec<String>, Failure> {
    let sql = "SELECT count(*) FROM ledger WHERE sender = ? AND whatsapp_id = ? AND group_chat IS ? AND (group_chat IS NOT NULL OR recipient = ?)";
    let own = turn.db.number(sql, (phone.id, id, chat.group, chat.person))? > 0;
    let sql = "SELECT sender FROM inbox WHERE phone = ? AND whatsapp_id = ? AND group_chat IS ? AND (group_chat IS NOT NULL OR sender = ?)";
    let sender = turn.db.one(sql, (phone.id, id, chat.group, chat.person), |row| row.get::<_, i64>(0))?;
    let participant = match (own, sender, chat.group) {
        (true, ..) | (false, Some(_), None) => None,
        (false, Some(sender), Some(_)) => phones::by_id(turn, sender)?.map(|sender| sender.jid(Form::Pn)),
        (false, None, _) => {
            let refusal = Refusal::new(404, "message_not_found", "this chat has no such message");
            return Err(refusal.at("/message").into());
        },
    };
    let participant = participant.map_or_else(|| "0".to_owned(), |jid| jid.to_string());
    let from_me = if own { "1" } else { "0" };
    Ok(vec![chat.jid.to_string(), id.to_owned(), from_me.to_owned(), participant])
}

/// Writes the change into the account's app state, as a device would.
fn write(turn: &mut Turn<'_>, phone: &Phone, entry: &Entry) -> Result<(), Failure> {
    let name = entry.schema.collection.as_str();
    let keys = expand_app_state_keys(&app_state::key(turn, phone)?);
    let index = serde_json::to_vec(&entry.index).map_err(Failure::protocol)?;
    let iv: [u8; 16] = turn.generator(phone.network)?.random();
    let schema_version = i32::try_from(entry.schema.version).map_err(Failure::protocol)?;
    let set = SyncdOperation::SET;
    let (mutation, _) = encode_record(set, &index, &entry.value, &keys, &KEY_ID, &iv, schema_version);
    let records = app_state::records(turn, phone, name)?;
    let version = u64::try_from(app_state::version(turn, phone, name)?).map_err(Failure::protocol)?;
    let mut state = HashState { version: version + 1, ..Default::default() };
    state.update_hash_from_records(&records);
    let mutations = vec![mutation];
    let (_, summed) = state.update_hash(&mutations, |index, _| {
        let replaced = records.iter().find(|record| record.index.blob.as_deref() == Some(index));
        let value = replaced.and_then(|record| record.value.blob.as_deref());
        Ok(value.and_then(|value| value.last_chunk::<MAC_BYTES>()).map(|mac| mac.to_vec()))
    });
    summed.map_err(Failure::protocol)?;
    let mut patch = wa::SyncdPatch {
        snapshot_mac: Some(state.generate_snapshot_mac(name, &keys.snapshot_mac)),
        key_id: wa::KeyId { id: Some(KEY_ID.to_vec()) }.into(),
        mutations,
        ..Default::default()
    };
    patch.patch_mac = Some(generate_patch_mac(&patch, name, &keys.patch_mac, state.version));
    app_state::accept(turn, phone, None, name, patch).map(drop)
}

impl PhoneHandle {
    /// Does something to a chat on the phone; its companions learn of it. The chat is a number or the address of a
    /// person or a group.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `message_not_found`, or an invalid field.
    pub async fn change_chat(&self, chat: &str, change: ChatChange) -> Result<(), Refusal> {
        change.check()?;
        let chat = Recipient::parse(chat).map_err(|wrong| wrong.at("/chat"))?;
        self.call(move |turn, phone| {
            let chat = chat.chat(turn, &phone)?;
            let entry = change.entry(turn, &phone, &chat)?;
            write(turn, &phone, &entry)
        })
        .await
    }
}
