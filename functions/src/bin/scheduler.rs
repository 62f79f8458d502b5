//! Each minute: jobs that are due later than a queue can hold them go to their queue when their time comes near, and what
//! was deleted is erased.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use waxwing_functions::{Error, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let handle = service_fn(async |_: LambdaEvent<Value>| {
        let promoted = deployment.work.promote(deployment.commands.ports.clock.now()).await?;
        let erased = deployment.erasing().turn().await?;
        tracing::info!(promoted, erased, "jobs went to their queues, and rows were erased");
        Ok::<_, Error>(())
    });
    run(handle).await
}
