//! Pictures. First the file's own structure is walked through, to its end marker: dimensions, frames, what follows. Only
//! then is it decoded, with limits.

mod gif;
mod jpeg;
mod png;
mod webp;

use std::io::{BufRead, Cursor, ErrorKind, Read, Seek};

use image::{
    DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder, metadata::Orientation,
};

use crate::{
    Facts, MediaRefused, Mime,
    reader::{Reader, corrupt, unreadable},
};

pub use jpeg::{JPEG_SCANS_MAX, PROGRESSIVE_PIXELS_MAX};
pub(crate) use webp::frames_of_animation;

/// How many pixels a picture may have: what the cameras of phones take.
pub const PIXELS_MAX: u64 = 50_000_000;

/// How many pixels a side may have; also the limit of WebP.
pub const SIDE_MAX: u32 = 16_383;

/// How many bytes a decoder may use for a picture.
pub const DECODED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How many bytes may follow the end of a file, besides zeros.
pub const TRAILING_MAX: u64 = 16;

/// The longer side of a thumbnail, in pixels: what WhatsApp's own clients put into a message.
pub const THUMBNAIL_SIDE: u32 = 100;

/// Of 100. A thumbnail is seen for a moment, and blurred.
const THUMBNAIL_QUALITY: u8 = 60;

/// What the structure of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) animated: bool,
}

impl Shape {
    /// Dimensions within the limits; anything else is refused before it is decoded.
    fn within_limits(width: u32, height: u32) -> Result<Self, MediaRefused> {
        if width == 0 || height == 0 {
            return Err(corrupt("a picture without a pixel"));
        }
        if width > SIDE_MAX || height > SIDE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(MediaRefused::Bomb(format!(
                "{width} × {height} pixels; up to {PIXELS_MAX} are allowed, and {SIDE_MAX} on a side"
            )));
        }
        Ok(Self { width, height, animated: false })
    }
}

/// A picture in memory, not yet turned as the camera says.
pub(crate) struct Picture {
    pub(crate) image: DynamicImage,
    pub(crate) orientation: Orientation,
}

pub(crate) fn facts<R: Read + Seek>(mime: Mime, mut reader: Reader<R>) -> Result<Facts, MediaRefused> {
    let shape = shape(mime, &mut reader)?;
    let Picture { image, orientation } = decode(mime, reader.rewound()?)?;
    let (width, height) = match turns(orientation) {
        true => (image.height(), image.width()),
        false => (image.width(), image.height()),
    };
    Ok(Facts {
        width: Some(width),
        height: Some(height),
        thumbnail: Some(thumbnail(&image, orientation)?),
        animated: shape.animated,
        ..Facts::default()
    })
}

/// Walks through the file, to its end.
pub(crate) fn shape<R: Read + Seek>(mime: Mime, reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    let shape = match format(mime)? {
        ImageFormat::Png => png::shape(reader),
        ImageFormat::Gif => gif::shape(reader),
        ImageFormat::WebP => webp::shape(reader),
        _ => jpeg::shape(reader),
    }?;
    reader.expect_end()?;
    Ok(shape)
}

/// Decodes the (first) picture. Its dimensions were looked at before.
pub(crate) fn decode(mime: Mime, source: impl BufRead + Seek) -> Result<Picture, MediaRefused> {
    let mut reader = ImageReader::with_format(source, format(mime)?);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(refused)?;
    limits().reserve(decoder.total_bytes()).map_err(refused)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok(Picture { image, orientation })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    limits
}

fn format(mime: Mime) -> Result<ImageFormat, MediaRefused> {
    match mime.as_str() {
        "image/jpeg" => Ok(ImageFormat::Jpeg),
        "image/png" => Ok(ImageFormat::Png),
        "image/gif" => Ok(ImageFormat::Gif),
        "image/webp" => Ok(ImageFormat::WebP),
        other => Err(corrupt(format!("{other} is not a picture"))),
    }
}

pub(crate) fn refused(error: ImageError) -> MediaRefused {
    match error {
        ImageError::Limits(_) => MediaRefused::Bomb(format!(
            "decoding it takes more than {DECODED_BYTES_MAX} bytes, or more than {SIDE_MAX} pixels on a side"
        )),
        ImageError::IoError(error) => match error.kind() {
            ErrorKind::UnexpectedEof => {
                MediaRefused::Truncated("the picture ends before its last pixel".to_owned())
            },
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => corrupt(error.to_string()),
            _ => unreadable(error),
        },
        error => corrupt(error.to_string()),
    }
}

fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// On white, because JPEG knows no transparency.
fn thumbnail(image: &DynamicImage, orientation: Orientation) -> Result<Vec<u8>, MediaRefused> {
    let side = |own: u32| own.min(THUMBNAIL_SIDE);
    let longer = image.width().max(image.height());
    let mut small = match longer > THUMBNAIL_SIDE {
        true => image.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        false => image.thumbnail_exact(side(image.width()), side(image.height())),
    };
    small.apply_orientation(orientation);
    let small = small.to_rgba8();
    let on_white = RgbImage::from_fn(small.width(), small.height(), |x, y| {
        let [red, green, blue, alpha] = small.get_pixel(x, y).0.map(u32::from);
        Rgb([red, green, blue].map(|part| ((part * alpha + 255 * (255 - alpha)) / 255) as u8))
    });
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY)
        .write_image(&on_white, on_white.width(), on_white.height(), image::ExtendedColorType::Rgb8)
        .map_err(refused)?;
    Ok(jpeg.into_inner())
}
