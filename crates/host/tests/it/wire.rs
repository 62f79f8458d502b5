//! Wires that tests can stall.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::AbortHandle,
};

/// The wire between hosts and the network.
pub struct Wire {
    stalled: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
    listening: AbortHandle,
}

impl Wire {
    pub async fn to(network: SocketAddr) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stalled) = (listener.local_addr().unwrap(), watch::Sender::new(false));
        let (watched, connections) = (stalled.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = connections.clone();
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(network).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(pass_on(near_in, far_out, watched.subscribe()));
                tokio::spawn(pass_on(far_in, near_out, watched.subscribe()));
            }
        });
        (Self { stalled, connections, listening: listening.abort_handle() }, address)
    }

    /// Sockets stay open, and nothing passes.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Nobody listens any more.
    pub fn cut(&self) {
        self.listening.abort();
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut stalled: watch::Receiver<bool>) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if stalled.wait_for(|stalled| !stalled).await.is_err() || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}
