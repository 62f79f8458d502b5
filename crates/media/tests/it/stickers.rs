//! Stickers, made of pictures and given.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Rgba, RgbaImage};
use waxwing_media::{
    HEAD_BYTES, Kind, MediaRefused, STICKER_FRAMES_MAX, STICKER_SIDE, Sticker, examine, sticker,
};

use crate::make;

fn made(file: &[u8]) -> Result<Sticker, MediaRefused> {
    let head = &file[..file.len().min(HEAD_BYTES)];
    let mime = examine(None, Kind::Sticker, head, file.len() as u64)?;
    sticker(mime, Cursor::new(file))
}

fn decoded(webp: &[u8]) -> DynamicImage {
    assert!(webp.len() as u64 <= Kind::Sticker.size_max());
    assert_eq!(examine(None, Kind::Sticker, webp, webp.len() as u64).unwrap().as_str(), "image/webp");
    let image = ImageReader::with_format(Cursor::new(webp), ImageFormat::WebP).decode().unwrap();
    assert_eq!((image.width(), image.height()), (STICKER_SIDE, STICKER_SIDE));
    image
}

#[test]
fn pictures_become_stickers() {
    for (width, height) in [(300, 200), (1, 1), (512, 512), (2000, 100), (40, 700)] {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let made = made(&make::encoded(&make::picture(width, height), format)).unwrap();
            assert!(!made.animated);
            decoded(&made.webp);
        }
    }
}

#[test]
fn a_picture_stands_in_the_middle_of_a_transparent_square() {
    let red = RgbaImage::from_pixel(200, 100, Rgba([255, 0, 0, 255]));
    let made = made(&make::encoded(&red.into(), ImageFormat::Png)).unwrap();
    let sticker = decoded(&made.webp).to_rgba8();
    let pixels = [(256, 0), (256, 127), (0, 130), (256, 256), (511, 380), (256, 385), (256, 511)];
    let alphas = pixels.map(|(x, y)| sticker.get_pixel(x, y).0[3]);
    assert_eq!(alphas, [0, 0, 255, 255, 255, 0, 0]);
    assert_eq!(sticker.get_pixel(256, 256).0, [255, 0, 0, 255]);
}

#[test]
fn what_cannot_be_compressed_is_drawn_smaller() {
    // Noise that a PNG says once and repeats eight times in each row, and our encoder of WebP does not.
    let tile = make::noise(64, STICKER_SIDE).to_rgba8();
    let rows = tile.as_raw().chunks(64 * 4);
    let pixels: Vec<u8> = rows.flat_map(|row| [vec![0], row.repeat(8)].concat()).collect();
    let made = made(&make::png(STICKER_SIDE, STICKER_SIDE, 8, &pixels)).unwrap();
    let sticker = decoded(&made.webp).to_rgba8();
    let drawn = |pixels: std::ops::Range<u32>| pixels.filter(|x| sticker.get_pixel(*x, 256).0[3] > 0).count();
    assert_eq!(drawn(0..30), 0);
    assert!(drawn(100..400) > 250);
}

#[test]
fn a_sticker_stays_as_it_is() {
    let webp = make::encoded(&make::picture(STICKER_SIDE, STICKER_SIDE), ImageFormat::WebP);
    assert_eq!(made(&webp), Ok(Sticker { webp, animated: false }));
    let moving = make::moving_webp(STICKER_SIDE, 3);
    assert_eq!(made(&moving), Ok(Sticker { webp: moving, animated: true }));
}

#[test]
fn an_animation_of_another_size_or_of_too_many_frames_is_refused() {
    let refused = made(&make::moving_webp(100, 3)).unwrap_err();
    assert_eq!(refused.code(), "media_no_sticker");
    assert!(
        refused.to_string().contains("512 × 512") && refused.to_string().contains("100 × 100"),
        "{refused}"
    );
    let mut frame = made_of_one_pixel();
    frame.splice(24..30, [0xFF, 0x01, 0, 0xFF, 0x01, 0]);
    let frames = frame.split_off(44).repeat(STICKER_FRAMES_MAX + 1);
    frame.extend(frames);
    let size = (frame.len() as u32 - 8).to_le_bytes();
    frame.splice(4..8, size);
    assert_eq!(made(&frame).unwrap_err().code(), "media_bomb");
}

/// An animation whose frame is small, whatever its canvas.
fn made_of_one_pixel() -> Vec<u8> {
    make::moving_webp(1, 1)
}

#[test]
fn what_is_no_whole_picture_is_no_sticker() {
    let webp = make::encoded(&make::picture(STICKER_SIDE, STICKER_SIDE), ImageFormat::WebP);
    let moving = make::moving_webp(STICKER_SIDE, 3);
    let mut damaged = moving.clone();
    let last = damaged.windows(4).rposition(|four| four == b"VP8L").unwrap();
    damaged[last..last + 4].copy_from_slice(b"VP9 ");
    let large = make::encoded(&make::noise(600, 600), ImageFormat::Png);
    for (file, expected) in [
        (&webp[..webp.len() - 10], "media_truncated"),
        (&moving[..moving.len() - 10], "media_truncated"),
        (&damaged, "media_corrupt"),
        (&[&webp[..], &make::zip()].concat(), "media_trailing_data"),
        (&make::png(60_000, 60_000, 8, &[0; 100]), "media_bomb"),
        (&make::gif(512, 512, 3), "media_type_not_allowed"),
        (&large, "media_too_large"),
    ] {
        assert_eq!(made(file).unwrap_err().code(), expected);
    }
}
