use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use waxwing_app::{
    ports::{Document, Erased, Erasure, Found, PortError, Search, SearchPage, SearchQuery},
    search::{Term, Terms, words},
};
use waxwing_conformance as conformance;
use waxwing_domain::AccountId;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    FindsAnyOfTheWords,
    IgnoresPhrases,
    IgnoresAsterisks,
    FindsPartsOfWords,
    KeepsAccents,
    IgnoresSessions,
    IgnoresChats,
    IgnoresTheFirstChatOnly,
    IncludesTheFirstTime,
    IncludesTheLastTime,
    SortsByArrival,
    IgnoresTheDirection,
    IgnoresTheLimit,
    SkipsAfterAPage,
    IgnoresTheCursor,
    KeepsWhatWasSaid,
    TakesOlderVersions,
    ForgetsVersionsOfTheEmpty,
    MixesAccounts,
    ErasesNothing,
    ErasesEverybody,
}

/// Documents in memory, in the order in which they came.
struct Toy {
    documents: Mutex<Vec<(AccountId, Document)>>,
    fault: Fault,
}

impl Toy {
    fn documents(&self) -> MutexGuard<'_, Vec<(AccountId, Document)>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn fits(&self, text: &str, terms: &Terms) -> bool {
        let is_in = |term: &Term| {
            let has = |word: &str| words(text).any(|other| other == word);
            match self.fault {
                Fault::IgnoresPhrases if !term.is_prefix => term.words.iter().all(|word| has(word)),
                Fault::IgnoresAsterisks if term.is_prefix => term.words.iter().all(|word| has(word)),
                Fault::FindsPartsOfWords => term.words.iter().all(|word| text.to_lowercase().contains(word)),
                Fault::KeepsAccents => {
                    term.words.iter().all(|word| text.to_lowercase().contains(word)) && one(term).are_in(text)
                },
                _ => one(term).are_in(text),
            }
        };
        match self.fault {
            Fault::FindsAnyOfTheWords => terms.each().iter().any(is_in),
            _ => !terms.each().is_empty() && terms.each().iter().all(is_in),
        }
    }

    fn is_in_scope(&self, document: &Document, query: &SearchQuery) -> bool {
        let chats = match self.fault {
            Fault::IgnoresChats => &[][..],
            Fault::IgnoresTheFirstChatOnly => query.chats.get(1..).unwrap_or_default(),
            _ => &query.chats,
        };
        let at = document.committed_at;
        (self.has(Fault::IgnoresSessions) || query.session.is_none_or(|session| session == document.session))
            && (chats.is_empty() || chats.contains(&document.chat))
            && query
                .after
                .is_none_or(|after| at > after || (self.has(Fault::IncludesTheFirstTime) && at == after))
            && query
                .before
                .is_none_or(|before| at < before || (self.has(Fault::IncludesTheLastTime) && at == before))
    }
}

/// A query of one term.
fn one(term: &Term) -> Terms {
    let (words, asterisk) = (term.words.join("-"), if term.is_prefix { "*" } else { "" });
    Terms::parse(&format!("{words}{asterisk}")).expect("it is no longer than it was")
}

#[async_trait]
impl Search for Toy {
    async fn index(&self, account: AccountId, documents: Vec<Document>) -> Result<(), PortError> {
        for document in documents {
            let mut all = self.documents();
            let place =
                all.iter().position(|(owner, other)| *owner == account && other.message == document.message);
            match place {
                Some(place)
                    if all[place].1.version > document.version && !self.has(Fault::TakesOlderVersions) => {},
                Some(place) if self.has(Fault::KeepsWhatWasSaid) => {
                    all[place].1.text += &format!(" {}", document.text);
                },
                Some(place) if document.text.is_empty() && self.has(Fault::ForgetsVersionsOfTheEmpty) => {
                    all.remove(place);
                },
                Some(place) => all[place].1 = document,
                None => all.push((account, document)),
            }
        }
        Ok(())
    }

    async fn search(&self, account: AccountId, query: &SearchQuery) -> Result<SearchPage, PortError> {
        let all = self.documents();
        let mut fitting: Vec<&Document> = all
            .iter()
            .filter(|(owner, _)| *owner == account || self.has(Fault::MixesAccounts))
            .map(|(_, document)| document)
            .filter(|document| self.is_in_scope(document, query) && self.fits(&document.text, &query.terms))
            .collect();
        if !self.has(Fault::SortsByArrival) {
            fitting.sort_by_key(|document| (document.committed_at, document.message));
        }
        if query.descending && !self.has(Fault::IgnoresTheDirection) {
            fitting.reverse();
        }
        let behind = query.cursor.filter(|_| !self.has(Fault::IgnoresTheCursor)).map_or(0, |cursor| {
            let place = fitting.iter().position(|document| document.message == cursor.message);
            place.map_or(0, |place| place + 1 + usize::from(self.has(Fault::SkipsAfterAPage)))
        });
        let limit = if self.has(Fault::IgnoresTheLimit) { query.limit + 1 } else { query.limit };
        let found = fitting.get(behind..).unwrap_or_default().iter().take(limit);
        let found: Vec<Found> = found
            .map(|document| Found { committed_at: document.committed_at, message: document.message })
            .collect();
        let next = found.last().copied().filter(|_| found.len() >= query.limit);
        Ok(SearchPage { found, next })
    }
}

#[async_trait]
impl Erasure for Toy {
    async fn erase_rows(&self, account: AccountId, _: Option<&str>) -> Result<Erased, PortError> {
        self.documents().retain(|(owner, _)| match self.fault {
            Fault::ErasesNothing => true,
            Fault::ErasesEverybody => false,
            _ => *owner != account,
        });
        Ok(Erased { rows: 0, next: None })
    }
}

async fn suite(fault: Fault) {
    let toy = Toy { documents: Mutex::default(), fault };
    conformance::search(&toy, &toy).await;
}

#[tokio::test]
async fn a_correct_search_passes() {
    suite(Fault::None).await;
}

#[tokio::test]
async fn each_broken_promise_is_named() {
    all_break(
        [
            (Fault::FindsAnyOfTheWords, "all words have to be there"),
            (Fault::IgnoresPhrases, "words in quotes stand side by side"),
            (Fault::IgnoresAsterisks, "a beginning is found"),
            (Fault::FindsPartsOfWords, "a part of a word is another word"),
            (Fault::KeepsAccents, "case, accents and points make no difference"),
            (Fault::IgnoresSessions, "of one session"),
            (Fault::IgnoresChats, "in one chat"),
            (Fault::IgnoresTheFirstChatOnly, "in one chat"),
            (Fault::IncludesTheFirstTime, "between two times, without both"),
            (Fault::IncludesTheLastTime, "between two times, without both"),
            (Fault::SortsByArrival, "oldest first"),
            (Fault::IgnoresTheDirection, "newest first"),
            (Fault::IgnoresTheLimit, "no more than the limit"),
            (Fault::SkipsAfterAPage, "between two times, without both"),
            (Fault::IgnoresTheCursor, "pages have an end"),
            (Fault::KeepsWhatWasSaid, "what a message no longer says is not found"),
            (Fault::TakesOlderVersions, "an older version changes nothing"),
            (Fault::ForgetsVersionsOfTheEmpty, "a message whose text went does not come back"),
            (Fault::MixesAccounts, "an account finds its own messages only"),
            (Fault::ErasesNothing, "nothing is found of an account that was erased"),
            (Fault::ErasesEverybody, "other accounts keep their words"),
        ],
        suite,
    )
    .await;
}
