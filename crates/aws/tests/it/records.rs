//! Records on a network and tables that are not at their best.

use waxwing_app::ports::{Bounds, Consistency, Guard, IndexEntry, Key, PortError, Query, Row, Write};

use crate::{fixture::Fixture, network::Fault, on_both};

on_both!(
    keys_that_were_left_over_are_asked_for_again,
    a_guarded_write_whose_answer_was_lost_was_applied,
    a_partition_beyond_one_answer_is_read_whole,
    an_update_that_does_not_move_a_row_leaves_its_index_entries,
    what_no_item_has_room_for_is_refused,
    a_failed_partition_does_not_stop_the_others,
);

fn row(partition: &str, sort: impl Into<String>, value: Vec<u8>) -> Row {
    Row { key: Key::new(partition, sort), value, version: 1, indexes: vec![], expires_at: None }
}

fn all_of(index: u8, partition: &str) -> Query {
    Query {
        index,
        partition: partition.to_owned(),
        bounds: Bounds::default(),
        descending: false,
        limit: 1_000,
    }
}

fn puts(rows: impl IntoIterator<Item = Row>) -> Vec<Write> {
    rows.into_iter().map(|row| Write::Put(row, Guard::Always)).collect()
}

/// Noise, which no compression makes smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

async fn keys_that_were_left_over_are_asked_for_again(fixture: Fixture) {
    let records = fixture.engine.records();
    let sorts: Vec<String> = (0..150).map(|number| format!("{number:03}")).collect();
    let rows = sorts.iter().map(|sort| {
        let indexes = vec![IndexEntry { index: 1, partition: "left-index".to_owned(), sort: sort.clone() }];
        Row { indexes, ..row(&format!("left-{sort}"), "row", sort.as_bytes().to_vec()) }
    });
    records.write_each(puts(rows)).await.unwrap();
    fixture.network.calls();
    for processed in [10, 0, 0, 40, 1] {
        fixture.network.disturb("BatchGetItem", Fault::LeavesKeysOver { processed }, 1);
    }
    let found = records.query(all_of(1, "left-index")).await.unwrap();
    assert!(found.iter().map(|row| &row.value).eq(sorts.iter().map(|sort| sort.as_bytes())), "in order");
    let calls = fixture.network.calls();
    assert_eq!(calls.iter().filter(|call| *call == "BatchGetItem").count(), 7, "{calls:?}");
    fixture.network.disturb("BatchGetItem", Fault::LeavesKeysOver { processed: 0 }, 1_000);
    let refused = records.query(all_of(1, "left-index")).await;
    assert!(matches!(refused, Err(PortError::Throttled(_))), "{refused:?}");
}

async fn a_guarded_write_whose_answer_was_lost_was_applied(fixture: Fixture) {
    let records = fixture.engine.records();
    for lost in [1, 9] {
        let first = row("lost", lost.to_string(), vec![]);
        let second = Row { version: 2, ..first.clone() };
        for (row, guard) in [(&first, Guard::Absent), (&second, Guard::Exactly(1))] {
            fixture.network.disturb("PutItem", Fault::AnswerLost, lost);
            let applied = records.write_each(vec![Write::Put(row.clone(), guard)]).await.unwrap();
            assert_eq!(applied, [true], "{guard:?}");
            fixture.network.heal();
            let again = records.write_each(vec![Write::Put(row.clone(), guard)]).await.unwrap();
            assert_eq!(again, [false], "the same row again is another write: {guard:?}");
        }
        fixture.network.disturb("TransactWriteItems", Fault::AnswerLost, 1);
        let third = Row { version: 3, ..first.clone() };
        records.write_all(vec![Write::Put(third, Guard::Exactly(2))]).await.unwrap();
    }
}

