//! Jobs on SQS → deliveries to webhook endpoints.

use lambda_runtime::{LambdaEvent, run, service_fn};
use waxwing_functions::{Error, QueueEvent, connect, run_jobs, webhook_dispatch};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let dispatch = webhook_dispatch(&deployment)?;
    let handle = service_fn(async |event: LambdaEvent<QueueEvent>| {
        Ok::<_, Error>(run_jobs(&dispatch, &deployment.work, event.payload).await)
    });
    run(handle).await
}
