//! Pictures, whole, cut off, damaged, too large, and with something behind them.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, codecs::jpeg::JpegEncoder};
use waxwing_media::{JPEG_SCANS_MAX, Kind, MediaRefused, PIXELS_MAX, PROGRESSIVE_PIXELS_MAX, THUMBNAIL_SIDE};

use crate::{code, look, make};

fn all_formats() -> [(ImageFormat, Vec<u8>); 4] {
    let picture = make::picture(300, 200);
    [
        (ImageFormat::Jpeg, make::encoded(&picture, ImageFormat::Jpeg)),
        (ImageFormat::Png, make::encoded(&picture, ImageFormat::Png)),
        (ImageFormat::WebP, make::encoded(&picture, ImageFormat::WebP)),
        (ImageFormat::Gif, make::gif(300, 200, 2)),
    ]
}

#[test]
fn a_whole_picture_has_dimensions_and_a_thumbnail() {
    for (format, file) in all_formats() {
        let (mime, facts) = look(Kind::Image, &file).unwrap();
        assert_eq!(mime.as_str(), format.to_mime_type());
        assert_eq!((facts.width, facts.height), (Some(300), Some(200)), "{format:?}");
        assert_eq!(facts.animated, format == ImageFormat::Gif);
        let thumbnail = facts.thumbnail.unwrap();
        assert!(thumbnail.len() < 8 * 1024, "{format:?}: {}", thumbnail.len());
        let small = ImageReader::with_format(Cursor::new(thumbnail), ImageFormat::Jpeg).decode().unwrap();
        assert_eq!((small.width(), small.height()), (THUMBNAIL_SIDE, 67), "{format:?}");
    }
    let worst = make::encoded(&make::noise(100, 100), ImageFormat::Png);
    assert!(look(Kind::Image, &worst).unwrap().1.thumbnail.unwrap().len() < 12 * 1024);
}

#[test]
fn a_small_picture_is_not_enlarged_and_transparency_becomes_white() {
    let clear = make::encoded(&image::RgbaImage::new(3, 2).into(), ImageFormat::Png);
    let thumbnail = look(Kind::Image, &clear).unwrap().1.thumbnail.unwrap();
    let small = ImageReader::with_format(Cursor::new(thumbnail), ImageFormat::Jpeg).decode().unwrap();
    assert_eq!((small.width(), small.height()), (3, 2));
    assert!(small.to_rgb8().pixels().all(|pixel| pixel.0.iter().all(|part| *part > 250)));
}

#[test]
fn a_picture_is_turned_as_the_camera_says() {
    let mut file = Vec::new();
    let picture = make::picture(300, 200).to_rgb8();
    let mut encoder = JpegEncoder::new(&mut file);
    // TIFF, little endian, one entry: orientation 6, turned by a quarter.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&picture, 300, 200, ExtendedColorType::Rgb8).unwrap();
    let facts = look(Kind::Image, &file).unwrap().1;
    assert_eq!((facts.width, facts.height), (Some(200), Some(300)));
    let thumbnail = Cursor::new(facts.thumbnail.unwrap());
    let small = ImageReader::with_format(thumbnail, ImageFormat::Jpeg).decode().unwrap();
    assert_eq!((small.width(), small.height()), (67, 100));
}

#[test]
fn a_picture_that_is_cut_off_is_refused_wherever_it_is_cut() {
    for (format, file) in all_formats() {
        for end in [file.len() - 1, file.len() - 2, file.len() * 3 / 4, file.len() / 2, file.len() / 10] {
            assert_eq!(code(Kind::Image, &file[..end]), "media_truncated", "{format:?} at {end}");
        }
    }
}

#[test]
fn a_damaged_picture_is_refused() {
    for (format, file) in all_formats() {
        let mut damaged = file.clone();
        // A marker, a block, how long a chunk is, and the pixels of a PNG.
        match format {
            ImageFormat::Jpeg => damaged[20] = 0,
            ImageFormat::Gif => {
                let block = file.windows(3).position(|three| three == [0x21, 0xF9, 4]).unwrap();
                damaged[block] = 0x22;
            },
            ImageFormat::WebP => damaged[16..20].fill(0x7F),
            _ => {
                let middle = damaged.len() / 2;
                damaged[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xA5);
            },
        }
        assert_eq!(code(Kind::Image, &damaged), "media_corrupt", "{format:?}");
    }
}

