//! The engine of the standalone shape: one SQLite file, one key file, one locked folder.
//!
//! Every write goes through one thread that commits in groups: whatever waits when it looks up becomes one transaction
//! with one sync, and all of it is answered afterwards. Reads run on their own connections and see every write that
//! was answered before they began.
//!
//! ```text
//! DIR/waxwing.db     commits, claims, checkpoints, records, the index of words, jobs, wrapped data keys
//! DIR/master.key     the key that wraps the data keys (mode 0600); beside it, while it is rotated, master.key.new
//! DIR/waxwing.lock   held by the one process that uses the folder; says which
//! ```

mod codec;
mod engine;
mod failure;
mod feed;
mod folder_lock;
mod journal;
mod keyring;
mod log;
mod master_key;
mod open_error;
mod readers;
mod records;
mod schema;
mod search;
mod secrets;
mod signals;
mod store;
mod sweep;
mod work;
mod writer;

pub use engine::{Engine, OpenOptions, is_installed};
pub use folder_lock::Holder;
pub use keyring::{RotatedMasterKey, rotate_master_key};
pub use open_error::OpenError;
