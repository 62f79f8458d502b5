-- The journal. Commits are never deleted, so the row id only grows and is the commit's place in the feed.
CREATE TABLE commits (
    position   INTEGER PRIMARY KEY,
    account    TEXT    NOT NULL,
    stream     TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    types      TEXT    NOT NULL, -- JSON array
    actor      TEXT    NOT NULL,
    request_id TEXT,
    trace_id   TEXT,
    at_ms      INTEGER NOT NULL,
    key_id     TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    UNIQUE (account, stream, version)
) STRICT;
CREATE INDEX commits_by_kind ON commits (kind, position);

CREATE TABLE claims (
    key           TEXT NOT NULL PRIMARY KEY,
    value         BLOB NOT NULL,
    expires_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_expiry ON claims (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE checkpoints (
    consumer TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Values can be large, so this table keeps its row ids: SQLite stores large rows badly without them.
CREATE TABLE records (
    partition     TEXT    NOT NULL,
    sort          TEXT    NOT NULL,
    value         BLOB    NOT NULL,
    version       INTEGER NOT NULL,
    indexes       TEXT, -- JSON array of [index, partition, sort], null when there are none
    expires_at_ms INTEGER,
    PRIMARY KEY (partition, sort)
) STRICT;
CREATE INDEX records_by_expiry ON records (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE record_indexes (
    idx           INTEGER NOT NULL,
    partition     TEXT    NOT NULL,
    sort          TEXT    NOT NULL,
    row_partition TEXT    NOT NULL,
    row_sort      TEXT    NOT NULL,
    PRIMARY KEY (idx, partition, sort, row_partition, row_sort)
) STRICT, WITHOUT ROWID;

-- A leased job is due again when its lease ends, so one column says when either happens.
CREATE TABLE jobs (
    queue    TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    payload  TEXT    NOT NULL,
    due_ms   INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease    TEXT,
    PRIMARY KEY (queue, id)
) STRICT;
CREATE INDEX jobs_by_due ON jobs (queue, due_ms);

CREATE TABLE dead_jobs (
    number   INTEGER PRIMARY KEY,
    queue    TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    payload  TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    UNIQUE (queue, id)
) STRICT;

-- The row of a destroyed key stays, without the key, so that its number is never given again.
CREATE TABLE data_keys (
    account TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    wrapped BLOB,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- One row: proves that a master key is the one that wraps this file's data keys.
CREATE TABLE master_key_check (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    hash BLOB NOT NULL
) STRICT;
