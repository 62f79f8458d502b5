use jiff::Timestamp;
use waxwing_app::{
    ports::{Document, Erased, Erasure, Found, Search, SearchPage, SearchQuery},
    search::Terms,
};
use waxwing_domain::{AccountId, Jid, MessageId, SessionId};

use crate::samples::account;

const BEGIN_MS: i64 = 1_767_225_600_000;
/// More than a page.
const MANY: u64 = 130;
const PAGE: usize = 7;
/// More pages than any engine needs.
const PAGES_MAX: usize = 1_000;

/// Checks [`Search`], and that [`Erasure`] removes what it found.
pub async fn search(search: &dyn Search, erasure: &dyn Erasure) {
    words_phrases_and_beginnings(search).await;
    folded_words(search).await;
    scopes(search).await;
    pages(search).await;
    versions(search).await;
    accounts(search, erasure).await;
}

/// What a check looks into: an account of its own.
#[derive(Clone, Copy)]
struct Library<'a> {
    search: &'a dyn Search,
    account: AccountId,
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN_MS + number as i64).expect("a time of today")
}

fn session(number: u64) -> SessionId {
    SessionId::derived(BEGIN_MS as u64, &[b"session", &number.to_be_bytes()])
}

fn chat(number: u64) -> Jid {
    Jid::parse(&format!("1555000{number:04}@s.whatsapp.net")).expect("an address")
}

fn everything(query: &str) -> SearchQuery {
    SearchQuery {
        terms: Terms::parse(query).expect("a query of a few words"),
        session: None,
        chats: Vec::new(),
        after: None,
        before: None,
        descending: false,
        limit: 100,
        cursor: None,
    }
}

impl<'a> Library<'a> {
    fn new(search: &'a dyn Search, label: &str) -> Self {
        Self { search, account: account(label) }
    }

    fn message(&self, number: u64) -> MessageId {
        let account = self.account.to_string();
        MessageId::derived(BEGIN_MS as u64, &[account.as_bytes(), &number.to_be_bytes()])
    }

    /// Its number says session, chat and time: each millisecond has two.
    fn document(&self, number: u64, version: u64, text: &str) -> Document {
        Document {
            message: self.message(number),
            session: session(number % 2),
            chat: chat(number % 3),
            committed_at: time(number / 2),
            version,
            text: text.to_owned(),
        }
    }

    async fn index(&self, documents: Vec<Document>) {
        self.search.index(self.account, documents).await.expect("Search: messages can be indexed");
    }

    async fn add(&self, texts: &[&str]) {
        let documents = (0..).zip(texts).map(|(number, text)| self.document(number, 1, text));
        self.index(documents.collect()).await;
    }

    async fn page(&self, query: &SearchQuery) -> SearchPage {
        self.search.search(self.account, query).await.expect("Search: a query can be answered")
    }

    /// Which messages all pages together have, in their order.
    async fn all(&self, query: &SearchQuery, up_to: u64) -> Vec<u64> {
        let (mut query, mut found) = (query.clone(), Vec::new());
        for _ in 0..PAGES_MAX {
            let page = self.page(&query).await;
            assert!(page.found.len() <= query.limit, "Search: a page has no more than the limit");
            found.extend(page.found.iter().map(|found| self.number(found, up_to)));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return found,
            }
        }
        panic!("Search: pages have an end");
    }

    fn number(&self, found: &Found, up_to: u64) -> u64 {
        let number = (0..up_to).find(|number| self.message(*number) == found.message);
        let number = number.expect("Search: an account finds its own messages only");
        assert_eq!(found.committed_at, time(number / 2), "Search: what is found says when it was");
        number
    }

    async fn finds(&self, query: &str, expected: &[u64], promise: &str) {
        let mut found = self.all(&everything(query), 100).await;
        found.sort_unstable();
        assert_eq!(found, expected, "Search: {promise}: {query}");
    }
}

async fn words_phrases_and_beginnings(search: &dyn Search) {
    let library = Library::new(search, "searched words");
    library
        .add(&[
            "The parcel is on its way to you",
            "Your invoice: 2026-117, on its way",
            "An invoice and a parcel",
            "AND so on, invoiced OR not",
            "on the way, its parcel",
        ])
        .await;
    library.finds("parcel", &[0, 2, 4], "a word is found where it stands").await;
    library.finds("nothing", &[], "what is not there is not found").await;
    library.finds("parc", &[], "a part of a word is another word").await;
    library.finds("parcel invoice", &[2], "all words have to be there").await;
    library.finds("invoi*", &[1, 2, 3], "a beginning is found").await;
    library.finds("parcel invoi*", &[2], "a beginning counts like a word").await;
    library.finds("\"on its way\"", &[0, 1], "words in quotes stand side by side").await;
    library.finds("\"its on\"", &[], "words in quotes stand side by side").await;
    library.finds("2026-11*", &[1], "a phrase may end in a beginning").await;
    library.finds("and", &[2, 3], "operators are words").await;
    library.finds("not OR on", &[3], "operators are words").await;
    library.finds("text:parcel", &[], "columns are words").await;
    library.finds("par*cel", &[], "an asterisk inside separates").await;
    library.finds("\"parcel", &[0, 2, 4], "a quote alone means nothing").await;
    library.finds("*\"' ();", &[], "without words nothing is found").await;
}

