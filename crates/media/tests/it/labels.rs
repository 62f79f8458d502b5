//! What a file is, whatever is said about it.

use image::ImageFormat;
use waxwing_media::{Kind, MediaRefused, examine};

use crate::make::{self, FILM, Film, PDF};

fn said(declared: &str, kind: Kind, file: &[u8]) -> String {
    match examine(Some(declared), kind, file, file.len() as u64) {
        Ok(mime) => mime.to_string(),
        Err(refused) => refused.code().to_owned(),
    }
}

#[test]
fn each_kind_has_its_name_its_size_and_its_types() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.as_str()), Some(kind));
        let size = kind.size_max() + 1;
        let refused = examine(None, kind, PDF, size).unwrap_err();
        assert_eq!(refused, MediaRefused::TooLarge { kind, size_max: kind.size_max() });
        assert!(refused.to_string().contains(&kind.size_max().to_string()), "{refused}");
        assert_eq!(examine(None, kind, b"", 0), Err(MediaRefused::Empty));
    }
    assert_eq!(Kind::named("film"), None);
}

#[test]
fn a_file_is_what_its_bytes_say() {
    let picture = make::picture(20, 10);
    let film = make::mp4(FILM);
    let files: [(Kind, Vec<u8>, &str); 18] = [
        (Kind::Image, make::encoded(&picture, ImageFormat::Jpeg), "image/jpeg"),
        (Kind::Image, make::encoded(&picture, ImageFormat::Png), "image/png"),
        (Kind::Image, make::encoded(&picture, ImageFormat::WebP), "image/webp"),
        (Kind::Image, make::gif(20, 10, 1), "image/gif"),
        (Kind::Sticker, make::gif(20, 10, 1), "media_type_not_allowed"),
        (Kind::Image, PDF.to_vec(), "media_type_not_allowed"),
        (Kind::Image, b"BMW sells cars".to_vec(), "media_type_not_allowed"),
        (Kind::Image, b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "media_type_not_allowed"),
        (Kind::Video, film.clone(), "video/mp4"),
        (Kind::VideoNote, make::mp4(Film { brand: b"3gp5", ..FILM }), "video/3gpp"),
        (Kind::Video, make::mp4(Film { brand: b"zzzz", ..FILM }), "video/mp4"),
        (Kind::Audio, film, "audio/mp4"),
        (Kind::Audio, make::mp4(Film { brand: b"M4A ", ..FILM }), "audio/mp4"),
        (Kind::Audio, make::mp3(3), "audio/mpeg"),
        (Kind::Audio, make::wav(16_000, 100), "audio/wav"),
        (Kind::Voice, make::wav(16_000, 100), "media_type_not_allowed"),
        (Kind::Voice, make::voice(&[50; 60]), "audio/ogg; codecs=opus"),
        (Kind::Voice, make::ogg_page(0, 2, 0, &[b"\x01vorbis".to_vec()]), "media_type_not_allowed"),
    ];
    for (kind, file, expected) in files {
        let found = examine(None, kind, &file, file.len() as u64);
        let found = found.map_or_else(|refused| refused.code().to_owned(), |mime| mime.to_string());
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn a_label_that_contradicts_the_bytes_is_refused() {
    let png = make::encoded(&make::picture(20, 10), ImageFormat::Png);
    for (declared, kind, file, expected) in [
        ("image/png", Kind::Image, &png[..], "image/png"),
        ("IMAGE/PNG; x=y", Kind::Image, &png, "image/png"),
        ("application/octet-stream", Kind::Image, &png, "image/png"),
        ("", Kind::Image, &png, "image/png"),
        ("nonsense", Kind::Image, &png, "image/png"),
        ("image/jpg", Kind::Image, &png, "media_mislabelled"),
        ("image/png", Kind::Image, PDF, "media_mislabelled"),
        ("image/png", Kind::Image, b"nothing that anybody knows", "media_mislabelled"),
        ("audio/mpeg", Kind::Audio, &make::wav(16_000, 100), "media_mislabelled"),
        ("audio/x-wav", Kind::Audio, &make::wav(16_000, 100), "audio/wav"),
        ("audio/ogg; codecs=opus", Kind::Voice, &make::voice(&[50; 60]), "audio/ogg; codecs=opus"),
        ("audio/opus", Kind::Voice, &make::voice(&[50; 60]), "audio/ogg; codecs=opus"),
        ("audio/mp4", Kind::Audio, &make::mp4(FILM), "audio/mp4"),
        ("video/mp4", Kind::Video, &make::mp4(Film { brand: b"3gp5", ..FILM }), "video/3gpp"),
        ("image/png", Kind::Document, PDF, "media_mislabelled"),
        ("text/plain", Kind::Document, PDF, "media_mislabelled"),
        ("application/pdf", Kind::Document, b"hello", "media_mislabelled"),
        ("application/pdf", Kind::Document, b"<html><body>hello", "media_mislabelled"),
    ] {
        assert_eq!(said(declared, kind, file), expected, "{declared} as {kind}");
    }
    let refused = examine(Some("image/png"), Kind::Image, PDF, 50).unwrap_err().to_string();
    assert_eq!(refused, "the file is said to be image/png, and its bytes are application/pdf");
}

#[test]
fn a_document_is_served_as_what_it_is_and_never_as_a_page() {
    let late_pdf = [&b"\n\n\xff\xfe some letter head\n"[..], PDF].concat();
    for (declared, file, expected) in [
        ("", PDF, "application/pdf"),
        ("application/x-unheard-of", PDF, "application/pdf"),
        ("application/pdf", &late_pdf, "application/pdf"),
        ("", b"a,b\n1,2\n", "application/octet-stream"),
        ("text/csv", b"a,b\n1,2\n", "text/csv"),
        ("text/csv; charset=utf-8", "ä,ö\n1,2\n".as_bytes(), "text/csv"),
        ("text/plain", b"BMW sells cars", "text/plain"),
        ("text/plain", b"MZ is a car, too", "text/plain"),
        ("text/plain", b"\0\x01\x02", "application/octet-stream"),
        ("application/json", b"{}", "application/json"),
        ("text/html", b"hello", "application/octet-stream"),
        ("text/javascript", b"alert(1)", "application/octet-stream"),
        ("image/svg+xml", b"<svg onload='alert(1)'/>", "application/octet-stream"),
        ("image/svg+xml", b"<?xml version='1.0'?><svg/>", "application/octet-stream"),
        ("text/plain", b"  <!DOCTYPE html ><script>", "application/octet-stream"),
        ("text/html", b"<html ><script>", "application/octet-stream"),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html/>", "application/octet-stream"),
        ("", &make::zip(), "application/zip"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            &make::zip(),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("application/msword", &make::zip(), "media_mislabelled"),
        ("application/vnd.android.package-archive", &make::zip(), "application/zip"),
    ] {
        assert_eq!(said(declared, Kind::Document, file), expected, "{declared}");
    }
    // The last character of a head may be cut.
    let cut = &"aä".as_bytes()[..2];
    assert_eq!(said("text/plain", Kind::Document, cut), "text/plain");
}
