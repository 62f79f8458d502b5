use std::time::Duration;

use futures::future::join_all;
use waxwing_app::ports::{
    Bounds, Consistency, Guard, IndexEntry, Key, PortError, Query, Records, Row, Write,
};

use crate::TestClock;

const MINUTE: Duration = Duration::from_secs(60);
/// An index may lag by a second; nothing here waits longer for one.
const INDEX_PATIENCE: Duration = Duration::from_secs(5);

/// Checks [`Records`].
pub async fn records(records: &dyn Records, clock: &TestClock) {
    reads_back_what_was_written(records, clock).await;
    holds_each_guard(records).await;
    guards_deletes(records).await;
    skips_where_a_guard_fails(records).await;
    writes_all_or_nothing(records).await;
    checks_without_writing(records).await;
    lets_one_of_many_writers_win(records).await;
    queries_ranges(records).await;
    queries_indexes(records).await;
    names_places_without_rows(records).await;
    replaces_indexes_with_the_row(records).await;
    forgets_rows_whose_time_is_over(records, clock).await;
}

async fn reads_back_what_was_written(records: &dyn Records, clock: &TestClock) {
    assert_eq!(get(records, &key("plain", "missing")).await, None, "Records: what nobody wrote is not there");
    let full = Row {
        value: (0..=255).cycle().take(200_000).collect(),
        version: 1 << 40,
        indexes: vec![entry(1, "plain-index", "z"), entry(2, "plain-index", "ü\"")],
        expires_at: Some(clock.ahead(MINUTE)),
        ..row("plain", "full", 0)
    };
    let bare = Row { value: vec![], version: 0, ..row("plain", "ü/#\u{1F426}", 0) };
    for row in [full, bare] {
        put(records, &row, Guard::Always, true).await;
        assert_eq!(
            get(records, &row.key).await.as_ref(),
            Some(&row),
            "Records: a row reads back as it was written"
        );
        let other = Row {
            version: row.version + 1,
            value: b"other".to_vec(),
            indexes: vec![],
            expires_at: None,
            ..row
        };
        put(records, &other, Guard::Always, true).await;
        assert_eq!(get(records, &other.key).await.as_ref(), Some(&other), "Records: a row is replaced whole");
        for near in [key("plai", "nfull"), key(&other.key.sort, "plain"), key("plain", "ful")] {
            assert_eq!(get(records, &near).await, None, "Records: both parts of a key count");
        }
    }
}

async fn holds_each_guard(records: &dyn Records) {
    use Guard::{Absent, Always, Exactly, Newer};
    // Version there, guard, version put, whether it holds.
    let cases = [
        (None, Always, 1, true),
        (Some(5), Always, 1, true),
        (None, Absent, 1, true),
        (Some(5), Absent, 6, false),
        (None, Newer, 0, true),
        (Some(5), Newer, 6, true),
        (Some(5), Newer, 5, false),
        (Some(5), Newer, 4, false),
        (Some(0), Newer, 1, true),
        (None, Exactly(0), 1, false),
        (None, Exactly(5), 6, false),
        (Some(5), Exactly(5), 6, true),
        (Some(5), Exactly(5), 1, true),
        (Some(5), Exactly(4), 6, false),
        (Some(5), Exactly(6), 7, false),
        (Some(0), Exactly(0), 1, true),
    ];
    for (number, (there, guard, version, holds)) in cases.into_iter().enumerate() {
        for alone in [true, false] {
            let label = format!("case-{number}-{alone}");
            let old = there.map(|version| Row { value: b"old".to_vec(), ..row("guards", &label, version) });
            if let Some(old) = &old {
                put(records, old, Always, true).await;
            }
            let new = row("guards", &label, version);
            let held = if alone {
                records
                    .write_each(vec![Write::Put(new.clone(), guard)])
                    .await
                    .expect("Records: rows can be written")
                    == [true]
            } else {
                all(records, vec![Write::Put(new.clone(), guard)]).await
            };
            assert_eq!(held, holds, "Records: {guard:?} on version {there:?} with version {version}");
            let expected = if holds { Some(new) } else { old };
            assert_eq!(
                get(records, &key("guards", &label)).await,
                expected,
                "Records: a write happens exactly when its guard holds"
            );
        }
    }
}

