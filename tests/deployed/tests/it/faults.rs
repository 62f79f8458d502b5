//! AWS refuses, for a while or for good.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_api::{
    Client, program,
    traffic::{Amount, lose_nothing},
};
use waxwing_tests_deployed::{emulator, proxy::Fault};

use crate::shared::{QUIET, stack};

/// How long each refusal lasts: longer than all tries of one call.
const LASTS: Duration = Duration::from_secs(4);

fn faults() -> [Fault; 4] {
    [
        Fault { one_of: 2, ..Fault::of("dynamodb", "ProvisionedThroughputExceededException") },
        Fault { service: None, ..Fault::of("", "ExpiredTokenException") },
        Fault::of("sqs", "QueueDoesNotExist"),
        // What is said to a caller whose clock is off.
        Fault { service: None, ..Fault::of("", "InvalidSignatureException") },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_aws_refuses_nothing_is_lost_and_the_api_says_so() -> Result<()> {
    let _alone = QUIET.write().await;
    let stack = stack().await?;
    // A job whose function cannot start waits until its message is visible again: six minutes, here some seconds.
    let queue = stack.environment()?.into_iter().find(|(name, _)| name == "WAXWING_WEBHOOKS_QUEUE_URL");
    let attributes = json!({ "VisibilityTimeout": "20" });
    let request = json!({ "QueueUrl": queue.context("the queue")?.1, "Attributes": attributes });
    emulator::call(stack, "AmazonSQS.SetQueueAttributes", &request).await?;
    let client = stack.tenant("faults")?;
    let place = client.clone();
    let done = lose_nothing(client, Amount { messages: 40, disturbances: 4 }, async |number| {
        let fault = faults()[number % 4].clone();
        let (code, is_api_down) = (fault.code, fault.one_of == 1 && fault.service != Some("sqs"));
        let disturbance = stack.proxy.disturb(fault);
        if is_api_down {
            says_unavailable(&place).await.context(code)?;
        }
        tokio::time::sleep(LASTS).await;
        ensure!(disturbance.refused() > 0, "{code} met no call");
        Ok(place.clone())
    })
    .await;
    done.with_context(|| stack.logs())
}

/// A function that runs answers as documented. One that is only started now cannot start, and says why in its log, which
/// the emulator passes on.
async fn says_unavailable(client: &Client) -> Result<()> {
    let answer = client.get("/sessions").await?;
    match answer.status {
        503 => {
            ensure!(answer.body["code"] == "unavailable", "{answer:?}");
            ensure!(answer.headers.contains_key("retry-after"), "{answer:?}");
        },
        502 => {
            let log = answer.body["errorMessage"].as_str().unwrap_or_default();
            ensure!(log.contains("the AWS credentials were refused"), "{answer:?}");
        },
        _ => anyhow::bail!("{answer:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn what_is_set_up_wrongly_is_named() -> Result<()> {
    let _quiet = QUIET.read().await;
    let stack = stack().await?;
    let account = ["account", "create", "--name", "nobody", "--email", "nobody@example.com"];
    for (name, value, said) in [
        ("WAXWING_JOURNAL_TABLE", "wrong", "does not exist in this AWS account and region"),
        ("WAXWING_CLAIMS_TABLE", "wrong", "does not exist in this AWS account and region"),
        ("WAXWING_HASH_KEY_SECRET_ID", "wrong", "does not exist in this AWS account and region"),
        ("WAXWING_NETWORK", "", "WAXWING_NETWORK"),
    ] {
        let mut admin = Command::new(program("waxwing-admin")?);
        let ended = admin.args(account).envs(stack.environment()?).env(name, value).output()?;
        let told = String::from_utf8_lossy(&ended.stderr);
        ensure!(
            !ended.status.success() && told.contains(said) && told.contains(value),
            "{name}={value:?}: {told}"
        );
    }
    Ok(())
}
