use crate::{Kind, MediaRefused, Mime, mime::Declared};

/// How many of a file's first bytes [`examine`] looks at. An Office document shows what it is within these.
pub const HEAD_BYTES: usize = 8 * 1024;

/// Says what a file of `size` bytes is that begins with `head`, and whether `kind` takes it. `declared` is what the request
/// says (`mime_type`, or `Content-Type`): it is believed for plain texts and for what is inside a ZIP, and must not
/// contradict the bytes otherwise.
///
/// A document is served as the type that this gives. HTML, XML and SVG are `application/octet-stream`.
pub fn examine(declared: Option<&str>, kind: Kind, head: &[u8], size: u64) -> Result<Mime, MediaRefused> {
    if size == 0 || head.is_empty() {
        return Err(MediaRefused::Empty);
    }
    if size > kind.size_max() {
        return Err(MediaRefused::TooLarge { kind, size_max: kind.size_max() });
    }
    let head = &head[..head.len().min(HEAD_BYTES)];
    let declared = declared.and_then(Declared::parse);
    let found = Mime::sniff(head);
    match kind {
        Kind::Document => document(declared, found, head),
        _ => shown(declared, found, kind),
    }
}

fn shown(declared: Option<Declared>, found: Option<Mime>, kind: Kind) -> Result<Mime, MediaRefused> {
    let bytes = found.unwrap_or(Mime::OCTET_STREAM);
    if let Some(declared) = declared.filter(|declared| declared.is_known() && !declared.agrees(bytes)) {
        return Err(MediaRefused::Mislabelled { declared: declared.shown(), found: bytes });
    }
    // Many recorders write sound without a picture under the brands of films. `inspect` looks for a picture.
    let found = match (kind, bytes) {
        (Kind::Audio, Mime::MP4_VIDEO) => Mime::MP4_AUDIO,
        (Kind::Video | Kind::VideoNote, Mime::MP4_AUDIO) => Mime::MP4_VIDEO,
        _ => bytes,
    };
    match kind.takes(found) {
        true => Ok(found),
        false => Err(MediaRefused::TypeNotAllowed { kind, found }),
    }
}

fn document(declared: Option<Declared>, found: Option<Mime>, head: &[u8]) -> Result<Mime, MediaRefused> {
    let wrong = |declared: &Declared| {
        Err(MediaRefused::Mislabelled {
            declared: declared.shown(),
            found: found.unwrap_or(Mime::OCTET_STREAM),
        })
    };
    let text = declared.as_ref().and_then(Declared::text).filter(|_| is_text(head));
    match (declared, found) {
        (Some(declared), found) if declared.is_certain() && found.is_none_or(Mime::is_active) => {
            wrong(&declared)
        },
        (_, Some(found)) if found.is_active() => Ok(Mime::OCTET_STREAM),
        // Two letters make a type for some formats: `BM`, `MZ`. A text may begin so.
        (_, found) if text.is_some() && found.is_none_or(|found| !is_strong(found)) => {
            Ok(text.unwrap_or(Mime::OCTET_STREAM))
        },
        (Some(declared), Some(found)) => match declared.inside(found) {
            Some(inside) => Ok(inside),
            None if declared.is_known() && !declared.agrees(found) => wrong(&declared),
            None => Ok(found),
        },
        (None, Some(found)) => Ok(found),
        (_, None) => Ok(Mime::OCTET_STREAM),
    }
}

/// True for a type that no text can be taken for.
fn is_strong(found: Mime) -> bool {
    found.as_str() == "application/pdf" || found.as_str() == "application/rtf"
}

/// True for UTF-8 (whose last character may be cut) without control characters other than white space.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        },
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid.chars().all(|letter| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r' | '\x0c'))
}
