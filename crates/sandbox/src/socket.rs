//! One WebSocket: framing, Noise, binary nodes. One task each; everything else is the engine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wacore_binary::Node;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FrameDecoder, encode_frame};

use crate::engine::Engine;
use crate::error::Failure;
use crate::handshake::{self, Established, Reply};
use crate::live::{ConnectionId, Out, Writer};
use crate::{limits, login, presence, stanza};

/// A client that does not finish its handshake in this time is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client that was told why may take to close the connection itself.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);
/// Small, because there are many: a socket that is idle holds little more than these.
const BUFFER_BYTES: usize = 4 * 1024;

/// `GET /{token}/ws/chat`.
pub(crate) async fn upgrade(
    State(engine): State<Engine>,
    Path(token): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host: String = host.chars().take(limits::HOST_CHARS).collect();
    match engine.call(move |turn| login::admit(turn, &token)).await {
        Ok(Admission::Welcome { network, seed }) => upgrade
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(limits::FRAME_BYTES)
            .max_frame_size(limits::FRAME_BYTES)
            .on_upgrade(move |socket| async move {
                let mut connection = Connection {
                    engine,
                    host,
                    network,
                    seed,
                    socket,
                    decoder: FrameDecoder::new(),
                    prologue: None,
                    told_why: false,
                };
                if let Err(error) = connection.run().await {
                    tracing::debug!(%error, "a connection of the sandbox ended");
                }
            }),
        Ok(Admission::Unknown) => StatusCode::NOT_FOUND.into_response(),
        Ok(Admission::Refused) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// What the engine says to a new socket.
pub(crate) enum Admission {
    /// No network has this token.
    Unknown,
    /// A limit, or a fault.
    Refused,
    /// The seed is for the handshake's ephemeral key.
    Welcome { network: i64, seed: [u8; 32] },
}

struct Connection {
    engine: Engine,
    host: String,
    network: i64,
    seed: [u8; 32],
    socket: WebSocket,
    decoder: FrameDecoder,
    /// The client's first four bytes, once read.
    prologue: Option<[u8; 4]>,
    /// The last stanza said why the connection will end.
    told_why: bool,
}

impl Connection {
    async fn run(&mut self) -> Result<(), Failure> {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.handshake()).await;
        let handshake = handshake.unwrap_or_else(|_| Err(Failure::protocol("the handshake took too long")));
        let established = match handshake {
            Ok(established) => established,
            Err(failure) => {
                // A client that cannot be understood is told so, rather than left with a dead connection.
                let refusal = CloseFrame { code: close_code::PROTOCOL, reason: "unknown protocol".into() };
                let _ = self.socket.send(Message::Close(Some(refusal))).await;
                return Err(failure);
            },
        };
        let Some(established) = established else { return Ok(()) };
        let Established { payload, client_key, read, write } = established;
        // Some clients derive their keys after they sent their last handshake message, and lose a frame that
        // arrives before; a real network is never that fast.
        tokio::time::sleep(self.engine.shared.options.first_stanza_delay).await;
        let (queue, outgoing) = unbounded_channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let writer = Writer { queue, unwritten: Arc::clone(&unwritten) };
        let (network, host) = (self.network, std::mem::take(&mut self.host));
        let opened =
            self.engine.call(move |turn| login::open(turn, network, writer, host, &payload, client_key));
        let id = opened.await?;
        let result = self.exchange(id, read, write, outgoing, &unwritten).await;
        self.engine.post(id, (), move |turn| {
            let told = presence::left(turn, id);
            turn.live.forget(id);
            told
        });
        if self.told_why {
            self.linger().await;
        }
        let _ = self.socket.close().await;
        result
    }

    /// Lets a client that was told why it is disconnected close the connection itself: some decode in the background,
    /// and when the end comes at once they see that first, and not the reason.
    async fn linger(&mut self) {
        let gone = async { while let Ok(Some(_)) = receive(&mut self.socket).await {} };
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, gone).await;
    }

    /// `None` when the client went away.
    async fn handshake(&mut self) -> Result<Option<Established>, Failure> {
        let mut random = StdRng::from_seed(self.seed);
        let Some(hello) = self.frame().await? else { return Ok(None) };
        let prologue = self.prologue.ok_or_else(|| Failure::protocol("no header"))?;
        match handshake::answer(&self.engine.shared.identity, prologue, &hello, &mut random)? {
            Reply::Done(bytes, established) => {
                self.write(&bytes).await?;
                Ok(Some(*established))
            },
            Reply::More(bytes, pending) => {
                self.write(&bytes).await?;
                let Some(finish) = self.frame().await? else { return Ok(None) };
                pending.finish(&finish).map(Some)
            },
        }
    }

    async fn exchange(
        &mut self,
        id: ConnectionId,
        read: NoiseCipher,
        write: NoiseCipher,
        mut outgoing: UnboundedReceiver<Out>,
        unwritten: &AtomicUsize,
    ) -> Result<(), Failure> {
        let credit = Arc::new(Semaphore::new(limits::IN_FLIGHT));
        let (mut received, mut sent) = (0_u32, 0_u32);
        loop {
            while let Some(frame) = self.decoder.decode_frame() {
                let node = open_frame(&read, received, frame)?;
                received = received.checked_add(1).ok_or_else(|| Failure::protocol("counter"))?;
                let permit = Arc::clone(&credit).acquire_owned().await.map_err(Failure::protocol)?;
                self.engine.post(id, permit, move |turn| stanza::handle(turn, id, &node));
            }
            tokio::select! {
                out = outgoing.recv() => {
                    let Some(Out::Node(node)) = out else { return Ok(()) };
                    unwritten.fetch_sub(1, Ordering::Relaxed);
                    self.feed(&write, &mut sent, &node).await?;
                    // What waits together is flushed together.
                    while let Ok(out) = outgoing.try_recv() {
                        let Out::Node(node) = out else {
                            let _ = self.socket.flush().await;
                            return Ok(());
                        };
                        unwritten.fetch_sub(1, Ordering::Relaxed);
                        self.feed(&write, &mut sent, &node).await?;
                    }
                    self.socket.flush().await.map_err(Failure::protocol)?;
                }
                more = receive(&mut self.socket) => match more? {
                    Some(bytes) => self.decode(&bytes)?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn feed(&mut self, cipher: &NoiseCipher, counter: &mut u32, node: &Node) -> Result<(), Failure> {
        self.told_why = matches!(node.tag.as_ref(), "stream:error" | "failure");
        let plain = wacore_binary::marshal::marshal(node).map_err(Failure::protocol)?;
        let sealed = cipher.encrypt_with_counter(*counter, &plain).map_err(Failure::protocol)?;
        *counter = counter.checked_add(1).ok_or_else(|| Failure::protocol("counter"))?;
        let frame = encode_frame(&sealed, None).map_err(Failure::protocol)?;
        self.socket.feed(Message::Binary(Bytes::from(frame))).await.map_err(Failure::protocol)
    }

    async fn write(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let frame = encode_frame(payload, None).map_err(Failure::protocol)?;
        self.socket.send(Message::Binary(Bytes::from(frame))).await.map_err(Failure::protocol)
    }

    async fn frame(&mut self) -> Result<Option<BytesMut>, Failure> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Ok(Some(frame));
            }
            match receive(&mut self.socket).await? {
                Some(bytes) => self.decode(&bytes)?,
                None => return Ok(None),
            }
        }
    }

    fn decode(&mut self, bytes: &Bytes) -> Result<(), Failure> {
        let rest = match self.prologue {
            Some(_) => bytes.as_ref(),
            None => {
                let (prologue, rest) = header(bytes)?;
                self.prologue = Some(prologue);
                rest
            },
        };
        self.decoder.feed(rest);
        if self.decoder.buffered_len() > limits::FRAME_BYTES {
            return Err(Failure::protocol("the frame is too long"));
        }
        Ok(())
    }
}

/// The stream begins with `"WA"`, 6 and the version of the token dictionary. A client that was told routing
/// information sends `"ED" 0 1`, a length of three bytes and that information before it.
fn header(bytes: &[u8]) -> Result<([u8; 4], &[u8]), Failure> {
    let rest = match bytes {
        [b'E', b'D', _, _, a, b, c, rest @ ..] => {
            let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            rest.get(length..).ok_or_else(|| Failure::protocol("the routing information is cut off"))?
        },
        whole => whole,
    };
    let (prologue, rest) = rest.split_first_chunk::<4>().ok_or_else(|| Failure::protocol("no header"))?;
    // Another dictionary would turn every stanza into another one.
    if *prologue != WA_CONN_HEADER {
        return Err(Failure::Protocol(format!("unknown header {prologue:?}")));
    }
    Ok((*prologue, rest))
}

async fn receive(socket: &mut WebSocket) -> Result<Option<Bytes>, Failure> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => return Ok(Some(bytes)),
            Some(Ok(Message::Close(_))) | None => return Ok(None),
            Some(Ok(_)) => {},
            Some(Err(error)) => return Err(Failure::protocol(error)),
        }
    }
}

fn open_frame(cipher: &NoiseCipher, counter: u32, mut frame: BytesMut) -> Result<Node, Failure> {
    cipher.decrypt_in_place_with_counter(counter, &mut frame).map_err(Failure::protocol)?;
    stanza::decode(&frame)
}