async fn guards_deletes(records: &dyn Records) {
    use Guard::{Absent, Always, Exactly};
    let cases = [
        (None, Always, true),
        (None, Absent, true),
        (None, Exactly(1), false),
        (Some(5), Always, true),
        (Some(5), Absent, false),
        (Some(5), Exactly(5), true),
        (Some(5), Exactly(4), false),
    ];
    for (number, (there, guard, holds)) in cases.into_iter().enumerate() {
        let place = key("deletes", &number.to_string());
        if let Some(version) = there {
            put(records, &row("deletes", &place.sort, version), Always, true).await;
        }
        let held = records.write_each(vec![Write::Delete(place.clone(), guard)]).await;
        assert_eq!(held.ok(), Some(vec![holds]), "Records: a delete with {guard:?} on version {there:?}");
        let stays = there.is_some() && !holds;
        assert_eq!(
            get(records, &place).await.is_some(),
            stays,
            "Records: a delete happens exactly when its guard holds"
        );
    }
}

async fn skips_where_a_guard_fails(records: &dyn Records) {
    put(records, &row("skip", "b", 5), Guard::Always, true).await;
    let writes = vec![
        Write::Put(row("skip", "a", 1), Guard::Absent),
        Write::Put(row("skip", "b", 1), Guard::Absent),
        Write::Delete(key("skip", "b"), Guard::Exactly(1)),
        Write::Put(row("skip", "c", 1), Guard::Newer),
        Write::Put(row("skip", "c", 2), Guard::Exactly(1)),
        Write::Delete(key("skip", "a"), Guard::Exactly(1)),
    ];
    let applied =
        records.write_each(writes).await.expect("Records: a guard that fails is an answer and not an error");
    assert_eq!(
        applied,
        [true, false, false, true, true, true],
        "Records: `write_each` applies in order and says what it applied"
    );
    let versions = [
        version(records, "skip", "a").await,
        version(records, "skip", "b").await,
        version(records, "skip", "c").await,
    ];
    assert_eq!(versions, [None, Some(5), Some(2)], "Records: `write_each` skips only what its guard refuses");
    assert_eq!(records.write_each(vec![]).await.ok(), Some(vec![]), "Records: writing nothing is fine");
}

async fn writes_all_or_nothing(records: &dyn Records) {
    put(records, &row("all", "old", 5), Guard::Always, true).await;
    let writes = |guard| {
        vec![
            Write::Put(row("all", "first", 1), Guard::Absent),
            Write::Delete(key("all", "old"), Guard::Exactly(5)),
            Write::Put(row("all-elsewhere", "last", 1), guard),
        ]
    };
    assert!(
        !all(records, writes(Guard::Exactly(9))).await,
        "Records: `write_all` is a conflict when one guard fails"
    );
    let versions = [version(records, "all", "first").await, version(records, "all", "old").await];
    assert_eq!(versions, [None, Some(5)], "Records: `write_all` writes nothing when one guard fails");
    assert!(all(records, writes(Guard::Absent)).await, "Records: `write_all` writes when every guard holds");
    let versions = [
        version(records, "all", "first").await,
        version(records, "all", "old").await,
        version(records, "all-elsewhere", "last").await,
    ];
    assert_eq!(
        versions,
        [Some(1), None, Some(1)],
        "Records: `write_all` writes everything when every guard holds"
    );
    let many = (0..100)
        .map(|number| Write::Put(row("all-many", &format!("{number:03}"), 1), Guard::Absent))
        .collect();
    assert!(all(records, many).await, "Records: `write_all` takes 100 writes");
}

