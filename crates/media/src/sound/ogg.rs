//! Ogg: pages with their checksums, and where packets begin (RFC 3533).

use std::io::{Read, Seek};

use crate::{
    MediaRefused,
    reader::{Reader, corrupt},
};

/// How many pages a file may have: almost three hours with one packet of 20 ms in each, and days as recorders write them.
pub const OGG_PAGES_MAX: usize = 500_000;

/// How many packets a file may have: more than five hours of 20 ms each.
pub const OGG_PACKETS_MAX: usize = 1_000_000;

/// How much of a packet is kept: enough for the header of Opus.
const BEGIN: usize = 19;

/// A packet, without most of its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Packet {
    pub(super) begin: [u8; BEGIN],
    pub(super) length: usize,
}

/// Gives each packet to `take`, and the last granule position at the end, if any page has one.
pub(super) fn packets<R: Read + Seek>(
    reader: &mut Reader<R>,
    mut take: impl FnMut(Packet) -> Result<(), MediaRefused>,
) -> Result<Option<u64>, MediaRefused> {
    let (mut serial, mut granule, mut ended) = (None, None, false);
    let (mut pages, mut packets) = (0, 0);
    let mut open: Option<Packet> = None;
    let mut page = Vec::new();
    while reader.left() > 0 {
        if ended && !reader.is_next(b"OggS")? {
            reader.expect_end()?;
            break;
        }
        pages += 1;
        if pages > OGG_PAGES_MAX {
            return Err(MediaRefused::Bomb(format!("an Ogg of more than {OGG_PAGES_MAX} pages")));
        }
        let header = read_page(reader, &mut page)?;
        if *serial.get_or_insert(header.serial) != header.serial || ended {
            return Err(corrupt("an Ogg with more than one stream"));
        }
        if header.continues != open.is_some() {
            return Err(corrupt("an Ogg with a page that is missing"));
        }
        granule = header.granule.or(granule);
        ended = header.ends;
        let (laces, mut body) = page[PAGE_HEADER..].split_at(header.laces);
        for lace in laces {
            let packet = open.get_or_insert_default();
            let (piece, rest) = body.split_at(usize::from(*lace));
            body = rest;
            let known = packet.length.min(BEGIN);
            let more = piece.len().min(BEGIN - known);
            packet.begin[known..known + more].copy_from_slice(&piece[..more]);
            packet.length += piece.len();
            if *lace < 255 {
                packets += 1;
                if packets > OGG_PACKETS_MAX {
                    return Err(MediaRefused::Bomb(format!("an Ogg of more than {OGG_PACKETS_MAX} packets")));
                }
                take(std::mem::take(packet))?;
                open = None;
            }
        }
    }
    match open {
        Some(_) => Err(MediaRefused::Truncated("an Ogg that ends within a packet".to_owned())),
        None => Ok(granule),
    }
}

struct Page {
    continues: bool,
    ends: bool,
    granule: Option<u64>,
    serial: [u8; 4],
    laces: usize,
}

const PAGE_HEADER: usize = 27;

/// Reads a page as a whole, 65,307 bytes at most, and its checksum.
fn read_page<R: Read + Seek>(reader: &mut Reader<R>, page: &mut Vec<u8>) -> Result<Page, MediaRefused> {
    let begin = reader.at();
    let header: [u8; PAGE_HEADER] = reader.take()?;
    if !header.starts_with(b"OggS\0") {
        return Err(corrupt(format!("no Ogg page at byte {begin}")));
    }
    let laces = usize::from(header[26]);
    page.clear();
    page.extend_from_slice(&header);
    page.resize(PAGE_HEADER + laces, 0);
    reader.fill(&mut page[PAGE_HEADER..])?;
    let body: usize = page[PAGE_HEADER..].iter().map(|lace| usize::from(*lace)).sum();
    page.resize(PAGE_HEADER + laces + body, 0);
    reader.fill(&mut page[PAGE_HEADER + laces..])?;
    let stated = u32::from_le_bytes([header[22], header[23], header[24], header[25]]);
    page[22..26].fill(0);
    if checksum(page) != stated {
        return Err(corrupt(format!("the Ogg page at byte {begin} has a wrong checksum")));
    }
    let granule = u64::from_le_bytes(std::array::from_fn(|at| header[6 + at]));
    Ok(Page {
        continues: header[5] & 1 != 0,
        ends: header[5] & 4 != 0,
        granule: (granule != u64::MAX).then_some(granule),
        serial: [header[14], header[15], header[16], header[17]],
        laces,
    })
}

/// CRC-32 as Ogg has it: the usual polynomial, most significant bit first, without a final turn.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};
