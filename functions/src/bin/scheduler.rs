//! Each minute: jobs that are due later than a queue can hold them go to their queue when their time comes near.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use waxwing_functions::{Error, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let handle = service_fn(async |_: LambdaEvent<Value>| {
        let promoted = deployment.work.promote(deployment.commands.ports.clock.now()).await?;
        tracing::info!(promoted, "jobs went to their queues");
        Ok::<_, Error>(())
    });
    run(handle).await
}
