use futures::{future::join_all, join};
use waxwing_app::ports::{
    Bounds, Consistency, Erased, Erasure, Guard, IndexEntry, Key, KeyCustody, KeyOwners, PortError, Query,
    Records, Row, Sealed, SecretBox, Write,
};
use waxwing_domain::AccountId;

use crate::samples::account;

/// More than any engine removes at once.
const MANY: usize = 1_100;
/// More owners of keys than the standalone engine names at once.
const OWNERS: usize = 120;

/// Checks [`Erasure`].
pub async fn erasure(records: &dyn Records, erasure: &dyn Erasure) {
    let (ours, theirs) = (account("erased"), account("spared"));
    for owner in [ours, theirs] {
        let rows = (0..MANY).map(|number| row(owner, number));
        for chunk in rows.collect::<Vec<_>>().chunks(500) {
            let writes = chunk.iter().map(|row| Write::Put(row.clone(), Guard::Always)).collect();
            records.write_each(writes).await.expect("Erasure: rows can be written");
        }
    }
    assert_eq!(erase(erasure, ours).await, MANY as u64, "Erasure: it says how many rows there were");
    for number in [0, 1, MANY / 2, MANY - 1] {
        let get =
            async |owner| records.get(&row(owner, number).key, Consistency::Strong).await.expect("a read");
        assert_eq!(get(ours).await, None, "Erasure: no row of the account is left");
        assert!(get(theirs).await.is_some(), "Erasure: other accounts keep their rows");
    }
    let found = async |owner| {
        let query = Query {
            index: 1,
            partition: index(owner),
            bounds: Bounds::default(),
            descending: false,
            limit: 1_000,
        };
        records.query(query).await.expect("Erasure: an index can be queried").len()
    };
    assert_eq!(found(ours).await, 0, "Erasure: no index entry is left");
    assert_eq!(found(theirs).await, 1_000, "Erasure: other accounts keep their index entries");
    assert_eq!(erase(erasure, ours).await, 0, "Erasure: twice is fine");
}

async fn erase(erasure: &dyn Erasure, account: AccountId) -> u64 {
    let (mut rows, mut after) = (0, None);
    loop {
        let erased = erasure.erase_rows(account, after.as_deref()).await;
        let Erased { rows: more, next } = erased.expect("Erasure: an account can be erased");
        rows += more;
        match next {
            Some(next) => after = Some(next),
            None => return rows,
        }
    }
}

fn index(owner: AccountId) -> String {
    format!("{owner}/index")
}

fn row(owner: AccountId, number: usize) -> Row {
    let indexes = vec![IndexEntry { index: 1, partition: index(owner), sort: format!("{number:05}") }];
    let key = Key::new(format!("{owner}/part-{}", number % 7), format!("{number:05}"));
    Row { key, value: b"value".to_vec(), version: 1, indexes, expires_at: None }
}

/// Checks [`KeyCustody`].
pub async fn key_custody(secrets: &dyn SecretBox, keys: &dyn KeyCustody) {
    rotates(secrets, keys).await;
    destroys(secrets, keys).await;
    ends_amid_rotations(secrets, keys).await;
    names_owners(secrets, keys).await;
}

async fn rotates(secrets: &dyn SecretBox, keys: &dyn KeyCustody) {
    let account = account("rotated");
    let before = seal(secrets, account).await;
    keys.rotate(account).await.expect("KeyCustody: keys can be rotated");
    let after = seal(secrets, account).await;
    assert_ne!(before.key_id, after.key_id, "KeyCustody: another key seals after a rotation");
    for sealed in [before, after] {
        let opened = secrets.open(account, b"", &sealed).await;
        assert!(opened.is_ok(), "KeyCustody: what was sealed before opens as before: {opened:?}");
    }
    let unused = keys.rotate(self::account("without a key")).await;
    assert!(
        matches!(unused, Err(PortError::NotFound(_))),
        "KeyCustody: who never had a key gets none by a rotation: {unused:?}"
    );
}

async fn destroys(secrets: &dyn SecretBox, keys: &dyn KeyCustody) {
    let (ours, theirs) = (account("destroyed"), account("kept"));
    let (first, other) = (seal(secrets, ours).await, seal(secrets, theirs).await);
    keys.rotate(ours).await.expect("KeyCustody: keys can be rotated");
    let second = seal(secrets, ours).await;
    for _ in 0..2 {
        keys.destroy(ours).await.expect("KeyCustody: keys can be destroyed, also twice");
    }
    for sealed in [&first, &second] {
        let opened = secrets.open(ours, b"", sealed).await;
        assert!(is_erased(&opened), "KeyCustody: what a destroyed key sealed is `Erased`: {opened:?}");
    }
    let sealed = secrets.seal(ours, b"", b"more").await;
    assert!(is_erased(&sealed), "KeyCustody: nothing is sealed after the end: {sealed:?}");
    let rotated = keys.rotate(ours).await;
    assert!(is_erased(&rotated), "KeyCustody: nothing is rotated after the end: {rotated:?}");
    assert!(secrets.open(theirs, b"", &other).await.is_ok(), "KeyCustody: others keep their keys");
    let unused = account("never used");
    keys.destroy(unused).await.expect("KeyCustody: an account without a key can be destroyed");
    let sealed = secrets.seal(unused, b"", b"x").await;
    assert!(is_erased(&sealed), "KeyCustody: nor does an account get its first key then: {sealed:?}");
}

async fn ends_amid_rotations(secrets: &dyn SecretBox, keys: &dyn KeyCustody) {
    let account = account("destroyed while rotated");
    seal(secrets, account).await;
    let rotations = async {
        for _ in 0..3 {
            join_all((0..4).map(|_| keys.rotate(account))).await;
        }
    };
    let ((), destroyed) = join!(rotations, keys.destroy(account));
    destroyed.expect("KeyCustody: keys can be destroyed while they are rotated");
    let sealed = secrets.seal(account, b"", b"more").await;
    assert!(is_erased(&sealed), "KeyCustody: no rotation makes a key behind the end: {sealed:?}");
}

async fn names_owners(secrets: &dyn SecretBox, keys: &dyn KeyCustody) {
    let before = owners(keys).await;
    let ours: Vec<AccountId> = (0..OWNERS).map(|number| account(&format!("owner {number}"))).collect();
    for owner in &ours {
        seal(secrets, *owner).await;
    }
    keys.rotate(ours[1]).await.expect("KeyCustody: keys can be rotated");
    keys.rotate(ours[2]).await.expect("KeyCustody: keys can be rotated");
    keys.destroy(ours[2]).await.expect("KeyCustody: keys can be destroyed");
    keys.destroy(account("without a key")).await.expect("KeyCustody: keys can be destroyed");
    let mut expected = [before, ours.clone()].concat();
    expected.retain(|owner| *owner != ours[2]);
    expected.sort_unstable();
    let mut found = owners(keys).await;
    found.sort_unstable();
    assert_eq!(
        found, expected,
        "KeyCustody: each owner of keys is named once, and nobody whose keys are gone"
    );
}

async fn owners(keys: &dyn KeyCustody) -> Vec<AccountId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = keys.owners(after.as_deref()).await;
        let KeyOwners { owners, next } = page.expect("KeyCustody: owners can be listed");
        all.extend(owners);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn is_erased<T>(result: &Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::Erased(_)))
}

async fn seal(secrets: &dyn SecretBox, account: AccountId) -> Sealed {
    secrets.seal(account, b"", b"text").await.expect("KeyCustody: an account can seal")
}
