//! AWS refuses, for a while or for good.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use waxwing_tests_api::{
    Client, eventually, program,
    traffic::{Amount, lose_nothing},
};
use waxwing_tests_deployed::proxy::Fault;

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

async fn says_unavailable(client: &Client) -> Result<()> {
    eventually("the API to say so", async || {
        let answer = client.get("/sessions").await?;
        // A function that is just started cannot start, and says that in its log only.
        ensure!(answer.status >= 500, "{answer:?}");
        let says_so = answer.status == 503 && answer.body["code"] == "unavailable";
        ensure!(!says_so || answer.headers.contains_key("retry-after"), "{answer:?}");
        Ok(says_so.then_some(()))
    })
    .await
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
