//! What a fetched file is called.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// How long a name may be, in bytes: what file systems take.
const NAME_MAX: usize = 255;

/// The name in a `Content-Disposition` (RFC 6266): `filename*` before `filename`.
pub(crate) fn from_disposition(header: &str) -> Option<String> {
    let find = |wanted: &str| {
        let mut parameters = parameters(header).into_iter();
        parameters.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let extended = find("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, encoded) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| decoded(encoded))?
    });
    extended.or_else(|| find("filename")).and_then(|name| cleaned(&name))
}

/// The last part of an address's path.
pub(crate) fn from_url(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    decoded(last).and_then(|name| cleaned(&name))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// Without folders, which are another machine's, and without what no name should have.
fn cleaned(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().filter(|letter| !letter.is_control()).collect();
    while name.len() > NAME_MAX {
        name.pop();
    }
    let name = name.trim();
    (!matches!(name, "" | "." | "..")).then(|| name.to_owned())
}

/// `name=value` and `name="value"` after semicolons, which also stand inside quotes.
fn parameters(header: &str) -> Vec<(String, String)> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = header.chars();
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('\\', true) => part.extend(letters.next()),
            ('"', _) => quoted = !quoted,
            (';', false) => parts.push(std::mem::take(&mut part)),
            _ => part.push(letter),
        }
    }
    parts.push(part);
    let pair = |part: &String| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    parts.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_without_folders() {
        for (header, name) in [
            ("attachment; filename=a.pdf", Some("a.pdf")),
            ("attachment; filename=\"a b; c.pdf\"", Some("a b; c.pdf")),
            ("attachment; FileName=\"a \\\"b\\\".pdf\"", Some("a \"b\".pdf")),
            ("inline; filename=\"x.pdf\"; filename*=UTF-8''%c3%bc%20b.pdf", Some("ü b.pdf")),
            ("inline; filename*=iso-8859-1''x; filename=y.pdf", Some("y.pdf")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"C:\\\\a\\\\b.txt\"", Some("b.txt")),
            ("attachment; filename*=UTF-8''..%2F..%2Fx%00y", Some("xy")),
            ("attachment; filename=..", None),
            ("attachment", None),
            ("attachment; filename=\"", None),
        ] {
            assert_eq!(from_disposition(header).as_deref(), name, "{header}");
        }
        for (url, name) in [
            ("https://example.com/a/b%20c.png?x=1#y", Some("b c.png")),
            ("https://example.com/a/%2e%2e%2fb", Some("b")),
            ("https://example.com/", None),
            ("https://example.com/%ff", None),
        ] {
            assert_eq!(from_url(&Url::parse(url).unwrap()).as_deref(), name, "{url}");
        }
        let long = format!("https://example.com/{}", "ü".repeat(300));
        assert_eq!(from_url(&Url::parse(&long).unwrap()).unwrap().len(), 254);
    }
}
