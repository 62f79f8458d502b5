//! Sound: how long it plays and, of voice notes, how loud it is.

mod mp3;
mod ogg;
mod opus;
mod wav;

pub(crate) use mp3::mp3;
pub(crate) use opus::ogg_opus;
pub(crate) use wav::wav;

pub use ogg::{OGG_PACKETS_MAX, OGG_PAGES_MAX};
pub use opus::WAVEFORM_VALUES;
