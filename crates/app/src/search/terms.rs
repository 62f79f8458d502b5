//! Queries → terms.

use super::words::words;

/// Most terms of a query.
pub const TERMS_MAX: usize = 8;
/// Most words of all its terms together.
pub const TERM_WORDS_MAX: usize = 32;
/// Shorter beginnings are taken for whole words.
const PREFIX_CHARS_MIN: usize = 2;

/// Words that stand next to each other; mostly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// At least one.
    pub words: Vec<String>,
    /// The last of them is the beginning of a word, of two characters or more.
    pub is_prefix: bool,
}

/// What is looked for: all of these. Without a term nothing is found.
///
/// A word is a term. Words in double quotes are one, and so is what is written without a space between but is several words
/// (`e-mail`, `東京`). An asterisk at the end of what is not quoted makes its last word a beginning. All other characters
/// separate words and mean nothing; so does a quote without its second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms(Vec<Term>);

/// More than [`TERMS_MAX`] terms, or [`TERM_WORDS_MAX`] words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected up to {TERMS_MAX} words or phrases, with {TERM_WORDS_MAX} words in all")]
pub struct TooManyTerms;

impl Terms {
    /// Reads a query.
    pub fn parse(query: &str) -> Result<Self, TooManyTerms> {
        let mut terms = Vec::new();
        let mut rest = query;
        while let Some((before, quoted, behind)) = next_quoted(rest) {
            terms.extend(unquoted(before));
            terms.extend(term(quoted, false));
            rest = behind;
        }
        terms.extend(unquoted(rest));
        let word_count: usize = terms.iter().map(|term| term.words.len()).sum();
        match terms.len() <= TERMS_MAX && word_count <= TERM_WORDS_MAX {
            true => Ok(Self(terms)),
            false => Err(TooManyTerms),
        }
    }

    /// The terms.
    pub fn each(&self) -> &[Term] {
        &self.0
    }

    /// True when the text has all of them, and there is one.
    pub fn are_in(&self, text: &str) -> bool {
        let words: Vec<String> = words(text).collect();
        !self.0.is_empty() && self.0.iter().all(|term| term.is_in(&words))
    }
}

impl Term {
    fn is_in(&self, words: &[String]) -> bool {
        let Some((last, first)) = self.words.split_last() else { return false };
        words.windows(self.words.len()).any(|window| match window.split_last() {
            Some((end, start)) if start == first => {
                if self.is_prefix {
                    end.starts_with(last)
                } else {
                    end == last
                }
            },
            _ => false,
        })
    }
}

/// What is before the next pair of quotes, in it, and behind it.
fn next_quoted(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('"')?;
    let (quoted, behind) = rest.split_once('"')?;
    Some((before, quoted, behind))
}

fn unquoted(text: &str) -> impl Iterator<Item = Term> {
    text.split_whitespace().filter_map(|piece| {
        let beginning = piece.trim_end_matches('*');
        // A word has to stand right before it.
        let ends_with_a_word = beginning.chars().last().is_some_and(char::is_alphanumeric);
        term(piece, beginning.len() < piece.len() && ends_with_a_word)
    })
}

fn term(text: &str, is_prefix: bool) -> Option<Term> {
    let words: Vec<String> = words(text).collect();
    let last_length = words.last()?.chars().count();
    Some(Term { words, is_prefix: is_prefix && last_length >= PREFIX_CHARS_MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str) -> Vec<String> {
        let shown =
            |term: &Term| format!("{}{}", term.words.join(" "), if term.is_prefix { "*" } else { "" });
        Terms::parse(query).unwrap().each().iter().map(shown).collect()
    }

    #[test]
    fn words_phrases_and_beginnings() {
        assert_eq!(shown("Hello  WORLD"), ["hello", "world"]);
        assert_eq!(shown(r#"say "Hello, World" again"#), ["say", "hello world", "again"]);
        assert_eq!(shown("invoi* e-mai*"), ["invoi*", "e mai*"]);
        assert_eq!(shown("東京"), ["東 京"]);
    }

    #[test]
    fn everything_else_is_text() {
        assert_eq!(shown("a AND b OR NOT c"), ["a", "and", "b", "or", "not", "c"]);
        assert_eq!(shown("text:hello NEAR(x y) ^z {q}"), ["text hello", "near x", "y", "z", "q"]);
        assert_eq!(shown(r#"one "two"#), ["one", "two"]);
        assert_eq!(shown(r#""one" two" three"#), ["one", "two", "three"]);
        assert_eq!(shown(r#"he*llo *llo ! * "inv*" x* 東*"#), ["he llo", "llo", "inv", "x", "東"]);
        assert_eq!(shown(r#""" '; DROP TABLE search --"#), ["drop", "table", "search"]);
    }

    #[test]
    fn a_query_has_an_end() {
        assert!(Terms::parse("a b c d e f g h").is_ok());
        assert_eq!(Terms::parse("a b c d e f g h i"), Err(TooManyTerms));
        assert!(Terms::parse(&"京".repeat(TERM_WORDS_MAX)).is_ok());
        assert_eq!(Terms::parse(&"京".repeat(TERM_WORDS_MAX + 1)), Err(TooManyTerms));
    }

    #[test]
    fn a_text_has_what_is_looked_for() {
        let is_in = |query: &str, text: &str| Terms::parse(query).unwrap().are_in(text);
        assert!(is_in("strasse bahn*", "Bahnhofstraße 3, an der Straße"));
        assert!(!is_in("hof", "Bahnhof"));
        assert!(is_in(r#""der Straße""#, "an DER STRASSE"));
        assert!(!is_in(r#""Straße der""#, "an der Straße"));
        assert!(is_in("京都", "東京都に住む"));
        assert!(!is_in("都京", "東京都に住む"));
        assert!(!is_in("!", "!"));
    }
}
