//! Whatever bytes come: an answer, and no panic.

use std::{io::Cursor, sync::LazyLock};

use image::ImageFormat;
use proptest::{collection::vec, prelude::*, sample::Index};
use waxwing_media::{HEAD_BYTES, Kind, MediaRefused, examine, inspect, sticker};

use crate::make::{self, FILM, Film};

/// Whole files, small enough to be decoded often.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let picture = make::picture(40, 30);
    vec![
        make::encoded(&picture, ImageFormat::Jpeg),
        make::encoded(&picture, ImageFormat::Png),
        make::encoded(&picture, ImageFormat::WebP),
        make::gif(40, 30, 2),
        make::moving_webp(24, 2),
        make::mp4(FILM),
        make::mp4(Film { picture: None, ..FILM }),
        make::voice(&[40; 70]),
        make::mp3(4),
        make::wav(16_000, 300),
    ]
});

/// As every kind, with every type that the kind takes: what the first bytes say may be wrong by the time that the file is
/// looked into.
fn look_everywhere(file: &[u8]) {
    let types: Vec<_> = Kind::ALL
        .into_iter()
        .flat_map(|kind| {
            let heads = FILES.iter().map(Vec::as_slice).chain([file]);
            heads.filter_map(move |head| {
                let head = &head[..head.len().min(HEAD_BYTES)];
                examine(None, kind, head, head.len() as u64).ok().map(|mime| (kind, mime))
            })
        })
        .collect();
    for (kind, mime) in types {
        let facts = inspect(kind, mime, Cursor::new(file));
        assert!(!matches!(facts, Err(MediaRefused::Unreadable(_))), "{kind} {mime}: {facts:?}");
        if kind == Kind::Sticker
            && let Ok(made) = sticker(mime, Cursor::new(file))
        {
            assert!(made.webp.len() as u64 <= kind.size_max());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(file in vec(any::<u8>(), 0..2000), declared in "\\PC{0,40}") {
        look_everywhere(&file);
        for kind in Kind::ALL {
            let _ = examine(Some(&declared), kind, &file, file.len() as u64);
        }
    }

    #[test]
    fn any_damage_is_answered(
        file in any::<Index>(),
        changes in vec((any::<Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<Index>()),
        behind in vec(any::<u8>(), 0..40),
    ) {
        let mut file = file.get(&FILES).clone();
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        file.extend(behind);
        look_everywhere(&file);
    }
}
