//! The HTTP API behind API Gateway.

use waxwing_functions::{Error, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    lambda_http::run(waxwing_api::router(waxwing_functions::api(&deployment)?)).await
}