async fn a_partition_beyond_one_answer_is_read_whole(fixture: Fixture) {
    let records = fixture.engine.records();
    let rows = (0..8).map(|number| {
        let indexes =
            vec![IndexEntry { index: 2, partition: "large-index".to_owned(), sort: number.to_string() }];
        Row { indexes, ..row("large", number.to_string(), noise(290_000)) }
    });
    records.write_each(puts(rows)).await.unwrap();
    let sorts = |rows: Vec<Row>| rows.iter().map(|row| row.key.sort.clone()).collect::<String>();
    assert_eq!(sorts(records.query(all_of(0, "large")).await.unwrap()), "01234567");
    assert_eq!(sorts(records.query(all_of(2, "large-index")).await.unwrap()), "01234567");
    let last = Query {
        bounds: Bounds { after: Some("0".to_owned()), before: Some("7".to_owned()) },
        descending: true,
        limit: 5,
        ..all_of(0, "large")
    };
    assert_eq!(sorts(records.query(last).await.unwrap()), "65432");
}

async fn an_update_that_does_not_move_a_row_leaves_its_index_entries(fixture: Fixture) {
    let records = fixture.engine.records();
    let indexes = vec![IndexEntry { index: 3, partition: "stays".to_owned(), sort: "s".to_owned() }];
    let first = Row { indexes, ..row("stays", "row", b"first".to_vec()) };
    let second = Row { value: b"second".to_vec(), version: 2, ..first.clone() };
    records.write_each(puts([first, second.clone()])).await.unwrap();
    assert_eq!(records.query(all_of(3, "stays")).await.unwrap(), [second]);
    let described =
        fixture.dynamo().describe_table().table_name(&fixture.settings.records_table).send().await;
    let table = described.unwrap().table.unwrap();
    assert!(table.global_secondary_indexes().iter().all(|index| {
        index.projection().and_then(|projection| projection.projection_type())
            == Some(&aws_sdk_dynamodb::types::ProjectionType::KeysOnly)
    }));
}

async fn what_no_item_has_room_for_is_refused(fixture: Fixture) {
    let records = fixture.engine.records();
    let large = row("sizes", "compresses", vec![b'x'; 512 << 10]);
    let noisy = row("sizes", "noise", noise(395_000));
    records.write_each(puts([large.clone(), noisy.clone()])).await.unwrap();
    for row in [large, noisy] {
        assert!(records.get(&row.key, Consistency::Eventual).await.unwrap() == Some(row));
    }
    let entry = |index| IndexEntry { index, partition: "p".to_owned(), sort: "s".to_owned() };
    let small = || row("sizes", "refused", vec![]);
    let refused = [
        row("sizes", "refused", noise(420_000)),
        row("sizes", "refused", vec![b'x'; (512 << 10) + 1]),
        Row { indexes: vec![entry(4)], ..small() },
        Row { indexes: vec![entry(1), entry(1)], ..small() },
        row("sizes", "", vec![]),
    ];
    for row in refused {
        for result in [
            records.write_each(puts([row.clone()])).await.map(drop),
            records.write_all(puts([row.clone()])).await,
        ] {
            assert!(matches!(result, Err(PortError::Corrupt(_))), "{result:?}");
        }
    }
    let twice = puts([small(), small()]);
    let results = [
        records.write_all(twice).await,
        records.write_each(puts(vec![small(); 1_001])).await.map(drop),
        records.write_each(vec![Write::Check(small().key, Guard::Always)]).await.map(drop),
    ];
    for result in results {
        assert!(matches!(result, Err(PortError::Corrupt(_))), "{result:?}");
    }
    assert_eq!(records.get(&small().key, Consistency::Strong).await.unwrap(), None);
}

async fn a_failed_partition_does_not_stop_the_others(fixture: Fixture) {
    let records = fixture.engine.records();
    fixture.network.disturb("DeleteItem", Fault::Refused("ProvisionedThroughputExceededException"), 9);
    let mut writes = puts((0..20).map(|number| row(&format!("apart-{number:02}"), "row", vec![])));
    writes.insert(0, Write::Delete(Key::new("apart-00", "other"), Guard::Always));
    let failed = records.write_each(writes).await;
    assert!(matches!(failed, Err(PortError::Throttled(_))), "{failed:?}");
    for number in 0..20 {
        let key = Key::new(format!("apart-{number:02}"), "row");
        let there = records.get(&key, Consistency::Strong).await.unwrap().is_some();
        assert_eq!(there, number > 0, "a partition stops at its first error, and the others go on");
    }
}
