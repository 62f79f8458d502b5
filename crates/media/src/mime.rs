use std::fmt;

/// A MIME type that this crate knows: found in a file's bytes, or declared and harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mime(&'static str);

/// Types that are only text, which no bytes tell apart. A browser shows none of them as more than text.
const TEXTS: &[&str] = &[
    "text/plain",
    "text/csv",
    "text/tab-separated-values",
    "text/markdown",
    "text/calendar",
    "text/vcard",
    "application/json",
    "application/x-ndjson",
    "application/yaml",
];

/// Types that a browser would run or draw with scripts.
const ACTIVE: &[&str] = &["text/html", "text/xml"];

/// What a file may say that it is when its bytes only show the container.
const IN_ZIP: &[&str] = &[
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "application/epub+zip",
];
const IN_OLE: &[&str] = &["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

/// Types whose first bytes cannot be mistaken: a file without them is none.
const CERTAIN: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "video/mp4",
    "video/3gpp",
    "audio/ogg",
    "audio/mp4",
    "audio/amr",
    "audio/wav",
    "application/pdf",
    "application/zip",
];

/// Other names of the same types, as they are seen in requests and in what sniffs.
const ALIASES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("video/x-m4v", "video/mp4"),
    ("audio/3gpp", "video/3gpp"),
    ("audio/m4a", "audio/mp4"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-mp3", "audio/mpeg"),
    ("audio/opus", "audio/ogg"),
    ("application/ogg", "audio/ogg"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/x-aac", "audio/aac"),
    ("audio/aacp", "audio/aac"),
    ("application/x-pdf", "application/pdf"),
    ("application/x-zip-compressed", "application/zip"),
    ("application/x-gzip", "application/gzip"),
    ("application/csv", "text/csv"),
    ("application/xml", "text/xml"),
    ("application/xhtml+xml", "text/html"),
];

/// How far into a file a PDF's first bytes may stand (PDF 1.7, implementation note 13).
const PDF_WITHIN: usize = 1024;

impl Mime {
    /// Bytes that say nothing.
    pub const OCTET_STREAM: Self = Self("application/octet-stream");
    pub(crate) const MP4_AUDIO: Self = Self("audio/mp4");
    pub(crate) const MP4_VIDEO: Self = Self("video/mp4");
    pub(crate) const OGG_OPUS: Self = Self("audio/ogg; codecs=opus");

    /// As it stands in `Content-Type`.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// What the first bytes of a file are.
    pub(crate) fn sniff(head: &[u8]) -> Option<Self> {
        // Of the brands of 3GPP (TS 26.244) the library knows none.
        let is_iso = head.get(4..8) == Some(b"ftyp".as_slice());
        if is_iso && matches!(head.get(8..11), Some(b"3gp" | b"3g2")) {
            return Some(Self("video/3gpp"));
        }
        let found = match infer::get(head).map(|found| found.mime_type()) {
            Some("audio/opus") => return Some(Self::OGG_OPUS),
            Some(found) => canonical(found),
            None if is_iso => Self::MP4_VIDEO.0,
            None if head[..head.len().min(PDF_WITHIN)].windows(5).any(|five| five == b"%PDF-") => {
                "application/pdf"
            },
            None => return None,
        };
        Some(Self(found))
    }

    /// True for HTML and XML, which has SVG: never to be shown as themselves.
    pub(crate) fn is_active(self) -> bool {
        ACTIVE.contains(&self.0)
    }
}

impl fmt::Display for Mime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Types whose first bytes do not tell them apart have one name here.
fn family(name: &str) -> &str {
    match name {
        "video/mp4" | "audio/mp4" | "video/3gpp" | "video/quicktime" => "iso",
        "audio/ogg" | "audio/ogg; codecs=opus" | "video/ogg" => "ogg",
        other => other,
    }
}

fn canonical(name: &'static str) -> &'static str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// What a request says that a file is, without parameters, in lower case and by its usual name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared(String);

impl Declared {
    /// `None` where nothing is said.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if matches!(name.as_str(), "" | "application/octet-stream" | "binary/octet-stream") {
            return None;
        }
        let known = ALIASES.iter().find(|(alias, _)| *alias == name);
        Some(Self(known.map_or(name, |(_, name)| (*name).to_owned())))
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        self.0.chars().take(100).collect()
    }

    /// The harmless text type that it names.
    pub(crate) fn text(&self) -> Option<Mime> {
        TEXTS.iter().find(|text| **text == self.0).map(|text| Mime(text))
    }

    /// What a container holds, when `found` is only the container.
    pub(crate) fn inside(&self, found: Mime) -> Option<Mime> {
        let list = match found.0 {
            "application/zip" => IN_ZIP,
            "application/x-ole-storage" => IN_OLE,
            _ => return None,
        };
        list.iter().find(|name| **name == self.0).map(|name| Mime(name))
    }

    /// True for a type whose files are known by their first bytes.
    pub(crate) fn is_certain(&self) -> bool {
        CERTAIN.contains(&self.0.as_str()) || IN_ZIP.contains(&self.0.as_str())
    }

    /// True for a type that sniffing can find, so that finding another one is a contradiction.
    pub(crate) fn is_known(&self) -> bool {
        self.is_certain()
            || self.text().is_some()
            || IN_OLE.contains(&self.0.as_str())
            || infer::is_mime_supported(&self.0)
    }

    /// True when both can be said of the same file: what is in ISO's and Ogg's containers, their first bytes do not tell.
    pub(crate) fn agrees(&self, found: Mime) -> bool {
        family(&self.0) == family(found.0)
    }
}
