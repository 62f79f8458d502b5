//! What the bytes of media files say, and which of them may go to WhatsApp.
//!
//! Pure and synchronous. The way of a file:
//!
//! 1. [`examine`] takes the first [`HEAD_BYTES`] and the size, and says what the file is, whatever the request says.
//! 2. [`inspect`] looks into the file as a whole: is it whole, how large is the picture, how long does it play?
//! 3. [`sticker`] makes a sticker of what is to be one.
//!
//! Files come from strangers. Nothing here trusts a number that a file states: every length is held against the size of the
//! file, every picture against [`PIXELS_MAX`] before it is decoded. Only pictures are in memory as a whole.

mod examine;
mod inspect;
mod kind;
mod mime;
mod movie;
mod picture;
mod reader;
mod refused;
mod sound;
mod sticker;

pub use examine::{HEAD_BYTES, examine};
pub use inspect::{Facts, inspect};
pub use kind::Kind;
pub use mime::Mime;
pub use movie::{BOXES_MAX, TRACKS_MAX};
pub use picture::{
    DECODED_BYTES_MAX, JPEG_SCANS_MAX, PIXELS_MAX, PROGRESSIVE_PIXELS_MAX, SIDE_MAX, THUMBNAIL_SIDE,
    TRAILING_MAX,
};
pub use refused::MediaRefused;
pub use sound::{OGG_PACKETS_MAX, OGG_PAGES_MAX, WAVEFORM_VALUES};
pub use sticker::{STICKER_FRAMES_MAX, STICKER_SIDE, Sticker, sticker};
