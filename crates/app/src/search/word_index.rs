//! An index of words as rows, for engines that have none of their own: one row for each message and word, in the order of
//! words and, for one word, of time.
//!
//! ```text
//! {account}/words/{first two characters}   {word}/{time}/{message}   session, chat, places of the word in the text
//! {account}/searched/{message}             words                     the version that is indexed, and its words
//! ```

mod postings;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, Jid, SessionId};

use self::postings::{Scope, Word};
use super::words::first_words;
use crate::{
    keys,
    ports::{
        Consistency, Document, Found, Guard, Key, PortError, Records, Search, SearchPage, SearchQuery, Write,
    },
    rows,
};

/// Most different words that are indexed of one message: so many rows are written for it, and one more. They are the first
/// ones of its text.
pub const INDEXED_WORDS_MAX: usize = 32;
/// Words that a beginning stands for: the first ones of the account by alphabet that begin so.
pub const PREFIX_WORDS_MAX: usize = 16;
/// Characters of a word by which rows are read together.
const PARTITION_CHARS: usize = 2;
/// How many rows are read for one page, more or less: a page is short then.
const READ_MAX: usize = 2_000;
/// Messages that are indexed at once.
const DOCUMENTS_AT_ONCE: usize = 8;
/// How often a message is indexed anew because somebody else did so at the same time.
const TRIES: usize = 10;

/// The index on any engine's Records.
pub struct WordIndex {
    /// Where its rows are.
    pub records: Arc<dyn Records>,
}

/// One word in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Posting {
    #[serde(rename = "s")]
    session: SessionId,
    #[serde(rename = "c")]
    chat: Jid,
    /// Of which word in a row this is one, from 0.
    #[serde(rename = "p")]
    places: Vec<u16>,
}

type WordPlaces = BTreeMap<String, Vec<u16>>;

/// What is indexed of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Indexed {
    version: u64,
    words: WordPlaces,
}

impl Indexed {
    fn of(document: &Document) -> Self {
        let mut words = WordPlaces::new();
        for (place, word) in (0_u16..).zip(first_words(&document.text, INDEXED_WORDS_MAX)) {
            words.entry(word).or_default().push(place);
        }
        Self { version: document.version, words }
    }
}

fn partition(account: AccountId, word: &str) -> String {
    keys::search_words(account, &word.chars().take(PARTITION_CHARS).collect::<String>())
}

#[async_trait]
impl Search for WordIndex {
    async fn index(&self, account: AccountId, documents: Vec<Document>) -> Result<(), PortError> {
        for documents in documents.chunks(DOCUMENTS_AT_ONCE) {
            try_join_all(documents.iter().map(|document| self.index_one(account, document))).await?;
        }
        Ok(())
    }

    async fn search(&self, account: AccountId, query: &SearchQuery) -> Result<SearchPage, PortError> {
        let scope = Scope::of(account, query);
        let mut terms = Vec::new();
        for term in query.terms.each() {
            let mut words = Vec::new();
            for (place, word) in term.words.iter().enumerate() {
                let is_prefix = term.is_prefix && place + 1 == term.words.len();
                words.push(Word::new(&*self.records, &scope, word, is_prefix).await?);
            }
            terms.push(words);
        }
        if terms.is_empty() || query.limit == 0 {
            return Ok(SearchPage::default());
        }
        Hits { index: self, scope, terms, next_word: 0, read: 0, passed: None }.page(query).await
    }
}

impl WordIndex {
    /// Words first, then the row that says which: who repeats this after it was ended finds what has to go. Who was overtaken
    /// by a newer version puts that one's words back and takes its own away.
    async fn index_one(&self, account: AccountId, document: &Document) -> Result<(), PortError> {
        let ours = Indexed::of(document);
        let key = keys::searched_message(account, document.message);
        let mut written = BTreeSet::new();
        // Nobody indexed the first version before, as a rule.
        let mut looks = document.version > 1;
        for _ in 0..TRIES {
            let there = match looks {
                true => self.records.get(&key, Consistency::Strong).await?,
                false => None,
            };
            looks = true;
            let kept: Indexed = there.as_ref().map(rows::value).transpose()?.unwrap_or_default();
            let wanted = if kept.version > ours.version { &kept } else { &ours };
            let is_nothing = there.is_none() && wanted.words.is_empty();
            if written.is_empty() && (kept.version > ours.version || is_nothing) {
                return Ok(());
            }
            let mut writes = Vec::new();
            for (word, places) in &wanted.words {
                writes.push(Write::Put(posting(account, document, word, places)?, Guard::Always));
            }
            for word in kept.words.keys().chain(&written).filter(|word| !wanted.words.contains_key(*word)) {
                writes.push(Write::Delete(posting_key(account, document, word), Guard::Always));
            }
            self.records.write_each(writes).await?;
            written.extend(wanted.words.keys().cloned());
            let guard = there.as_ref().map_or(Guard::Absent, |row| Guard::Exactly(row.version));
            // It counts writes: one that changes nothing else still tells the others that words were written meanwhile.
            let row = rows::row(key.clone(), there.as_ref().map_or(1, |row| row.version + 1), wanted)?;
            if self.records.write_each(vec![Write::Put(row, guard)]).await? == [true] {
                return Ok(());
            }
        }
        let message = document.message;
        Err(PortError::Throttled(format!("{message} changed {TRIES} times while it was indexed")))
    }
}

