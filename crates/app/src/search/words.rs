//! Texts → words.
//!
//! Characters are folded first: compatibility forms to plain ones (Unicode's NFKD), without accents and vowel points, in lower
//! case. Then a word is a run of letters and digits. Where a script leaves no space between words (Chinese, Japanese, Thai and
//! their neighbours), and for emoji, each character is a word of its own: a run of them is found as a phrase.

use std::collections::HashSet;

use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed,
    properties::CanonicalCombiningClassMapBorrowed,
};

/// Longest word, in characters; what is behind them is left out, of texts and queries alike.
pub const WORD_CHARS_MAX: usize = 64;
/// So many times a limit of distinct words are taken of a text that repeats itself.
const REPETITIONS: usize = 4;

/// The words of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    Words { characters: folded(text), held: None }
}

/// The words of a text up to where one more would be more than `distinct_max` different ones, and at most four times as many
/// in all.
pub fn first_words(text: &str, distinct_max: usize) -> Vec<String> {
    let mut distinct = HashSet::new();
    let fits = |word: &String| {
        distinct.contains(word) || (distinct.len() < distinct_max && distinct.insert(word.clone()))
    };
    words(text).take_while(fits).take(distinct_max * REPETITIONS).collect()
}

struct Words<I> {
    characters: I,
    /// It ended the word before, and is one itself.
    held: Option<char>,
}

impl<I: Iterator<Item = char>> Iterator for Words<I> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let (mut word, mut length) = (String::new(), 0);
        loop {
            match self.held.take().or_else(|| self.characters.next()) {
                Some(character) if stands_alone(character) && word.is_empty() => {
                    return Some(character.to_string());
                },
                Some(character) if stands_alone(character) => {
                    self.held = Some(character);
                    return Some(word);
                },
                Some(character) if is_of_a_word(character) => {
                    if length < WORD_CHARS_MAX {
                        word.push(character);
                        length += 1;
                    }
                },
                Some(_) if word.is_empty() => {},
                _ => return (!word.is_empty()).then_some(word),
            }
        }
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars());
    let plain = decomposed.filter(|character| !is_left_out(*character));
    let plain = plain.flat_map(char::to_lowercase).flat_map(spelt);
    // What the marks that are left belong to: Japanese voicing, Korean syllables.
    ComposingNormalizerBorrowed::new_nfc().normalize_iter(plain)
}

/// Unicode's canonical combining class: 0 for what is no mark.
fn class(character: char) -> u8 {
    CanonicalCombiningClassMapBorrowed::new().get_u8(character)
}

/// What changes no word: accents, Hebrew and Arabic points (by Unicode's classes 1, 10 to 36, and from 200 on; the others are
/// signs without which Indic, Thai and Japanese words are other words), the Arabic stretch, marks of direction, joiners, and
/// the variants and skins of emoji.
fn is_left_out(character: char) -> bool {
    let is_invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{640}'
            | '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{1f3fb}'..='\u{1f3ff}'
    );
    is_invisible || matches!(class(character), 1 | 10..=36 | 200..)
}

/// Letters that Unicode does not take apart, as people type them who do not have them. The Turkish dotless ı is an i, since
/// the capital I is both.
fn spelt(character: char) -> impl Iterator<Item = char> {
    let (first, second) = match character {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ı' => ('i', None),
        'ł' => ('l', None),
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'þ' => ('t', Some('h')),
        'ħ' => ('h', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    [Some(first), second].into_iter().flatten()
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || class(character) != 0
}

/// Characters of scripts without spaces, and emoji, by Unicode's blocks.
fn stands_alone(character: char) -> bool {
    let is_written_without_spaces = matches!(
        character,
        '\u{e00}'..='\u{eff}' // Thai, Lao
            | '\u{1000}'..='\u{109f}' // Burmese
            | '\u{1780}'..='\u{17ff}' // Khmer
            | '\u{2e80}'..='\u{2fdf}' // radicals
            | '\u{3040}'..='\u{312f}' // Hiragana, Katakana, Bopomofo
            | '\u{31a0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}' // Han
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    );
    let is_picture = matches!(
        character,
        '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'
    );
    is_picture || (is_written_without_spaces && is_of_a_word(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        words(text).collect()
    }

    #[track_caller]
    fn same(texts: &[&str], expected: &[&str]) {
        for text in texts {
            assert_eq!(all(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_folded_alike() {
        same(&["Straße", "STRASSE", "strasse", "STRAẞE"], &["strasse"]);
        same(&["Über", "uber", "U\u{308}BER"], &["uber"]);
        same(&["İstanbul", "ISTANBUL", "istanbul", "ıstanbul"], &["istanbul"]);
        same(&["ΟΔΟΣ", "οδός", "Οδοσ"], &["οδοσ"]);
        same(&["Łódź", "LODZ"], &["lodz"]);
        same(&["ﬁne", "FINE", "ｆｉｎｅ"], &["fine"]);
    }

    #[test]
    fn points_of_hebrew_and_arabic_are_no_letters() {
        same(&["שָׁלוֹם", "שלום"], &["שלום"]);
        same(&["مَرْحَبًا", "مرحبا", "مرحـــبا"], &["مرحبا"]);
        same(&["أحمد", "احمد"], &["احمد"]);
    }

    #[test]
    fn scripts_without_spaces_and_emoji_are_taken_character_by_character() {
        same(&["東京都"], &["東", "京", "都"]);
        same(&["カ\u{3099}", "ガ", "ｶﾞ"], &["ガ"]);
        assert_ne!(all("か"), all("が"));
        same(&["abc東京def"], &["abc", "東", "京", "def"]);
        same(&["👍🏽ok👍"], &["👍", "ok", "👍"]);
        same(&["👨\u{200d}👩\u{200d}👧", "👨👩👧"], &["👨", "👩", "👧"]);
        same(&["❤\u{fe0f}", "❤"], &["❤"]);
        same(&["한국어"], &["한국어"]);
        same(&["हिन्दी"], &["हिन्दी"]);
    }

    #[test]
    fn everything_else_separates() {
        same(&["don't, e-mail ada@example.com!"], &["don", "t", "e", "mail", "ada", "example", "com"]);
        same(&["", " \n\u{0}", "!?*\"()", "---"], &[]);
        same(&["3.14 a_b"], &["3", "14", "a", "b"]);
    }

    #[test]
    fn words_and_texts_have_an_end() {
        assert_eq!(all(&"x".repeat(1_000)), ["x".repeat(WORD_CHARS_MAX)]);
        let many: String = (0..100).map(|number| format!("w{number} ")).collect();
        assert_eq!(first_words(&many, 32).len(), 32);
        assert_eq!(first_words(&"ha ".repeat(1_000), 32).len(), 32 * REPETITIONS);
        assert_eq!(first_words("a b a c", 2), ["a", "b", "a"]);
    }
}
