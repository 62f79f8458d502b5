//! Proxies as customers have them: an HTTP one that tunnels, and SOCKS 5.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// A proxy that wants a name and a password.
pub struct Proxy {
    pub address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
}

pub const NAME: &str = "waxwing";
pub const PASSWORD: &str = "p@ss word";

impl Proxy {
    pub async fn http() -> Self {
        Self::serve(|stream| Box::pin(http(stream))).await
    }

    pub async fn socks() -> Self {
        Self::serve(|stream| Box::pin(socks(stream))).await
    }

    /// How many connections it let through.
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }

    async fn serve(
        open: impl Fn(TcpStream) -> futures::future::BoxFuture<'static, Option<(TcpStream, TcpStream)>>
        + Send
        + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, tunnels) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = tunnels.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (opened, counted) = (open(stream), counted.clone());
                tokio::spawn(async move {
                    if let Some((mut near, mut far)) = opened.await {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, tunnels }
    }
}

async fn http(mut near: TcpStream) -> Option<(TcpStream, TcpStream)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    // The base64 of "waxwing:p@ss word".
    if !head.contains("Proxy-Authorization: Basic d2F4d2luZzpwQHNzIHdvcmQ=\r\n") {
        near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.ok()?;
        return None;
    }
    let far = TcpStream::connect(target).await.ok()?;
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    Some((near, far))
}

/// RFC 1928 with RFC 1929.
async fn socks(mut near: TcpStream) -> Option<(TcpStream, TcpStream)> {
    let [5, methods] = bytes::<2>(&mut near).await? else { return None };
    let mut offered = vec![0; methods.into()];
    near.read_exact(&mut offered).await.ok()?;
    if !offered.contains(&2) {
        near.write_all(&[5, 255]).await.ok()?;
        return None;
    }
    near.write_all(&[5, 2]).await.ok()?;
    let [1, length] = bytes::<2>(&mut near).await? else { return None };
    let mut name = vec![0; length.into()];
    near.read_exact(&mut name).await.ok()?;
    let mut password = vec![0; near.read_u8().await.ok()?.into()];
    near.read_exact(&mut password).await.ok()?;
    let right = name == NAME.as_bytes() && password == PASSWORD.as_bytes();
    near.write_all(&[1, u8::from(!right)]).await.ok()?;
    if !right {
        return None;
    }
    let [5, 1, 0, 1] = bytes::<4>(&mut near).await? else { return None };
    let host = bytes::<4>(&mut near).await?;
    let port = near.read_u16().await.ok()?;
    let far = TcpStream::connect(SocketAddr::from((host, port))).await.ok()?;
    near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    Some((near, far))
}

async fn bytes<const N: usize>(stream: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}
