//! Films and sound in MP4.

use std::time::Duration;

use waxwing_media::{BOXES_MAX, Kind, TRACKS_MAX};

use crate::{
    code, look,
    make::{self, FILM, Film},
};

#[test]
fn a_film_has_dimensions_and_a_duration() {
    for kind in [Kind::Video, Kind::VideoNote] {
        let (mime, facts) = look(kind, &make::mp4(FILM)).unwrap();
        assert_eq!(mime.as_str(), "video/mp4");
        assert_eq!((facts.width, facts.height), (Some(640), Some(360)));
        assert_eq!(facts.duration, Some(Duration::from_millis(12_340)));
    }
    let upright = look(Kind::Video, &make::mp4(Film { turned: true, ..FILM })).unwrap().1;
    assert_eq!((upright.width, upright.height), (Some(360), Some(640)));
    let open = look(Kind::Video, &make::mp4(Film { milliseconds: 0, ..FILM })).unwrap().1;
    assert_eq!(open.duration, None);
}

#[test]
fn sound_has_no_picture_and_a_film_has_one() {
    let sound = Film { picture: None, ..FILM };
    let (mime, facts) = look(Kind::Audio, &make::mp4(sound)).unwrap();
    assert_eq!((mime.as_str(), facts.duration), ("audio/mp4", Some(Duration::from_millis(12_340))));
    assert_eq!(code(Kind::Audio, &make::mp4(FILM)), "media_type_not_allowed");
    assert_eq!(code(Kind::Video, &make::mp4(sound)), "media_type_not_allowed");
    assert_eq!(code(Kind::Audio, &make::mp4(Film { sound: false, ..sound })), "media_corrupt");
}

#[test]
fn what_is_wrong_with_a_film_is_said() {
    let film = make::mp4(FILM);
    let movie = film.windows(4).position(|four| four == b"moov").unwrap() - 4;
    let data = film.windows(4).position(|four| four == b"mdat").unwrap() - 4;
    for end in [film.len() - 1, data + 20, movie + 50, movie] {
        assert_eq!(code(Kind::Video, &film[..end]), "media_truncated", "{end}");
    }
    let mut damaged = film.clone();
    damaged[movie + 4] = 0;
    assert_eq!(code(Kind::Video, &damaged), "media_corrupt");
    let mut long = film.clone();
    long[movie + 8..movie + 12].fill(0x7F);
    assert_eq!(code(Kind::Video, &long), "media_corrupt");
    assert_eq!(code(Kind::Video, &[&film[..], &make::zip()].concat()), "media_trailing_data");
    assert_eq!(code(Kind::Video, &[&film[..], b"\r\n"].concat()), "");
}

#[test]
fn boxes_and_tracks_have_limits() {
    let film = make::mp4(FILM);
    let many = [&film[..], &b"\0\0\0\x08free".repeat(BOXES_MAX as usize)].concat();
    assert_eq!(code(Kind::Video, &many), "media_bomb");
    let begin = &film[..film.windows(4).position(|four| four == b"moov").unwrap() - 4];
    let wrapped =
        |inner: &[u8], name: &[u8; 4]| [&(8 + inner.len() as u32).to_be_bytes()[..], name, inner].concat();
    let tracks = wrapped(&b"\0\0\0\x08trak".repeat(TRACKS_MAX + 1), b"moov");
    assert_eq!(code(Kind::Video, &[begin, &tracks].concat()), "media_bomb");
    let deep = (0..8).fold(Vec::new(), |inner, _| wrapped(&inner, b"trak"));
    assert_eq!(code(Kind::Video, &[begin, &wrapped(&deep, b"moov")].concat()), "media_bomb");
}
