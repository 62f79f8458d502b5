//! All kinds of messages, both ways: what a person writes on a phone, and what is in a message that a phone got.

mod compose;
mod fields;
mod find;
mod names;
mod new_message;
mod secrets;

use sha2::{Digest, Sha256};

pub(crate) use compose::compose;
pub(crate) use fields::of as fields;
pub(crate) use find::{Place, kept};
pub use new_message::{NewContact, NewFile, NewMessage, NewPreview, NewSpot};

/// How a vote names an option of a poll.
fn option_hash(option: &str) -> Vec<u8> {
    Sha256::digest(option.as_bytes()).to_vec()
}
