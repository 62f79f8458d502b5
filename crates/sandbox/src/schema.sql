-- The sandbox's whole memory. Numbers are digits without "+", times are Unix milliseconds.

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE network (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL UNIQUE,
    seed BLOB NOT NULL,
    -- Raised at each start, so that the generator never repeats what it gave before.
    epoch INTEGER NOT NULL
);

CREATE TABLE phone (
    id INTEGER PRIMARY KEY,
    network INTEGER NOT NULL REFERENCES network (id),
    number TEXT NOT NULL,
    lid TEXT NOT NULL,
    name TEXT,
    registration_id INTEGER NOT NULL,
    identity BLOB NOT NULL,
    signed_pre_key BLOB NOT NULL,
    next_pre_key INTEGER NOT NULL DEFAULT 1,
    next_device INTEGER NOT NULL DEFAULT 1,
    online INTEGER NOT NULL DEFAULT 1,
    read_after_ms INTEGER,
    reply TEXT,
    typing_ms INTEGER NOT NULL DEFAULT 0,
    -- The owner looks at it.
    present INTEGER NOT NULL DEFAULT 0,
    last_seen INTEGER,
    app_state_key BLOB,
    -- Newest texts that a new device is handed over.
    history_messages INTEGER NOT NULL DEFAULT 0,
    about TEXT,
    about_at INTEGER,
    -- What a business says about itself, as JSON; null for a person.
    business TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (network, number),
    UNIQUE (network, lid)
);

-- One-time keys that the phone gave out and nobody has used.
CREATE TABLE phone_pre_key (phone INTEGER NOT NULL, id INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (phone, id)) WITHOUT ROWID;

-- A phone's ratchet with one device of another phone.
CREATE TABLE ratchet (phone INTEGER NOT NULL, peer INTEGER NOT NULL, device INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (phone, peer, device)) WITHOUT ROWID;

CREATE TABLE device (
    phone INTEGER NOT NULL,
    id INTEGER NOT NULL,
    noise_key BLOB NOT NULL,
    identity BLOB NOT NULL,
    registration_id INTEGER NOT NULL,
    signed_id INTEGER NOT NULL,
    signed_key BLOB NOT NULL,
    signed_signature BLOB NOT NULL,
    signed_identity BLOB NOT NULL,
    -- Until its first login has handed over keys and history.
    fresh INTEGER NOT NULL DEFAULT 1,
    -- Told that its one-time keys run out, and has not uploaded since.
    told_low INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (phone, id)
) WITHOUT ROWID;

CREATE TABLE device_pre_key (seq INTEGER PRIMARY KEY, phone INTEGER NOT NULL, device INTEGER NOT NULL, id INTEGER NOT NULL, key BLOB NOT NULL, UNIQUE (phone, device, id));

-- Stanzas that a device (0 is the phone itself) has not acknowledged.
CREATE TABLE queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    phone INTEGER NOT NULL,
    device INTEGER NOT NULL,
    class TEXT NOT NULL,
    stanza_id TEXT NOT NULL,
    stanza_type TEXT NOT NULL,
    stanza BLOB NOT NULL
);
CREATE INDEX queue_order ON queue (phone, device, seq);
CREATE INDEX queue_stanza ON queue (phone, device, stanza_id);

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    phone INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    whatsapp_id TEXT NOT NULL,
    -- The group in which it was written; null between two people.
    group_chat INTEGER,
    type TEXT NOT NULL,
    text TEXT,
    -- The id of the message that it is about.
    target TEXT,
    -- How the message names its file, as JSON.
    media TEXT,
    received_at INTEGER NOT NULL,
    -- What is in it by the names of its kind, as JSON.
    content TEXT,
    -- The message without its envelopes; null when it is too large.
    message BLOB,
    copies INTEGER NOT NULL DEFAULT 1,
    UNIQUE (phone, sender, whatsapp_id)
);
CREATE INDEX inbox_order ON inbox (phone, seq);

CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    network INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    whatsapp_id TEXT NOT NULL,
    -- A message to a group has one row for each member.
    group_chat INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    copies INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sender, recipient, whatsapp_id)
);
CREATE INDEX ledger_order ON ledger (network, seq);

-- Each device counts once for each step of a message.
CREATE TABLE reported (ledger INTEGER NOT NULL, device INTEGER NOT NULL, step TEXT NOT NULL, PRIMARY KEY (ledger, device, step)) WITHOUT ROWID;

-- What a phone sent, for devices that ask again. In a group the recipient is the sender itself.
CREATE TABLE sent (seq INTEGER PRIMARY KEY AUTOINCREMENT, phone INTEGER NOT NULL, recipient INTEGER NOT NULL, group_chat INTEGER, whatsapp_id TEXT NOT NULL, content BLOB NOT NULL, sent_at INTEGER NOT NULL, UNIQUE (phone, whatsapp_id));
CREATE INDEX sent_order ON sent (phone, seq);

-- How often a phone asked for a message that it could not decrypt.
CREATE TABLE asked (phone INTEGER NOT NULL, peer INTEGER NOT NULL, whatsapp_id TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (phone, peer, whatsapp_id)) WITHOUT ROWID;

