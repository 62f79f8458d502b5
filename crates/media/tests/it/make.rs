//! Files, made by the libraries that read them or by hand.

use std::io::{Cursor, Write};

use flate2::{Compression, Crc, write::ZlibEncoder};
use image::{Delay, DynamicImage, Frame, ImageFormat, Rgba, RgbaImage, codecs::gif::GifEncoder};

/// A picture that does not compress to nothing.
pub(crate) fn picture(width: u32, height: u32) -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgba([(x * 7) as u8, (y * 5) as u8, (x ^ y) as u8, 255 - (x % 200) as u8]);
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, pixel))
}

/// A picture that no encoder makes smaller.
pub(crate) fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 0x2545_F491_u32;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, |_, _| Rgba([byte(), byte(), byte(), byte()])))
}

pub(crate) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let image = match format {
        ImageFormat::Jpeg => DynamicImage::ImageRgb8(image.to_rgb8()),
        _ => image.clone(),
    };
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(crate) fn gif(width: u32, height: u32, frames: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let frame =
        Frame::from_parts(picture(width, height).to_rgba8(), 0, 0, Delay::from_numer_denom_ms(100, 1));
    GifEncoder::new(&mut file).encode_frames(vec![frame; frames]).unwrap();
    file
}

/// A WebP that moves: the frames of still ones in a container (RFC 9649, section 2.7).
pub(crate) fn moving_webp(side: u32, frames: usize) -> Vec<u8> {
    let still = encoded(&picture(side, side), ImageFormat::WebP);
    let three = |number: u32| number.to_le_bytes()[..3].to_vec();
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let mut chunk = [&name[..], &(body.len() as u32).to_le_bytes(), body].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let size = [three(side - 1), three(side - 1)].concat();
    let mut body = b"WEBP".to_vec();
    body.extend(chunk(b"VP8X", &[&[0x12, 0, 0, 0][..], &size].concat()));
    body.extend(chunk(b"ANIM", &[0; 6]));
    for _ in 0..frames {
        let frame = [&three(0)[..], &three(0), &size, &three(100), &[0], &still[12..]].concat();
        body.extend(chunk(b"ANMF", &frame));
    }
    chunk(b"RIFF", &body)
}

pub(crate) fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

/// An RGBA PNG whose pixels are these bytes, compressed, whatever its header says.
pub(crate) fn png(width: u32, height: u32, depth: u8, pixels: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(pixels).unwrap();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, 6, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        png_chunk(b"IHDR", &header),
        png_chunk(b"IDAT", &zlib.finish().unwrap()),
        png_chunk(b"IEND", b""),
    ]
    .concat()
}

/// A ZIP with one empty file in it.
pub(crate) fn zip() -> Vec<u8> {
    let mut zip = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a".to_vec();
    zip.extend(b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a");
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x1f\0\0\0\0\0");
    zip
}

fn mp4_box(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(8 + body.len() as u32).to_be_bytes()[..], name, body].concat()
}

fn track(handler: &[u8; 4], width: u32, height: u32, turned: bool) -> Vec<u8> {
    let one = 0x0001_0000_u32.to_be_bytes();
    let minus = (-0x0001_0000_i32).to_be_bytes();
    let [none, whole] = [[0; 4], 0x4000_0000_u32.to_be_bytes()];
    let matrix = match turned {
        true => [none, one, none, minus, none, none, none, none, whole],
        false => [one, none, none, none, one, none, none, none, whole],
    };
    let sides = [(width << 16).to_be_bytes(), (height << 16).to_be_bytes()];
    let header = [&[0; 40][..], &matrix.concat(), &sides.concat()].concat();
    let handler = [&[0; 8][..], handler, &[0; 13]].concat();
    mp4_box(b"trak", &[mp4_box(b"tkhd", &header), mp4_box(b"mdia", &mp4_box(b"hdlr", &handler))].concat())
}

