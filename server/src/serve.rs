//! Connections: how many, how long they may take, and how they end.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower_service::Service as _;

/// Most connections at the same time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// A connection is closed whose next request has not come with all its headers after this time: one that is idle, or whose
/// client sends a byte now and then.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take, its body included.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Most bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// The rest of `docs/reference/limits.md`.
pub(crate) fn limits() -> String {
    format!(
        "| connections at the same time (standalone); more wait | {CONNECTIONS_MAX} |\n\
         | until a connection has sent its next request's headers (standalone) | {} s |\n\
         | request line and headers (standalone) | {} KiB |\n\
         | a request, its body included; 503 then, and it goes on | {} s, on AWS 25 s |\n",
        HEADERS_TIMEOUT.as_secs(),
        HEAD_BYTES_MAX / 1_024,
        ANSWER_WITHIN.as_secs(),
    )
}

/// Serves until it is told to stop, and then the requests that are under way.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stop = pin!({
        let mut stopped = stopped.clone();
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    });
    loop {
        let (place, (stream, peer)) = tokio::select! {
            accepted = async {
                let place = places.clone().acquire_owned().await;
                // It tries again by itself when the system has no descriptor left.
                (place, Listener::accept(&mut listener).await)
            } => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        connections.spawn(async move {
            connection(stream, peer, router, stopped).await;
            drop(place);
        });
    }
    // Nobody new is let in.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = async { drop(stopped.wait_for(|stop| *stop).await) } => {
            serving.as_mut().graceful_shutdown();
            serving.await
        },
    };
    if let Err(error) = ended {
        // The client's fault, mostly: it went away, or took too long.
        tracing::debug!(%error, "a connection ended early");
    }
}