-- The week of the last privacy token that each person gave each other.
CREATE TABLE privacy_token (seq INTEGER PRIMARY KEY AUTOINCREMENT, issuer INTEGER NOT NULL, holder INTEGER NOT NULL, week INTEGER NOT NULL, UNIQUE (issuer, holder));

CREATE TABLE idempotency (seq INTEGER PRIMARY KEY AUTOINCREMENT, network INTEGER NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, answer TEXT NOT NULL, UNIQUE (network, route, key));

-- What a phone will do later.
CREATE TABLE action (seq INTEGER PRIMARY KEY, due_at INTEGER NOT NULL, phone INTEGER NOT NULL, what TEXT NOT NULL);
CREATE INDEX action_due ON action (due_at);
CREATE INDEX action_phone ON action (phone);

CREATE TABLE fault (seq INTEGER PRIMARY KEY AUTOINCREMENT, network INTEGER NOT NULL, kind TEXT NOT NULL, phone INTEGER, remaining INTEGER, until_at INTEGER, delay_ms INTEGER, bound INTEGER, struck INTEGER NOT NULL DEFAULT 0);
CREATE TABLE fault_count (network INTEGER NOT NULL, kind TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (network, kind)) WITHOUT ROWID;
CREATE INDEX fault_kind ON fault (network, kind);

CREATE TABLE group_chat (
    id INTEGER PRIMARY KEY,
    network INTEGER NOT NULL REFERENCES network (id),
    user TEXT NOT NULL,
    -- Members are named by their hidden address, not by number.
    by_lid INTEGER NOT NULL,
    subject TEXT NOT NULL,
    subject_by INTEGER NOT NULL,
    subject_at INTEGER NOT NULL,
    description TEXT,
    description_id TEXT,
    description_by INTEGER,
    description_at INTEGER,
    -- Only admins write.
    announcement INTEGER NOT NULL DEFAULT 0,
    -- Only admins change subject and description.
    locked INTEGER NOT NULL DEFAULT 0,
    -- Only admins add members.
    admin_add INTEGER NOT NULL DEFAULT 0,
    -- Who comes by invite waits for an admin.
    approval INTEGER NOT NULL DEFAULT 0,
    -- Seconds after which messages disappear; 0 for never.
    ephemeral_s INTEGER NOT NULL DEFAULT 0,
    invite TEXT NOT NULL,
    creator INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (network, user),
    UNIQUE (network, invite)
);

-- Rank: 0 member, 1 admin, 2 the one who made the group.
CREATE TABLE member (group_chat INTEGER NOT NULL, phone INTEGER NOT NULL, rank INTEGER NOT NULL, PRIMARY KEY (group_chat, phone)) WITHOUT ROWID;
CREATE INDEX member_phone ON member (phone);

-- The key with which a device (peer and device) writes to a group, as a phone has it; its own under itself.
CREATE TABLE sender_key (phone INTEGER NOT NULL, group_chat INTEGER NOT NULL, peer INTEGER NOT NULL, device INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (phone, group_chat, peer, device)) WITHOUT ROWID;

-- Devices that have the phone's own sender key.
CREATE TABLE sender_key_given (phone INTEGER NOT NULL, group_chat INTEGER NOT NULL, peer INTEGER NOT NULL, device INTEGER NOT NULL, PRIMARY KEY (phone, group_chat, peer, device)) WITHOUT ROWID;

-- Encrypted files. One that is gone or expired is no longer handed out, but a phone that kept a copy can upload it again.
CREATE TABLE media (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    network INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL,
    -- Last, so that the other columns are read without it.
    bytes BLOB NOT NULL
);
CREATE INDEX media_hash ON media (network, hash);
CREATE INDEX media_size ON media (network, size);

CREATE TABLE block (phone INTEGER NOT NULL, blocked INTEGER NOT NULL, by_lid INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (phone, blocked)) WITHOUT ROWID;

CREATE TABLE privacy (phone INTEGER NOT NULL, category TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (phone, category)) WITHOUT ROWID;

-- Owner: "p" and a phone's id, or "g" and a group's user.
CREATE TABLE picture (network INTEGER NOT NULL, owner TEXT NOT NULL, picture_id TEXT NOT NULL, name TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL, PRIMARY KEY (network, owner));

CREATE TABLE app_state (phone INTEGER NOT NULL, collection TEXT NOT NULL, version INTEGER NOT NULL, patch BLOB NOT NULL, PRIMARY KEY (phone, collection, version)) WITHOUT ROWID;

-- Calls, of which the network only carries the signals.
CREATE TABLE call (seq INTEGER PRIMARY KEY AUTOINCREMENT, caller INTEGER NOT NULL, callee INTEGER NOT NULL, call_id TEXT NOT NULL UNIQUE, video INTEGER NOT NULL, state TEXT NOT NULL);
CREATE INDEX call_of ON call (caller, seq);

-- What the patches leave: for each index, as its MAC, the record that was set last.
CREATE TABLE app_state_record (phone INTEGER NOT NULL, collection TEXT NOT NULL, index_mac BLOB NOT NULL, record BLOB NOT NULL, PRIMARY KEY (phone, collection, index_mac)) WITHOUT ROWID;

-- Who wants to join a group whose admins decide.
CREATE TABLE join_request (group_chat INTEGER NOT NULL, phone INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (group_chat, phone)) WITHOUT ROWID;