/// Which tracks a film has.
#[derive(Clone, Copy)]
pub(crate) struct Film {
    pub(crate) brand: &'static [u8; 4],
    pub(crate) picture: Option<(u32, u32)>,
    pub(crate) turned: bool,
    pub(crate) sound: bool,
    pub(crate) milliseconds: u32,
}

pub(crate) const FILM: Film =
    Film { brand: b"isom", picture: Some((640, 360)), turned: false, sound: true, milliseconds: 12_340 };

pub(crate) fn mp4(film: Film) -> Vec<u8> {
    let header = [&[0; 12][..], &1000_u32.to_be_bytes(), &film.milliseconds.to_be_bytes(), &[0; 80]].concat();
    let mut movie = mp4_box(b"mvhd", &header);
    if let Some((width, height)) = film.picture {
        movie.extend(track(b"vide", width, height, film.turned));
    }
    if film.sound {
        movie.extend(track(b"soun", 0, 0, false));
    }
    [
        mp4_box(b"ftyp", &[&film.brand[..], &[0; 4], film.brand].concat()),
        mp4_box(b"moov", &movie),
        mp4_box(b"mdat", &[9; 2000]),
    ]
    .concat()
}

/// A page of Ogg with whole packets.
pub(crate) fn ogg_page(number: u32, flags: u8, granule: u64, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut laces = Vec::new();
    for packet in packets {
        laces.extend(vec![255; packet.len() / 255]);
        laces.push((packet.len() % 255) as u8);
    }
    let mut page = [
        &b"OggS\0"[..],
        &[flags],
        &granule.to_le_bytes(),
        &7_u32.to_le_bytes(),
        &number.to_le_bytes(),
        &[0; 4],
        &[u8::try_from(laces.len()).unwrap()],
        &laces,
        &packets.concat(),
    ]
    .concat();
    let sum = page.iter().fold(0_u32, |sum, byte| {
        let mut sum = sum ^ (u32::from(*byte) << 24);
        for _ in 0..8 {
            sum = if sum >> 31 == 1 { (sum << 1) ^ 0x04C1_1DB7 } else { sum << 1 };
        }
        sum
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

/// A voice note of packets of 20 ms (one CELT frame each) and these sizes, 50 to a page.
pub(crate) fn voice(sizes: &[usize]) -> Vec<u8> {
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0".to_vec();
    let tags = b"OpusTags\0\0\0\0\0\0\0\0".to_vec();
    let mut file = [ogg_page(0, 2, 0, &[head]), ogg_page(1, 0, 0, &[tags])].concat();
    let pages = sizes.chunks(50);
    let last = pages.len() - 1;
    let mut granule = 0;
    for (number, sizes) in pages.enumerate() {
        let packets: Vec<Vec<u8>> = sizes
            .iter()
            .map(|size| {
                let mut packet = vec![0x55; *size];
                packet[0] = 31 << 3;
                packet
            })
            .collect();
        granule += 960 * sizes.len() as u64;
        let flags = if number == last { 4 } else { 0 };
        file.extend(ogg_page(2 + number as u32, flags, granule, &packets));
    }
    file
}

/// Frames of silence, 128 kbit/s at 44.1 kHz.
pub(crate) fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x00]);
    frame.repeat(frames)
}

pub(crate) fn wav(bytes_per_s: u32, length: u32) -> Vec<u8> {
    let format = [
        &1_u16.to_le_bytes()[..],
        &[1, 0],
        &8000_u32.to_le_bytes(),
        &bytes_per_s.to_le_bytes(),
        &[2, 0, 16, 0],
    ]
    .concat();
    let data = vec![0; length as usize];
    let size = (4 + 8 + 16 + 8 + length).to_le_bytes();
    [&b"RIFF"[..], &size, b"WAVEfmt ", &16_u32.to_le_bytes(), &format, b"data", &length.to_le_bytes(), &data]
        .concat()
}

pub(crate) const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n";