#[test]
fn dimensions_beyond_the_limits_are_refused_before_they_are_decoded() {
    let png = make::png(60_000, 60_000, 8, &[0; 100]);
    let mut jpeg = make::encoded(&make::picture(30, 20), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xFF);
    let mut gif = make::gif(30, 20, 1);
    gif[6..10].fill(0xFF);
    let mut webp = make::moving_webp(32, 2);
    webp[24..30].fill(0xFF);
    let mut lossless = make::encoded(&make::picture(30, 20), ImageFormat::WebP);
    lossless[21..25].copy_from_slice(&(0x3FFF_u32 | (0x3FFF << 14)).to_le_bytes());
    for file in [png, jpeg, gif, webp, lossless, make::png(7100, 7100, 8, &[0; 100])] {
        let refused = look(Kind::Image, &file).unwrap_err();
        assert_eq!(refused.code(), "media_bomb", "{refused}");
        assert!(refused.to_string().contains(&PIXELS_MAX.to_string()), "{refused}");
    }
}

#[test]
fn a_progressive_jpeg_has_a_lower_limit() {
    let mut jpeg = make::encoded(&make::picture(30, 20), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 1] = 0xC2;
    // 6,400 on each side.
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x19, 0, 0x19, 0]);
    let refused = look(Kind::Image, &jpeg).unwrap_err();
    let limit = PROGRESSIVE_PIXELS_MAX.to_string();
    assert!(matches!(&refused, MediaRefused::Bomb(why) if why.contains(&limit)), "{refused}");
}

#[test]
fn what_unfolds_to_more_than_its_dimensions_allow_is_refused() {
    // 64 MB of zeros for one pixel.
    let bomb = make::png(1, 1, 8, &vec![0; 64_000_000]);
    assert!(bomb.len() < 100_000);
    let refused = look(Kind::Image, &bomb).unwrap_err();
    assert!(matches!(&refused, MediaRefused::Bomb(why) if why.contains("dimensions")), "{refused}");
    // Within the limit of pixels, and 16 bits for each color of them: too much for the decoder.
    let deep = make::png(7000, 7000, 16, &[0; 100]);
    let refused = look(Kind::Image, &deep).unwrap_err();
    assert!(matches!(&refused, MediaRefused::Bomb(why) if why.contains("decoding")), "{refused}");
}

#[test]
fn a_jpeg_of_too_many_scans_is_refused() {
    let jpeg = make::encoded(&make::picture(30, 20), ImageFormat::Jpeg);
    let scan = jpeg.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
    let (before, scan) = (&jpeg[..scan], &jpeg[scan..jpeg.len() - 2]);
    let many = [before, &scan.repeat(JPEG_SCANS_MAX as usize + 1), &[0xFF, 0xD9]].concat();
    assert_eq!(code(Kind::Image, &many), "media_bomb");
}

#[test]
fn a_picture_that_goes_on_as_something_else_is_refused() {
    let page = b"<html><script>alert(document.domain)</script></html>".to_vec();
    for (format, file) in all_formats() {
        for behind in [make::zip(), page.clone(), [vec![0; 3000], make::zip()].concat()] {
            let refused = look(Kind::Image, &[&file[..], &behind].concat()).unwrap_err();
            let zeros = behind.iter().take_while(|byte| **byte == 0).count();
            let bytes = (behind.len() - zeros) as u64;
            assert_eq!(refused, MediaRefused::TrailingData { bytes }, "{format:?}");
        }
        for harmless in [&b"\r\n"[..], &[0; 5000]] {
            assert_eq!(code(Kind::Image, &[&file[..], harmless].concat()), "", "{format:?}");
        }
    }
}

#[test]
fn phones_append_further_pictures() {
    let jpeg = make::encoded(&make::picture(300, 200), ImageFormat::Jpeg);
    let two = [&jpeg[..], &[0; 40], &jpeg].concat();
    assert_eq!(look(Kind::Image, &two).unwrap().1.width, Some(300));
    assert_eq!(code(Kind::Image, &two[..two.len() - 2]), "media_truncated");
    assert_eq!(code(Kind::Image, &[two, make::zip()].concat()), "media_trailing_data");
}