async fn checks_without_writing(records: &dyn Records) {
    put(records, &row("check", "there", 5), Guard::Always, true).await;
    let cases = [
        ("there", Guard::Exactly(5), true),
        ("there", Guard::Exactly(4), false),
        ("there", Guard::Absent, false),
        ("missing", Guard::Absent, true),
        ("missing", Guard::Exactly(0), false),
    ];
    for (number, (sort, guard, holds)) in cases.into_iter().enumerate() {
        let target = number.to_string();
        let writes = vec![
            Write::Put(row("check-target", &target, 1), Guard::Always),
            Write::Check(key("check", sort), guard),
        ];
        assert_eq!(all(records, writes).await, holds, "Records: a check of {sort} with {guard:?}");
        let written = version(records, "check-target", &target).await.is_some();
        assert_eq!(written, holds, "Records: a check that fails stops the whole `write_all`");
    }
    let versions = [version(records, "check", "there").await, version(records, "check", "missing").await];
    assert_eq!(versions, [Some(5), None], "Records: a check changes nothing");
}

async fn lets_one_of_many_writers_win(records: &dyn Records) {
    for round in 0..6_u64 {
        let rivals = (0..16_u64).map(|rival| async move {
            let row = Row { value: rival.to_be_bytes().to_vec(), ..row("rivals", "row", round + 1) };
            let guard = if round == 0 { Guard::Absent } else { Guard::Exactly(round) };
            // Rounds of one kind of write, of the other, and of both.
            let is_alone = [true, false, rival % 2 == 0][round as usize % 3];
            if is_alone {
                try_put(records, &row, guard).await.then_some(row)
            } else {
                all(records, vec![Write::Put(row.clone(), guard)]).await.then_some(row)
            }
        });
        let winners: Vec<Row> = join_all(rivals).await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "Records: of concurrent writes under one guard exactly one happens");
        assert_eq!(
            get(records, &key("rivals", "row")).await.as_ref(),
            winners.first(),
            "Records: the row is the winner's"
        );
    }
}

async fn queries_ranges(records: &dyn Records) {
    // Bytes decide: capitals before small letters, "a" before "a0", and ü behind everything in ASCII.
    let sorts = ["", "0", "10", "9", "B", "a", "a0", "b", "ü"];
    for (number, sort) in sorts.iter().enumerate().rev() {
        // DynamoDB has no empty sort keys, so no engine has to.
        if !sort.is_empty() {
            put(records, &row("range", sort, number as u64), Guard::Always, true).await;
        }
        put(records, &row("range-beside", &format!("{sort}x"), 1), Guard::Always, true).await;
    }
    let sorts = &sorts[1..];
    let bounds = [None, Some("10"), Some("a"), Some("A"), Some("ü"), Some("0"), Some("zz")];
    for after in bounds {
        for before in bounds {
            // An empty range is an error on DynamoDB, and nobody asks for one.
            if after.zip(before).is_some_and(|(after, before)| after >= before) {
                continue;
            }
            let mut expected: Vec<&str> = sorts.to_vec();
            expected.retain(|sort| {
                after.is_none_or(|after| *sort > after) && before.is_none_or(|before| *sort < before)
            });
            for descending in [false, true] {
                for limit in [1, 3, 1000] {
                    let found = query(
                        records,
                        Query { bounds: between(after, before), descending, limit, ..all_of("range") },
                    )
                    .await;
                    let found: Vec<&str> = found.iter().map(|row| row.key.sort.as_str()).collect();
                    let promise = "Records: a query returns the rows strictly between its bounds in the order of their sort keys' bytes";
                    assert_eq!(
                        found,
                        expected[..limit.min(expected.len())],
                        "{promise} ({after:?}..{before:?}, descending: {descending})"
                    );
                }
                expected.reverse();
            }
        }
    }
    assert_eq!(
        query(records, all_of("range-missing")).await,
        [],
        "Records: a partition that nobody wrote is empty"
    );
}

