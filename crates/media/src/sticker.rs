use std::io::{BufRead, Cursor, Read, Seek};

use image::{DynamicImage, RgbaImage, codecs::webp::WebPEncoder, imageops};

use crate::{
    Kind, MediaRefused, Mime,
    picture::{self, Picture, Shape, refused},
    reader::{Reader, unreadable},
};

/// How many pixels a sticker has on each side. WhatsApp's apps show no other
/// (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media>).
pub const STICKER_SIDE: u32 = 512;

/// How many frames a moving sticker may have: ten seconds, the longest that WhatsApp shows, at 30 a second.
pub const STICKER_FRAMES_MAX: usize = 300;

/// How large the picture is drawn on the sticker, the first that fits: what cannot be compressed is drawn smaller.
const SIDES: [u32; 4] = [STICKER_SIDE, 448, 384, 320];

/// A WebP that WhatsApp shows as a sticker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticker {
    /// The file: 512 × 512 pixels, 1 MiB at most.
    pub webp: Vec<u8>,
    /// True for one that moves.
    pub animated: bool,
}

/// Makes a sticker of a PNG, JPEG or WebP: scaled to fit, in the middle of a transparent square. A WebP that is one already
/// stays as it is; a moving one has to be.
pub fn sticker<R: Read + Seek>(mime: Mime, source: R) -> Result<Sticker, MediaRefused> {
    let mut reader = Reader::new(source, Kind::Sticker)?;
    if !Kind::Sticker.takes(mime) {
        return Err(MediaRefused::TypeNotAllowed { kind: Kind::Sticker, found: mime });
    }
    let shape = picture::shape(mime, &mut reader)?;
    let mut source = reader.rewound()?;
    let is_webp = mime.as_str() == "image/webp";
    let is_square = (shape.width, shape.height) == (STICKER_SIDE, STICKER_SIDE);
    if shape.animated && is_webp {
        return moving(shape, is_square, source);
    }
    let Picture { image, orientation } = picture::decode(mime, &mut source)?;
    if is_webp && is_square {
        return Ok(Sticker { webp: all(source)?, animated: false });
    }
    let mut image = shrunk(image);
    image.apply_orientation(orientation);
    for side in SIDES {
        let webp = drawn(&image, side)?;
        if webp.len() as u64 <= Kind::Sticker.size_max() {
            return Ok(Sticker { webp, animated: false });
        }
    }
    Err(MediaRefused::NoSticker(format!("it takes more than {} bytes", Kind::Sticker.size_max())))
}

fn moving(shape: Shape, is_square: bool, mut source: impl BufRead + Seek) -> Result<Sticker, MediaRefused> {
    if !is_square {
        return Err(MediaRefused::NoSticker(format!(
            "an animation has to be {STICKER_SIDE} × {STICKER_SIDE} pixels, and this one is {} × {}",
            shape.width, shape.height
        )));
    }
    picture::frames_of_animation(&mut source, STICKER_FRAMES_MAX)?;
    Ok(Sticker { webp: all(source)?, animated: true })
}

/// The file itself, of which the limit is known to hold.
fn all(mut source: impl Read + Seek) -> Result<Vec<u8>, MediaRefused> {
    let mut bytes = Vec::new();
    source.rewind().map_err(unreadable)?;
    source.take(Kind::Sticker.size_max()).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Roughly down to twice what is needed. The filter that is used afterwards is slow.
fn shrunk(image: DynamicImage) -> DynamicImage {
    match image.width().max(image.height()) > 2 * STICKER_SIDE {
        true => image.thumbnail(2 * STICKER_SIDE, 2 * STICKER_SIDE),
        false => image,
    }
}

fn drawn(image: &DynamicImage, side: u32) -> Result<Vec<u8>, MediaRefused> {
    let scaled = image.resize(side, side, imageops::FilterType::Lanczos3).to_rgba8();
    let mut canvas = RgbaImage::new(STICKER_SIDE, STICKER_SIDE);
    let middle = |length: u32| i64::from((STICKER_SIDE - length.min(STICKER_SIDE)) / 2);
    imageops::replace(&mut canvas, &scaled, middle(scaled.width()), middle(scaled.height()));
    let mut webp = Cursor::new(Vec::new());
    WebPEncoder::new_lossless(&mut webp)
        .encode(&canvas, STICKER_SIDE, STICKER_SIDE, image::ExtendedColorType::Rgba8)
        .map_err(refused)?;
    Ok(webp.into_inner())
}
