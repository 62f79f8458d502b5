use std::collections::HashSet;

use futures::future::join_all;
use waxwing_app::ports::{PortError, Sealed, SecretBox};

use crate::samples::account;

/// Checks [`SecretBox`].
pub async fn secret_box(secrets: &dyn SecretBox) {
    opens_what_it_sealed(secrets).await;
    hides_the_plaintext(secrets).await;
    notices_every_change(secrets).await;
    keeps_accounts_apart(secrets).await;
    makes_one_first_key(secrets).await;
    hashes_by_purpose(secrets);
}

async fn opens_what_it_sealed(secrets: &dyn SecretBox) {
    let account = account("seal");
    for plaintext in
        [&b""[..], b"x", b"something longer than a block, but not by very much at all", &[0; 70_000]]
    {
        for associated in [&b""[..], b"context"] {
            let sealed = seal(secrets, "seal", associated, plaintext).await;
            let opened = secrets.open(account, associated, &sealed).await;
            assert!(
                opened.is_ok_and(|opened| opened == plaintext),
                "SecretBox: what was sealed opens to what it was"
            );
        }
    }
}

async fn hides_the_plaintext(secrets: &dyn SecretBox) {
    let plaintext = b"the quick brown fox jumps over the lazy dog";
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let sealed = seal(secrets, "hide", b"", plaintext).await;
        let shows = sealed.bytes.windows(8).any(|window| plaintext.windows(8).any(|part| part == window));
        assert!(!shows, "SecretBox: the sealed bytes do not show the plaintext");
        assert!(seen.insert(sealed.bytes), "SecretBox: the same plaintext is sealed differently each time");
    }
}

async fn notices_every_change(secrets: &dyn SecretBox) {
    let account = account("tamper");
    let sealed = seal(secrets, "tamper", b"context", b"plaintext").await;
    let corrupt = async |associated: &[u8], bytes: Vec<u8>| {
        let opened =
            secrets.open(account, associated, &Sealed { key_id: sealed.key_id.clone(), bytes }).await;
        assert!(
            matches!(opened, Err(PortError::Corrupt(_))),
            "SecretBox: changed bytes or another context are `Corrupt`: {opened:?}"
        );
    };
    for associated in [&b""[..], b"contex", b"context ", b"Context"] {
        corrupt(associated, sealed.bytes.clone()).await;
    }
    for position in 0..sealed.bytes.len() {
        let mut bytes = sealed.bytes.clone();
        bytes[position] ^= 1;
        corrupt(b"context", bytes).await;
        corrupt(b"context", sealed.bytes[..position].to_vec()).await;
    }
    corrupt(b"context", [&sealed.bytes[..], b"\0"].concat()).await;
    let unknown = Sealed { key_id: format!("{}999", sealed.key_id), bytes: sealed.bytes.clone() };
    let opened = secrets.open(account, b"context", &unknown).await;
    assert!(
        matches!(opened, Err(PortError::NotFound(_))),
        "SecretBox: a key that is not there is `NotFound`: {opened:?}"
    );
}

async fn keeps_accounts_apart(secrets: &dyn SecretBox) {
    let ours = seal(secrets, "box one", b"context", b"ours").await;
    seal(secrets, "box two", b"context", b"theirs").await;
    for other in ["box two", "box that never sealed"] {
        let opened = secrets.open(account(other), b"context", &ours).await;
        assert!(opened.is_err(), "SecretBox: another account's key does not open");
    }
}

async fn makes_one_first_key(secrets: &dyn SecretBox) {
    let account = account("first key");
    let sealed = join_all((0..16).map(|_| seal(secrets, "first key", b"", b"at once"))).await;
    for sealed in sealed {
        let opened = secrets.open(account, b"", &sealed).await;
        assert!(opened.is_ok(), "SecretBox: what was sealed while the first key was made opens: {opened:?}");
    }
}

fn hashes_by_purpose(secrets: &dyn SecretBox) {
    let inputs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a", "bd"), ("b", "bc")];
    let hashes: HashSet<_> =
        inputs.map(|(purpose, data)| secrets.keyed_hash(purpose, data.as_bytes())).into();
    assert_eq!(hashes.len(), inputs.len(), "SecretBox: hashes differ where purpose or data differ");
    let again: HashSet<_> = inputs.map(|(purpose, data)| secrets.keyed_hash(purpose, data.as_bytes())).into();
    assert_eq!(again, hashes, "SecretBox: the same purpose and data hash to the same");
}

async fn seal(secrets: &dyn SecretBox, label: &str, associated: &[u8], plaintext: &[u8]) -> Sealed {
    secrets.seal(account(label), associated, plaintext).await.expect("SecretBox: something can be sealed")
}
