//! Everything that somebody outside can make the sandbox hold has a limit, and it is here.

/// Networks of one sandbox.
pub const NETWORKS: i64 = 100_000;
/// Phones of one network.
pub const PHONES: i64 = 10_000;
/// Companion devices of one phone, as WhatsApp has it.
pub const COMPANIONS: i64 = 4;
/// Bytes of one encrypted file.
pub const MEDIA_BYTES: usize = 100 * 1024 * 1024;
/// Uploads that are read at the same time; more wait.
pub const UPLOADS: usize = 4;
/// Bytes of all files of one network; the oldest go.
pub const MEDIA_TOTAL_BYTES: i64 = 1024 * 1024 * 1024;
/// Milliseconds for which a file can be fetched, as WhatsApp has it: 30 days.
pub const MEDIA_KEPT_MS: i64 = 30 * 86_400_000;
/// Characters of a document's file name.
pub const FILE_NAME_CHARS: usize = 255;
/// Characters of a MIME type.
pub const MIME_TYPE_CHARS: usize = 100;
/// Characters of the host by which a client reached us.
pub const HOST_CHARS: usize = 255;
/// People whose presence one connection watches.
pub const SUBSCRIPTIONS: usize = 5_000;
/// Characters of the text about a person, as WhatsApp has it.
pub const ABOUT_CHARS: usize = 139;
/// Characters of each text of a business profile.
pub const BUSINESS_CHARS: usize = 512;
/// Bytes of a picture of a person or a group.
pub const PICTURE_BYTES: usize = 1024 * 1024;
/// People whom one person blocks.
pub const BLOCKED: i64 = 10_000;
/// Texts that a phone hands over to a new device.
pub const HISTORY_MESSAGES: i64 = 5_000;
/// Patches of one collection of an account's app state that are kept; a device that has seen less gets a snapshot.
pub const APP_STATE_PATCHES: i64 = 500;
/// Records of one collection of an account's app state.
pub const APP_STATE_RECORDS: i64 = 10_000;
/// Patches in one answer.
pub const APP_STATE_PAGE: i64 = 100;
/// Groups of one network.
pub const GROUPS: i64 = 10_000;
/// Members of one group, as WhatsApp has it.
pub const GROUP_MEMBERS: usize = 1_024;
/// People who wait to be let into one group.
pub const JOIN_REQUESTS: i64 = 1_024;
/// Characters of a group's subject, as WhatsApp has it.
pub const SUBJECT_CHARS: usize = 100;
/// Characters of a group's description, as WhatsApp has it.
pub const DESCRIPTION_CHARS: usize = 2_048;
/// Characters of one text.
pub const TEXT_CHARS: usize = 65_536;
/// Characters of a reaction: an emoji may be made of several.
pub const REACTION_CHARS: usize = 32;
/// Characters of a phone's name.
pub const NAME_CHARS: usize = 100;
/// Rows of one page of an inbox, a ledger or a list of phones.
pub const PAGE: i64 = 200;
/// Rows of a page when the caller names no number.
pub const PAGE_DEFAULT: i64 = 50;
/// Stanzas that wait for one device. When it is full, the oldest goes.
pub const QUEUE: i64 = 10_000;
/// Stanzas that a phone takes from its queue at a time.
pub const CATCH_UP: i64 = 100;
/// Open sockets of one sandbox.
pub const CONNECTIONS: usize = 20_000;
/// Bytes of one frame, and of one WebSocket message.
pub const FRAME_BYTES: usize = 2 * 1024 * 1024;
/// Stanzas of one connection that may wait for the engine at the same time; the socket is not read beyond it.
pub const IN_FLIGHT: usize = 64;
/// Stanzas that may wait for one socket to be written. A client that reads slower is cut off; what it did not
/// acknowledge waits in its queue.
pub const UNWRITTEN: usize = 20_000;
/// One-time pre-keys that the network keeps for one device.
pub const DEVICE_PRE_KEYS: usize = 2_000;
/// One-time pre-keys that a phone keeps for bundles which it gave out.
pub const PHONE_PRE_KEYS: u32 = 5_000;
/// A device whose pool falls below this many one-time pre-keys is told once. Baileys uploads more only when it is told
/// of fewer than five.
pub const PRE_KEYS_LOW: i64 = 5;
/// Sent messages that a phone keeps for devices which ask again.
pub const SENT: i64 = 5_000;
/// How often one message is asked for again, by a phone or by a device.
pub const RETRIES: u32 = 5;
/// People to whom one phone has given a privacy token; beyond it the oldest get theirs again.
pub const PRIVACY_TOKENS: i64 = 5_000;
/// Inbox entries of one phone; the oldest go.
pub const INBOX: i64 = 1_000_000;
/// Ledger rows of one network; the oldest go.
pub const LEDGER: i64 = 2_000_000;
/// Idempotency keys of one sandbox; the oldest go.
pub const IDEMPOTENCY_KEYS: i64 = 100_000;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// Reads and replies of one phone that are not yet due.
pub const ACTIONS: i64 = 10_000;
/// Calls of one phone that are remembered; the oldest go.
pub const CALLS: i64 = 1_000;
/// Faults of one network at the same time.
pub const FAULTS: i64 = 100;
/// Users in one usync or pre-key request.
pub const USERS_PER_QUERY: usize = 1_000;
/// The longest time that a behaviour or a fault may name, in milliseconds (one day).
pub const DELAY_MS: i64 = 86_400_000;
/// Characters of a stanza id.
pub const STANZA_ID_CHARS: usize = 128;
/// Characters of an account id.
pub const ACCOUNT_CHARS: usize = 64;

/// Messages of one connection that were asked for again and whose first copy is not acknowledged yet.
pub const ASKED_AGAIN: usize = 10_000;

/// Envelopes around a message that are opened; the protocol nests three.
pub const ENVELOPES: usize = 8;
/// Bytes of a received message that a phone keeps, to quote it and to decrypt answers to it; of a larger one it keeps
/// the text.
pub const KEPT_MESSAGE_BYTES: usize = 64 * 1024;
/// Entries of a list in a received message that an inbox shows.
pub const LISTED: usize = 1_024;
/// People whom a phone mentions in one message.
pub const MENTIONS: usize = 256;
/// Contacts in one message.
pub const CONTACTS: usize = 20;
/// Numbers of one contact.
pub const CONTACT_PHONES: usize = 10;
/// Characters of a contact's card.
pub const VCARD_CHARS: usize = 8_192;
/// Options of a poll, as WhatsApp has it.
pub const POLL_OPTIONS: usize = 12;
/// Characters of an option of a poll, as WhatsApp has it.
pub const OPTION_CHARS: usize = 100;
/// Characters of what fits on a line: a question, the name of a place or of a person on a card.
pub const LINE_CHARS: usize = 255;
/// Bytes of the small picture of a file.
pub const THUMBNAIL_BYTES: usize = 32 * 1024;
/// Pixels of one side of a picture.
pub const PIXELS: u32 = 65_535;
/// Seconds of a recording.
pub const DURATION_S: u32 = 86_400;
/// Heights in the picture of a voice message, as WhatsApp has it.
pub const WAVEFORM: usize = 64;
/// The score from which on a message counts as often forwarded, the highest that there is.
pub const FORWARDING_SCORE: u32 = 127;
/// Seconds after which a message disappears, or for which it is pinned: 90 days, as WhatsApp has it.
pub const EXPIRES_S: u32 = 90 * 86_400;
