//! The HTTP API behind API Gateway.

use std::net::IpAddr;

use lambda_http::{Request, RequestExt, Service, request::RequestContext, service_fn};
use waxwing_api::{ByTls, PeerAddress};
use waxwing_functions::{Error, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = connect().await?;
    let router = waxwing_api::router(waxwing_functions::api(&deployment)?);
    lambda_http::run(service_fn(move |mut request: Request| {
        // The gateway takes nothing else.
        request.extensions_mut().insert(ByTls);
        if let Some(address) = source_address(&request) {
            request.extensions_mut().insert(PeerAddress(address));
        }
        router.clone().call(request)
    }))
    .await
}

/// Who called, as the gateway saw it.
fn source_address(request: &Request) -> Option<IpAddr> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    context.http.source_ip.as_ref()?.parse().ok()
}
