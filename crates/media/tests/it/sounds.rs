//! Sound: durations and waveforms, and what is wrong with files.

use std::time::Duration;

use waxwing_media::{Kind, OGG_PAGES_MAX};

use crate::{code, look, make};

#[test]
fn a_voice_note_has_a_duration_and_a_waveform() {
    // Two seconds that become louder, then one of silence. 312 samples come before the sound.
    let sizes: Vec<usize> = (0..100).map(|place| 20 + 3 * place).chain([2; 50]).collect();
    let (_, facts) = look(Kind::Voice, &make::voice(&sizes)).unwrap();
    assert_eq!(facts.duration, Some(Duration::from_millis((150 * 960 - 312) / 48)));
    let waveform = facts.waveform.unwrap();
    let (loud, silent) = waveform.split_at(43);
    assert!(loud.is_sorted() && loud[0] > 0 && loud[42] == 100, "{waveform:?}");
    assert!(silent.iter().all(|value| *value == 0), "{waveform:?}");
    // Sound that is no voice note has none.
    assert_eq!(look(Kind::Audio, &make::voice(&sizes)).unwrap().1.waveform, None);
    // One packet, and packets that take more than one lace each.
    assert_eq!(look(Kind::Voice, &make::voice(&[30])).unwrap().1.waveform, Some([100; 64]));
    assert_eq!(look(Kind::Voice, &make::voice(&[510; 3])).unwrap().1.waveform, Some([100; 64]));
}

#[test]
fn a_position_that_lies_makes_nothing_longer() {
    let note = make::voice(&[50; 50]);
    let last = note.windows(4).rposition(|four| four == b"OggS").unwrap();
    let packets = vec![[vec![31 << 3], vec![0x55; 49]].concat(); 50];
    let lying = [&note[..last], &make::ogg_page(2, 4, u64::MAX / 2, &packets)].concat();
    let (_, facts) = look(Kind::Voice, &lying).unwrap();
    assert_eq!(facts.duration, Some(Duration::from_millis((50 * 960 - 312) / 48)));
}

#[test]
fn what_is_wrong_with_a_voice_note_is_said() {
    let note = make::voice(&[50; 120]);
    for end in [note.len() - 1, note.len() / 2, 60] {
        assert_eq!(code(Kind::Voice, &note[..end]), "media_truncated", "{end}");
    }
    // Headers without sound.
    let headers = note.windows(4).enumerate().filter(|(_, four)| *four == b"OggS").nth(2).unwrap().0;
    assert_eq!(code(Kind::Voice, &note[..headers]), "media_truncated");
    for place in [headers + 10, headers + 200, note.len() - 5] {
        let mut damaged = note.clone();
        damaged[place] ^= 0x40;
        assert_eq!(code(Kind::Voice, &damaged), "media_corrupt", "{place}");
    }
    assert_eq!(code(Kind::Voice, &[&note[..], &make::zip()].concat()), "media_trailing_data");
    assert_eq!(code(Kind::Voice, &[&note[..], &note].concat()), "media_corrupt");
    let mut pages = note[..headers].to_vec();
    pages.extend(make::ogg_page(2, 0, 0, &[]).repeat(OGG_PAGES_MAX));
    assert_eq!(code(Kind::Voice, &pages), "media_bomb");
}

#[test]
fn an_mp3_plays_as_long_as_its_bytes_or_its_count_say() {
    // 417 bytes at 128 kbit/s.
    let plain = make::mp3(100);
    let milliseconds = 41_700 * 8 / 128;
    assert_eq!(look(Kind::Audio, &plain).unwrap().1.duration, Some(Duration::from_millis(milliseconds)));
    let tagged = [&b"ID3\x04\0\0\0\0\x02\0"[..], &[0; 256], &plain].concat();
    assert_eq!(look(Kind::Audio, &tagged).unwrap().1.duration, Some(Duration::from_millis(milliseconds)));
    let mut counted = plain.clone();
    counted[36..48].copy_from_slice(b"Xing\0\0\0\x01\0\0\0\x32");
    let duration = look(Kind::Audio, &counted).unwrap().1.duration;
    assert_eq!(duration, Some(Duration::from_millis(50 * 1152 * 1000 / 44_100)));
    counted[44..48].fill(0xFF);
    assert_eq!(look(Kind::Audio, &counted).unwrap().1.duration, Some(Duration::from_millis(milliseconds)));
    assert_eq!(code(Kind::Audio, &[&[0xFF, 0xFB][..], &[1; 5000]].concat()), "media_corrupt");
    assert_eq!(code(Kind::Audio, b"ID3\x04\0\0\x7f\x7f\x7f\x7f"), "media_truncated");
}

#[test]
fn a_wav_plays_as_long_as_its_bytes_take() {
    let file = make::wav(16_000, 24_000);
    assert_eq!(look(Kind::Audio, &file).unwrap().1.duration, Some(Duration::from_millis(1500)));
    assert_eq!(code(Kind::Audio, &file[..file.len() - 1]), "media_truncated");
    assert_eq!(code(Kind::Audio, &make::wav(0, 100)), "media_corrupt");
}
