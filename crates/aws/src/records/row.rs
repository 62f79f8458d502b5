//! How a row looks as an item.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use jiff::Timestamp;
use waxwing_app::ports::{IndexEntry, Key, PortError, Row};

use crate::{
    failure::refused,
    item::{EXPIRES_MS, Item, Reader, check_size, number, put_bytes, put_end, text},
};

pub(super) const PARTITION: &str = "pk";
pub(super) const SORT: &str = "sk";
const VERSION: &str = "v";
pub(super) const VALUE: &str = "val";
/// Stands in no key.
const SEPARATOR: char = '\u{1f}';
/// There when the value is compressed.
const DEFLATED: &str = "z";

/// Most bytes of a value, as the port says.
const VALUE_LIMIT_BYTES: usize = 512 << 10;
/// A value beyond this may cost a second write unit, with what else a row is made of. It is compressed, where that helps.
const COMPRESSED_ABOVE_BYTES: usize = 512;
/// The table declares this many indexes.
pub(super) const INDEXES: std::ops::RangeInclusive<u8> = 1..=3;

/// Names of an index and of its two attributes.
pub(super) fn index_names(index: u8) -> (String, String, String) {
    (format!("index{index}"), format!("i{index}p"), format!("i{index}s"))
}

/// The row as an item.
pub(super) fn write(row: &Row) -> Result<Item, PortError> {
    if row.value.len() > VALUE_LIMIT_BYTES {
        return Err(refused("a row's value is larger than 512 KiB"));
    }
    let mut item = key(&row.key);
    item.insert(VERSION.to_owned(), number(row.version));
    let deflated = (row.value.len() > COMPRESSED_ABOVE_BYTES).then(|| deflate(&row.value));
    match deflated.filter(|deflated| deflated.len() < row.value.len()) {
        Some(deflated) => {
            put_bytes(&mut item, VALUE, deflated);
            item.insert(DEFLATED.to_owned(), number(1));
        },
        None => put_bytes(&mut item, VALUE, row.value.clone()),
    }
    put_end(&mut item, row.expires_at);
    for IndexEntry { index, partition, sort } in &row.indexes {
        if !INDEXES.contains(index) {
            return Err(refused("there are indexes 1, 2 and 3"));
        }
        let (_, partition_name, sort_name) = index_names(*index);
        if item.insert(partition_name, text(partition)).is_some() {
            return Err(refused("a row stands twice in one index"));
        }
        item.insert(sort_name, text(sort));
    }
    check_size("the row", &item)?;
    Ok(item)
}

/// The item's key alone.
pub(super) fn key(key: &Key) -> Item {
    Item::from([(PARTITION.to_owned(), text(&key.partition)), (SORT.to_owned(), text(&key.sort))])
}

/// The key of an item, which may hold nothing else.
pub(super) fn read_key(item: &Item) -> Result<Key, PortError> {
    let reader = Reader { what: "a row", item };
    Ok(Key::new(reader.text(PARTITION)?, reader.text(SORT)?))
}

/// How the key of an item is kept between two pages of a scan.
pub(super) fn position(item: &Item) -> Result<String, PortError> {
    read_key(item).map(|key| format!("{}{SEPARATOR}{}", key.partition, key.sort))
}

/// The reverse of [`position`].
pub(super) fn read_position(position: &str) -> Item {
    let (partition, sort) = position.split_once(SEPARATOR).unwrap_or((position, ""));
    key(&Key::new(partition, sort))
}

/// The reverse of [`write`]; `None` when the row's time is over.
pub(super) fn read(item: Item, now: Timestamp) -> Result<Option<Row>, PortError> {
    let key = read_key(&item)?;
    let what = format!("row {}/{}", key.partition, key.sort);
    let item = Reader { what: &what, item: &item };
    if item.is_over(now)? {
        return Ok(None);
    }
    let value = item.bytes(VALUE)?;
    let value = match item.optional_number::<u8>(DEFLATED)? {
        None => value.to_vec(),
        Some(_) => inflate(value).map_err(|error| PortError::Corrupt(format!("{what}: {error}")))?,
    };
    let mut indexes = Vec::new();
    for index in INDEXES {
        let (_, partition, sort) = index_names(index);
        if let Some(partition) = item.optional_text(&partition)? {
            indexes.push(IndexEntry { index, partition, sort: item.text(&sort)? });
        }
    }
    let expires_at = item.optional_time(EXPIRES_MS)?;
    Ok(Some(Row { version: item.number(VERSION)?, key, value, indexes, expires_at }))
}

fn deflate(value: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(value).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

fn inflate(compressed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut value = Vec::new();
    // What is longer was not written by us.
    DeflateDecoder::new(compressed).take(VALUE_LIMIT_BYTES as u64 + 1).read_to_end(&mut value)?;
    match value.len() <= VALUE_LIMIT_BYTES {
        true => Ok(value),
        false => Err(std::io::Error::other("the compressed value is too long")),
    }
}