fn posting_key(account: AccountId, document: &Document, word: &str) -> Key {
    let found = Found { committed_at: document.committed_at, message: document.message };
    Key::new(partition(account, word), format!("{word}/{}", found.position()))
}

fn posting(
    account: AccountId,
    document: &Document,
    word: &str,
    places: &[u16],
) -> Result<crate::ports::Row, PortError> {
    let posting = Posting { session: document.session, chat: document.chat.clone(), places: places.to_vec() };
    rows::row(posting_key(account, document, word), document.version, &posting)
}

/// The messages in which all words are, one after the other: whichever list of a word is behind goes on to where the others
/// are, and so skips what cannot be found.
struct Hits<'a> {
    index: &'a WordIndex,
    scope: Scope<'a>,
    /// The words of each term.
    terms: Vec<Vec<Word>>,
    /// Which of all words goes on next.
    next_word: usize,
    /// Rows that were read.
    read: usize,
    /// The last position behind which all is still to be looked at, and before which nothing is.
    passed: Option<String>,
}

impl Hits<'_> {
    async fn page(mut self, query: &SearchQuery) -> Result<SearchPage, PortError> {
        let mut found = Vec::new();
        loop {
            let Some(position) = self.next_in_all().await? else {
                return Ok(SearchPage { found, next: None });
            };
            let is_over = position.is_none();
            if let Some(position) = position {
                if self.is_wanted(query) {
                    found.push(read_position(&position)?);
                }
                self.passed = Some(position);
            }
            if is_over || found.len() == query.limit {
                let next = self.passed.as_deref().map(read_position).transpose()?;
                return Ok(SearchPage { found, next });
            }
        }
    }

    /// The next message with all words: `None` behind the last one, and `Some(None)` when enough was read for now.
    async fn next_in_all(&mut self) -> Result<Option<Option<String>>, PortError> {
        let count = self.terms.iter().map(Vec::len).sum::<usize>();
        let (mut candidate, mut agreed): (Option<String>, usize) = (None, 0);
        while agreed < count {
            if self.read >= READ_MAX && self.passed.is_some() {
                return Ok(Some(None));
            }
            let word = self.terms.iter_mut().flatten().nth(self.next_word).expect("it is below their number");
            self.next_word = (self.next_word + 1) % count;
            let target = match &candidate {
                Some(position) => Some((position.as_str(), true)),
                None => self.passed.as_deref().map(|position| (position, false)),
            };
            let (read, head) = word.go_to(&*self.index.records, &self.scope, target).await?;
            self.read += read;
            let Some(head) = head else { return Ok(None) };
            match candidate == Some(head.clone()) {
                true => agreed += 1,
                false => {
                    // All before it is done with: nothing before it is in all.
                    if let Some(before) = candidate.replace(head) {
                        self.passed = Some(before);
                    }
                    agreed = 1;
                },
            }
        }
        Ok(Some(candidate))
    }

    /// All words stand at one message: whether it is in the scope, and the words of each term stand side by side.
    fn is_wanted(&self, query: &SearchQuery) -> bool {
        let head = self.terms.iter().flatten().next().and_then(|word| word.postings(&self.scope).next());
        let is_in_scope = head.is_some_and(|posting| {
            query.session.is_none_or(|session| session == posting.session)
                && (query.chats.is_empty() || query.chats.contains(&posting.chat))
        });
        is_in_scope
            && self.terms.iter().all(|words| {
                let Some((first, rest)) = words.split_first() else { return false };
                first.places(&self.scope).iter().any(|start| {
                    (start + 1..).zip(rest).all(|(place, word)| word.places(&self.scope).contains(&place))
                })
            })
    }
}

fn read_position(position: &str) -> Result<Found, PortError> {
    Found::parse(position).ok_or_else(|| PortError::Corrupt(format!("a word stands at {position}")))
}
