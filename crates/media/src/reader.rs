use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};

use crate::{Kind, MediaRefused, TRAILING_MAX};

/// A file that is walked through. It knows its size and its place, so that no length which the file states leads beyond it.
pub(crate) struct Reader<R> {
    inner: BufReader<R>,
    at: u64,
    size: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// At the beginning. Refuses a file larger than `kind` may be.
    pub(crate) fn new(mut source: R, kind: Kind) -> Result<Self, MediaRefused> {
        let size = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
        source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        if size == 0 {
            return Err(MediaRefused::Empty);
        }
        if size > kind.size_max() {
            return Err(MediaRefused::TooLarge { kind, size_max: kind.size_max() });
        }
        Ok(Self { inner: BufReader::with_capacity(32 * 1024, source), at: 0, size })
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn left(&self) -> u64 {
        self.size - self.at
    }

    /// The next `N` bytes; a file that ends before is cut off.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], MediaRefused> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, MediaRefused> {
        self.take().map(|[byte]| byte)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), MediaRefused> {
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.cut(),
            _ => unreadable(error),
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Passes over bytes that are there.
    pub(crate) fn advance(&mut self, bytes: u64) -> Result<(), MediaRefused> {
        if bytes > self.left() {
            return Err(self.cut());
        }
        // No file is as large as `i64` allows: its kind has a limit.
        self.inner.seek_relative(bytes as i64).map_err(unreadable)?;
        self.at += bytes;
        Ok(())
    }

    /// To a place at or after this one.
    pub(crate) fn skip_to(&mut self, place: u64) -> Result<(), MediaRefused> {
        self.advance(place.saturating_sub(self.at))
    }

    /// Passes over zeros, which some cameras fill a file up with.
    pub(crate) fn skip_zeros(&mut self) -> Result<(), MediaRefused> {
        while self.left() > 0 {
            let buffer = self.inner.fill_buf().map_err(unreadable)?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            let others = zeros < buffer.len();
            self.inner.consume(zeros);
            self.at += zeros as u64;
            if others || zeros == 0 {
                break;
            }
        }
        Ok(())
    }

    /// True when `bytes` come next. Stays where it is.
    pub(crate) fn is_next(&mut self, bytes: &[u8]) -> Result<bool, MediaRefused> {
        if self.left() < bytes.len() as u64 {
            return Ok(false);
        }
        let place = self.at;
        let mut found = vec![0; bytes.len()];
        self.fill(&mut found)?;
        self.inner.seek_relative(-(found.len() as i64)).map_err(unreadable)?;
        self.at = place;
        Ok(found == bytes)
    }

    /// After the end marker: only zeros and a few bytes may follow. A ZIP that hides behind a picture has 22 at least.
    pub(crate) fn expect_end(&mut self) -> Result<(), MediaRefused> {
        self.skip_zeros()?;
        match self.left() {
            0..=TRAILING_MAX => Ok(()),
            bytes => Err(MediaRefused::TrailingData { bytes }),
        }
    }

    /// The file from its beginning, for a decoder.
    pub(crate) fn rewound(mut self) -> Result<BufReader<R>, MediaRefused> {
        self.inner.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        Ok(self.inner)
    }

    pub(crate) fn cut(&self) -> MediaRefused {
        MediaRefused::Truncated(format!("it has {} bytes, and more are announced", self.size))
    }
}

pub(crate) fn unreadable(error: std::io::Error) -> MediaRefused {
    MediaRefused::Unreadable(error.to_string())
}

pub(crate) fn corrupt(what: impl Into<String>) -> MediaRefused {
    MediaRefused::Corrupt(what.into())
}
