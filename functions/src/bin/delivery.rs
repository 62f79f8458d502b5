//! The journal's stream → rows of the outbox, and a hint to the session's host.

use lambda_runtime::{LambdaEvent, run, service_fn};
use tokio::sync::Mutex;
use waxwing_app::feed::FeedPush;
use waxwing_functions::{Error, StreamEvent, connect, run_stream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let push = Mutex::new(FeedPush::new(&deployment.records(), vec![deployment.delivery()]));
    let handle = service_fn(async |event: LambdaEvent<StreamEvent>| {
        Ok::<_, Error>(run_stream(&mut *push.lock().await, event.payload).await?)
    });
    run(handle).await
}
