//! The lists of one word.

use std::collections::{BTreeSet, VecDeque};

use waxwing_domain::AccountId;

use super::{PREFIX_WORDS_MAX, Posting, partition};
use crate::{
    ports::{Bounds, PortError, Query, Records, SearchQuery},
    rows,
};

/// Rows that are read at once of one list.
const CHUNK: usize = 50;
/// Behind all words that begin in a way.
const LAST_CHARACTER: char = char::MAX;

/// Which part of each list is read, and in which direction. Positions begin with the time in milliseconds.
pub(super) struct Scope<'a> {
    account: AccountId,
    after: Option<String>,
    before: Option<String>,
    query: &'a SearchQuery,
}

impl<'a> Scope<'a> {
    pub(super) fn of(account: AccountId, query: &'a SearchQuery) -> Self {
        // `~` sorts behind every position of the same millisecond.
        let after = query.after.map(|time| format!("{:015}~", time.as_millisecond().max(0)));
        let before = query.before.map(|time| format!("{:015}", time.as_millisecond().max(0)));
        let cursor = query.cursor.map(|cursor| cursor.position());
        let (after, before) = match query.descending {
            false => (after.max(cursor), before),
            true => (after, [before, cursor].into_iter().flatten().min()),
        };
        Self { account, after, before, query }
    }

    /// True when the position stands before the target, as they are read.
    fn is_short_of(&self, position: &str, (target, counts): (&str, bool)) -> bool {
        (position == target && !counts)
            || if self.query.descending { position > target } else { position < target }
    }

    fn first_of<'p>(&self, positions: impl Iterator<Item = &'p str>) -> Option<&'p str> {
        if self.query.descending { positions.max() } else { positions.min() }
    }
}

/// Where to go: this position or the next one, and whether it counts itself.
pub(super) type Target<'a> = Option<(&'a str, bool)>;

/// A word, or all that begin so.
pub(super) struct Word {
    lists: Vec<List>,
}

/// One word's messages, from where it was read to.
struct List {
    word: String,
    ahead: VecDeque<(String, Posting)>,
    /// The last one that was read.
    cursor: Option<String>,
    is_over: bool,
}

impl Word {
    pub(super) async fn new(
        records: &dyn Records,
        scope: &Scope<'_>,
        word: &str,
        is_prefix: bool,
    ) -> Result<Self, PortError> {
        let words = match is_prefix {
            true => that_begin(records, scope.account, word).await?,
            false => vec![word.to_owned()],
        };
        let list = |word| List { word, ahead: VecDeque::new(), cursor: None, is_over: false };
        Ok(Self { lists: words.into_iter().map(list).collect() })
    }

    /// Goes to the target. Says how many rows were read for it, and where the word is next; `None` behind the last one.
    pub(super) async fn go_to(
        &mut self,
        records: &dyn Records,
        scope: &Scope<'_>,
        target: Target<'_>,
    ) -> Result<(usize, Option<String>), PortError> {
        let mut read = 0;
        for list in &mut self.lists {
            read += list.go_to(records, scope, target).await?;
        }
        Ok((read, self.head(scope).map(str::to_owned)))
    }

    fn head(&self, scope: &Scope<'_>) -> Option<&str> {
        scope.first_of(self.lists.iter().filter_map(|list| list.ahead.front()).map(|(at, _)| at.as_str()))
    }

    /// The rows of the message at its head: of each of its words that the message has.
    pub(super) fn postings(&self, scope: &Scope<'_>) -> impl Iterator<Item = &Posting> {
        let (head, rows) = (self.head(scope), self.lists.iter().filter_map(|list| list.ahead.front()));
        rows.filter(move |(at, _)| Some(at.as_str()) == head).map(|(_, posting)| posting)
    }

    /// Where in the text of that message it stands.
    pub(super) fn places(&self, scope: &Scope<'_>) -> BTreeSet<u16> {
        self.postings(scope).flat_map(|posting| posting.places.iter().copied()).collect()
    }
}

impl List {
    async fn go_to(
        &mut self,
        records: &dyn Records,
        scope: &Scope<'_>,
        target: Target<'_>,
    ) -> Result<usize, PortError> {
        let mut read = 0;
        loop {
            let is_short =
                |(at, _): &(String, Posting)| target.is_some_and(|target| scope.is_short_of(at, target));
            while self.ahead.pop_front_if(|row| is_short(row)).is_some() {}
            if !self.ahead.is_empty() || self.is_over {
                return Ok(read);
            }
            read += self.read_on(records, scope, target).await?;
        }
    }

    /// Reads the next rows, from the target on.
    async fn read_on(
        &mut self,
        records: &dyn Records,
        scope: &Scope<'_>,
        target: Target<'_>,
    ) -> Result<usize, PortError> {
        let Self { word, cursor, .. } = self;
        let descending = scope.query.descending;
        // Bounds leave out what they name. Without its last character, or with one more, the target is inside; what else comes
        // in is passed by.
        let target = target.map(|(position, _)| match descending {
            true => format!("{position}~"),
            false => position[..position.len() - 1].to_owned(),
        });
        let from = [cursor.clone(), target].into_iter().flatten();
        let (after, before) = match descending {
            false => (from.chain(scope.after.clone()).max(), scope.before.clone()),
            true => (scope.after.clone(), from.chain(scope.before.clone()).min()),
        };
        let query = Query {
            index: 0,
            partition: partition(scope.account, word),
            bounds: Bounds {
                after: Some(format!("{word}/{}", after.unwrap_or_default())),
                // `0` is the character behind `/`.
                before: Some(before.map_or_else(|| format!("{word}0"), |before| format!("{word}/{before}"))),
            },
            descending,
            limit: CHUNK,
        };
        let rows = records.query(query).await?;
        let count = rows.len();
        for row in &rows {
            let position = &row.key.sort[word.len() + 1..];
            self.ahead.push_back((position.to_owned(), rows::value(row)?));
        }
        self.is_over = count < CHUNK;
        self.cursor = self.ahead.back().map(|(at, _)| at.clone()).or(self.cursor.take());
        Ok(count)
    }
}

/// Which words of the account begin so: one row is read of each.
async fn that_begin(
    records: &dyn Records,
    account: AccountId,
    beginning: &str,
) -> Result<Vec<String>, PortError> {
    let mut words = Vec::new();
    let mut after = beginning.to_owned();
    while words.len() < PREFIX_WORDS_MAX {
        let bounds = Bounds { after: Some(after), before: Some(format!("{beginning}{LAST_CHARACTER}")) };
        let partition = partition(account, beginning);
        let query = Query { index: 0, partition, bounds, descending: false, limit: 1 };
        let rows = records.query(query).await?;
        let Some((word, _)) = rows.first().and_then(|row| row.key.sort.split_once('/')) else { break };
        // `0` is the character behind `/`.
        after = format!("{word}0");
        words.push(word.to_owned());
    }
    Ok(words)
}