async fn queries_indexes(records: &dyn Records) {
    for number in 0..6_u64 {
        let indexes = vec![
            entry(1, "by-parity", &format!("{}-{:02}", number % 2, 50 - number)),
            entry(2, "by-number", &format!("{number:02}")),
            entry(3, &format!("of-{number}"), "only"),
        ];
        let row = Row { indexes, ..row("indexed", &format!("row-{number}"), number) };
        put(records, &row, Guard::Always, true).await;
    }
    let parity = Query { index: 1, bounds: between(Some("1-"), Some("1-z")), ..all_of("by-parity") };
    expect_index(records, &parity, &["row-5", "row-3", "row-1"]).await;
    let down = Query {
        index: 2,
        bounds: between(Some("00"), Some("04")),
        descending: true,
        limit: 2,
        ..all_of("by-number")
    };
    expect_index(records, &down, &["row-3", "row-2"]).await;
    expect_index(records, &Query { index: 3, ..all_of("of-4") }, &["row-4"]).await;
    expect_index(records, &Query { index: 2, ..all_of("by-parity") }, &[]).await;
    let rows = query(records, Query { index: 3, ..all_of("of-4") }).await;
    assert_eq!(
        rows.first(),
        get(records, &key("indexed", "row-4")).await.as_ref(),
        "Records: an index brings whole rows"
    );
}

async fn names_places_without_rows(records: &dyn Records) {
    for number in 0..5 {
        let indexes =
            vec![entry(1, "counted", &format!("{number}")), entry(2, "counted", &format!("x{number}"))];
        put(records, &Row { indexes, ..row("placed", &format!("row-{number}"), 1) }, Guard::Always, true)
            .await;
    }
    let all = Query { index: 1, ..all_of("counted") };
    expect_index(records, &all, &["row-0", "row-1", "row-2", "row-3", "row-4"]).await;
    let places = async |query: Query| records.places(query).await.expect("Records: an index is read");
    assert_eq!(places(all.clone()).await, ["0", "1", "2", "3", "4"], "Records: places are sort keys");
    let some = Query { bounds: between(Some("0"), Some("4")), limit: 2, ..all.clone() };
    assert_eq!(places(some.clone()).await, ["1", "2"], "Records: places keep to bounds and limit");
    assert_eq!(places(Query { descending: true, ..some }).await, ["3", "2"], "Records: places go downwards");
    assert!(places(Query { index: 3, ..all }).await.is_empty(), "Records: places are of one index");
}

async fn replaces_indexes_with_the_row(records: &dyn Records) {
    let at = |version, indexes| Row { indexes, ..row("moving", "row", version) };
    let (old, kept, new) =
        (entry(1, "moving-old", "s"), entry(2, "moving-kept", "s"), entry(1, "moving-new", "s"));
    put(records, &at(1, vec![old.clone(), kept.clone()]), Guard::Always, true).await;
    let of = |entry: &IndexEntry| Query { index: entry.index, ..all_of(&entry.partition) };
    expect_index(records, &of(&old), &["row"]).await;
    put(records, &at(2, vec![new.clone(), kept.clone()]), Guard::Exactly(7), false).await;
    expect_index(records, &of(&old), &["row"]).await;
    expect_index(records, &of(&new), &[]).await;
    put(records, &at(2, vec![new.clone(), kept.clone()]), Guard::Exactly(1), true).await;
    expect_index(records, &of(&old), &[]).await;
    expect_index(records, &of(&new), &["row"]).await;
    expect_index(records, &of(&kept), &["row"]).await;
    assert!(
        all(records, vec![Write::Delete(key("moving", "row"), Guard::Exactly(2))]).await,
        "Records: a row can be removed"
    );
    for entry in [&old, &kept, &new] {
        expect_index(records, &of(entry), &[]).await;
    }
    put(records, &at(3, vec![kept.clone()]), Guard::Absent, true).await;
    put(records, &at(4, vec![]), Guard::Always, true).await;
    expect_index(records, &of(&kept), &[]).await;
}

