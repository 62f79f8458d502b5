//! What accepting a message writes.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_deployed::meter::Call;

use crate::shared::{QUIET, stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_accepted_with_one_write_and_a_transaction_only_for_an_idempotency_key() -> Result<()> {
    let _alone = QUIET.write().await;
    let stack = stack().await?;
    let client = stack.tenant("accept")?;
    // It is linked to no phone, so that nothing else happens to its messages.
    let session = client.post("/sessions", json!({ "name": "shop" })).await?;
    let session = session.body["id"].as_str().context("a session")?.to_owned();
    let accept = async |headers: &[(&str, &str)]| -> Result<Vec<Call>> {
        stack.proxy.counted();
        let body = json!({ "session_id": session, "to": "+15550002222", "type": "text", "text": "Hello" });
        let accepted = client.post_with("/messages", headers, body).await?;
        ensure!(accepted.status == 202, "{accepted:?}");
        let is_commit = |call: &Call| {
            call.operation != "Query"
                && call.operation != "GetItem"
                && call.subject.contains("journal: message")
        };
        Ok(stack.proxy.counted().into_iter().filter(is_commit).collect())
    };
    // The first one of an account makes its data key.
    accept(&[]).await?;
    let [plain] = &accept(&[]).await?[..] else { anyhow::bail!("one write") };
    assert_eq!((plain.operation.as_str(), plain.calls, plain.write_units), ("PutItem", 1, 1.0));
    let [keyed] = &accept(&[("idempotency-key", "once")]).await?[..] else { anyhow::bail!("one write") };
    assert_eq!((keyed.operation.as_str(), keyed.calls, keyed.write_units), ("TransactWriteItems", 1, 4.0));
    assert_eq!(keyed.subject, "claims: idempotency + journal: message");
    Ok(())
}
