//! Jobs on SQS → mails.

use lambda_runtime::{LambdaEvent, run, service_fn};
use waxwing_functions::{Error, QueueEvent, connect, run_jobs};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let mails = deployment.mails();
    let handle = service_fn(async |event: LambdaEvent<QueueEvent>| {
        Ok::<_, Error>(run_jobs(&mails, &deployment.work, event.payload).await)
    });
    run(handle).await
}
