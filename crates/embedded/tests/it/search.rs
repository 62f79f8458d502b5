//! What the index of words leaves in the file.

use jiff::Timestamp;
use rusqlite::Connection;
use waxwing_app::{
    ports::{Document, SearchQuery},
    search::Terms,
};
use waxwing_domain::{AccountId, Jid, MessageId, SessionId};

use crate::{Fixture, account};

const MANY: u64 = 1_200;

fn document(number: u64, text: String) -> Document {
    Document {
        message: MessageId::derived(number, &[b"search"]),
        session: SessionId::derived(1, &[b"search"]),
        chat: Jid::parse("15550002222@s.whatsapp.net").unwrap(),
        committed_at: Timestamp::from_second(1_767_225_600).unwrap(),
        version: 1,
        text,
    }
}

fn query(text: &str) -> SearchQuery {
    SearchQuery {
        terms: Terms::parse(text).unwrap(),
        session: None,
        chats: Vec::new(),
        after: None,
        before: None,
        descending: true,
        limit: 1_000,
        cursor: None,
    }
}

fn number(fixture: &Fixture, sql: &str) -> i64 {
    let database = Connection::open(fixture.folder.path().join("waxwing.db")).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Pages of the index in which these letters stand one after the other.
fn pages_with(fixture: &Fixture, letters: &str) -> i64 {
    number(
        fixture,
        &format!("SELECT count(*) FROM search_data WHERE instr(block, CAST('{letters}' AS BLOB)) > 0"),
    )
}

async fn erase(fixture: &Fixture, account: AccountId) {
    let (erasure, mut after) = (fixture.engine.erasure(), None);
    loop {
        match erasure.erase_rows(account, after.as_deref()).await.unwrap().next {
            Some(next) => after = Some(next),
            None => return,
        }
    }
}

#[tokio::test]
async fn words_of_an_erased_account_are_in_no_page_of_the_index() {
    let fixture = Fixture::new();
    let (search, theirs) = (fixture.engine.search(), AccountId::derived(1, &[b"others"]));
    for owner in [account(), theirs] {
        let text = |number: u64| match owner == theirs {
            true => format!("ordinary words {number}"),
            false => format!("quetzalcoatlus {number} words"),
        };
        for chunk in (0..MANY).collect::<Vec<_>>().chunks(100) {
            let documents = chunk.iter().map(|number| document(*number, text(*number))).collect();
            search.index(owner, documents).await.unwrap();
        }
    }
    assert!(pages_with(&fixture, "etzalcoatlus") > 0, "the test would see the word");
    assert!(pages_with(&fixture, "dinary") > 0);
    erase(&fixture, account()).await;
    assert_eq!(pages_with(&fixture, "etzalcoatlus"), 0);
    assert_eq!(number(&fixture, "SELECT count(*) FROM search_documents"), MANY as i64);
    assert_eq!(number(&fixture, "SELECT count(*) FROM search_names"), 3, "of the other account");
    assert_eq!(search.search(theirs, &query("ordinary")).await.unwrap().found.len(), 1_000);
    // A number that was an account's is nobody else's.
    search.index(account(), vec![document(1, "again".to_owned())]).await.unwrap();
    assert!(search.search(account(), &query("quetzal*")).await.unwrap().found.is_empty());
    assert_eq!(search.search(account(), &query("again")).await.unwrap().found.len(), 1);
}

#[tokio::test]
async fn the_index_is_there_after_a_start() {
    let fixture = Fixture::new();
    fixture.engine.search().index(account(), vec![document(1, "durable".to_owned())]).await.unwrap();
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.engine.search().search(account(), &query("dura*")).await.unwrap().found.len(), 1);
}
