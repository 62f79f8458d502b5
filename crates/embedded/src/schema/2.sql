-- One row: what keyed hashes are derived from, wrapped by the master key and the same for ever. In a database that was made
-- before this table it is missing until the master key is rotated: there the first master key is also this root.
CREATE TABLE hash_root (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    wrapped BLOB NOT NULL
) STRICT;