async fn folded_words(search: &dyn Search) {
    let library = Library::new(search, "folded words");
    library.add(&["Grüße aus der Straße", "İYİ GÜNLER", "مَرْحَبًا", "שָׁלוֹם", "東京都に住む", "👍🏽 sure"]).await;
    let promise = "case, accents and points make no difference";
    library.finds("GRUSSE strasse", &[0], promise).await;
    library.finds("iyi günler", &[1], promise).await;
    library.finds("مرحبا", &[2], promise).await;
    library.finds("שלום", &[3], promise).await;
    library.finds("京都", &[4], "words without spaces between are found").await;
    library.finds("都京", &[], "words without spaces between are found").await;
    library.finds("👍", &[5], "an emoji is a word").await;
    library.finds("gün*", &[1], promise).await;
}

async fn scopes(search: &dyn Search) {
    let library = Library::new(search, "scopes");
    library.add(&["ping"; 12]).await;
    let ping = everything("ping");
    let of = async |query: SearchQuery, expected: &[u64], promise: &str| {
        let mut found = library.all(&query, 100).await;
        found.sort_unstable();
        assert_eq!(found, expected, "Search: {promise}");
    };
    let query = SearchQuery { session: Some(session(1)), ..ping.clone() };
    of(query, &[1, 3, 5, 7, 9, 11], "of one session").await;
    let query = SearchQuery { session: Some(session(9)), ..ping.clone() };
    of(query, &[], "of a session without messages").await;
    let query = SearchQuery { chats: vec![chat(1)], ..ping.clone() };
    of(query, &[1, 4, 7, 10], "in one chat").await;
    let query = SearchQuery { chats: vec![chat(2), chat(9), chat(1)], ..ping.clone() };
    of(query, &[1, 2, 4, 5, 7, 8, 10, 11], "in one of several chats").await;
    let query = SearchQuery { session: Some(session(0)), chats: vec![chat(1)], ..ping.clone() };
    of(query, &[4, 10], "in one chat of one session").await;
    let query = SearchQuery { after: Some(time(1)), before: Some(time(4)), ..ping.clone() };
    of(query.clone(), &[4, 5, 6, 7], "between two times, without both").await;
    let query = SearchQuery { descending: true, limit: 3, ..query };
    of(query, &[4, 5, 6, 7], "between two times, without both").await;
}

async fn pages(search: &dyn Search) {
    let library = Library::new(search, "pages");
    // Late ones come between, as a phone's history does.
    let (late, early): (Vec<u64>, Vec<u64>) = (0..MANY).partition(|number| number % 5 < 2);
    for numbers in [early, late] {
        let text = |number: u64| if number.is_multiple_of(3) { "common rare" } else { "common" };
        let documents = numbers.into_iter().map(|number| library.document(number, 1, text(number)));
        library.index(documents.collect()).await;
    }
    let times = |found: &[u64]| found.iter().map(|number| number / 2).collect::<Vec<_>>();
    for (query, every) in [("common", 1), ("rare common", 3), ("comm* rare", 3)] {
        let query = SearchQuery { limit: PAGE, ..everything(query) };
        let expected: Vec<u64> = (0..MANY).filter(|number| number.is_multiple_of(every)).collect();
        let forwards = library.all(&query, MANY).await;
        let mut backwards = library.all(&SearchQuery { descending: true, ..query.clone() }, MANY).await;
        assert!(times(&forwards).is_sorted(), "Search: oldest first: {forwards:?}");
        backwards.reverse();
        assert_eq!(backwards, forwards, "Search: newest first is the same list from its end");
        let mut sorted = forwards;
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "Search: the pages have each message once");
    }
    let page = library.page(&SearchQuery { limit: PAGE, ..everything("common") }).await;
    assert_eq!(page.found.len(), PAGE, "Search: a page is filled where little has to be read for it");
}

async fn versions(search: &dyn Search) {
    let library = Library::new(search, "versions");
    library.add(&["first words", "other words"]).await;
    library.add(&["first words", "other words"]).await;
    library.finds("words", &[0, 1], "indexing a message twice has one effect").await;
    library.index(vec![library.document(0, 3, "second text")]).await;
    library.finds("first", &[], "what a message no longer says is not found").await;
    library.finds("second", &[0], "what it says now is found").await;
    library.finds("words", &[1], "what a message no longer says is not found").await;
    library.add(&["first words"]).await;
    library.finds("first", &[], "an older version changes nothing").await;
    library.finds("text", &[0], "an older version changes nothing").await;
    library.index(vec![library.document(0, 4, "")]).await;
    library.finds("text", &[], "a message without a text is not found").await;
    library.index(vec![library.document(0, 3, "second text")]).await;
    library.finds("text", &[], "a message whose text went does not come back").await;
    library.index(vec![library.document(2, 2, "")]).await;
    library.index(vec![library.document(0, 5, "again words")]).await;
    library.finds("words", &[0, 1], "a later version may say something again").await;
    let long = format!("begin {} ", "ha ".repeat(20_000));
    library.index(vec![library.document(3, 1, &long)]).await;
    library.finds("begin ha", &[3], "the first words of a long text are found").await;
}

async fn accounts(search: &dyn Search, erasure: &dyn Erasure) {
    let (ours, theirs) = (Library::new(search, "our words"), Library::new(search, "their words"));
    ours.add(&["shared secret", "shared"]).await;
    theirs.add(&["shared", "shared", "shared"]).await;
    ours.finds("shared", &[0, 1], "an account finds its own messages").await;
    theirs.finds("secret", &[], "no account finds what another wrote").await;
    let mut after = None;
    loop {
        let erased = erasure.erase_rows(ours.account, after.as_deref()).await;
        let Erased { next, .. } = erased.expect("Search: an account can be erased");
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    ours.finds("shared", &[], "nothing is found of an account that was erased").await;
    ours.finds("secr*", &[], "nothing is found of an account that was erased").await;
    theirs.finds("shared", &[0, 1, 2], "other accounts keep their words").await;
}