async fn forgets_rows_whose_time_is_over(records: &dyn Records, clock: &TestClock) {
    let place = entry(1, "ttl-index", "s");
    let until = |sort: &str, minutes: u32| Row {
        expires_at: Some(clock.ahead(minutes * MINUTE)),
        indexes: vec![place.clone()],
        ..row("ttl", sort, 5)
    };
    put(records, &until("row", 10), Guard::Absent, true).await;
    put(records, &row("ttl", "stays", 1), Guard::Absent, true).await;
    clock.advance(9 * MINUTE);
    assert_eq!(
        version(records, "ttl", "row").await,
        Some(5),
        "Records: a row is there until its time is over"
    );
    put(records, &until("row", 10), Guard::Absent, false).await;
    clock.advance(2 * MINUTE);
    assert_eq!(version(records, "ttl", "row").await, None, "Records: a row past its time is gone");
    let found: Vec<String> =
        query(records, all_of("ttl")).await.into_iter().map(|row| row.key.sort).collect();
    assert_eq!(found, ["stays"], "Records: a query does not bring rows past their time");
    expect_index(records, &Query { index: 1, ..all_of("ttl-index") }, &[]).await;
    for guard in [Guard::Exactly(5), Guard::Exactly(0)] {
        put(records, &row("ttl", "row", 6), guard, false).await;
    }
    let conflict = all(records, vec![Write::Check(key("ttl", "row"), Guard::Exactly(5))]).await;
    assert!(!conflict, "Records: guards see no row where its time is over");
    let lower = Row { version: 1, ..until("row", 10) };
    assert!(
        all(records, vec![Write::Put(lower, Guard::Newer)]).await,
        "Records: guards see no row where its time is over"
    );
    assert_eq!(
        version(records, "ttl", "row").await,
        Some(1),
        "Records: a row past its time can be written anew"
    );
    expect_index(records, &Query { index: 1, ..all_of("ttl-index") }, &["row"]).await;
}

fn key(partition: &str, sort: &str) -> Key {
    Key::new(format!("conformance-{partition}"), sort)
}

fn row(partition: &str, sort: &str, version: u64) -> Row {
    let value = format!("{partition}/{sort}@{version}").into_bytes();
    Row { key: key(partition, sort), value, version, indexes: vec![], expires_at: None }
}

fn entry(index: u8, partition: &str, sort: &str) -> IndexEntry {
    let Key { partition, sort } = key(partition, sort);
    IndexEntry { index, partition, sort }
}

fn between(after: Option<&str>, before: Option<&str>) -> Bounds {
    Bounds { after: after.map(str::to_owned), before: before.map(str::to_owned) }
}

/// The whole partition by the rows' own keys; a name that [`entry`] gave stays as it is.
fn all_of(partition: &str) -> Query {
    let bare = partition.strip_prefix("conformance-").unwrap_or(partition);
    Query {
        index: 0,
        partition: key(bare, "").partition,
        bounds: Bounds::default(),
        descending: false,
        limit: 1000,
    }
}

async fn get(records: &dyn Records, key: &Key) -> Option<Row> {
    records.get(key, Consistency::Strong).await.expect("Records: a row can be read")
}

async fn version(records: &dyn Records, partition: &str, sort: &str) -> Option<u64> {
    get(records, &key(partition, sort)).await.map(|row| row.version)
}

async fn try_put(records: &dyn Records, row: &Row, guard: Guard) -> bool {
    let applied =
        records.write_each(vec![Write::Put(row.clone(), guard)]).await.expect("Records: rows can be written");
    assert_eq!(applied.len(), 1, "Records: `write_each` answers for each write");
    applied[0]
}

async fn put(records: &dyn Records, row: &Row, guard: Guard, holds: bool) {
    let applied = try_put(records, row, guard).await;
    assert_eq!(applied, holds, "Records: {guard:?} for version {} of {:?}", row.version, row.key);
}

async fn all(records: &dyn Records, writes: Vec<Write>) -> bool {
    match records.write_all(writes).await {
        Ok(()) => true,
        Err(PortError::Conflict(_)) => false,
        Err(error) => panic!("Records: `write_all` works, or is a conflict: {error}"),
    }
}

async fn query(records: &dyn Records, query: Query) -> Vec<Row> {
    records.query(query).await.expect("Records: a partition can be queried")
}

/// Asks until the answer is right or an index had more time than it may take.
async fn expect_index(records: &dyn Records, wanted: &Query, expected: &[&str]) {
    let mut found = Vec::new();
    let right = tokio::time::timeout(INDEX_PATIENCE, async {
        loop {
            found = query(records, wanted.clone()).await.into_iter().map(|row| row.key.sort).collect();
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let in_time = right.await.is_ok();
    assert!(
        in_time,
        "Records: an index follows its rows within a second ({wanted:?}): {found:?} where {expected:?} was due"
    );
}
