//! Finding messages by their words: how texts and queries become words, the same on every engine, and the index for engines
//! that have none of their own.

mod terms;
mod word_index;
mod words;

pub use terms::{TERM_WORDS_MAX, TERMS_MAX, Term, Terms, TooManyTerms};
pub use word_index::{INDEXED_WORDS_MAX, PREFIX_WORDS_MAX, WordIndex};
pub use words::{WORD_CHARS_MAX, first_words, words};
