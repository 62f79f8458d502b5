//! One connection as a client has it: WebSocket, frames, Noise, binary nodes, and nothing more, so that thousands fit beside
//! what they measure.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wacore::handshake::{NoiseCipher, XxHandshakeState};
use wacore_binary::Node;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::framing::{FrameDecoder, encode_frame};

/// The longest answer to the upgrade.
const UPGRADE_BYTES: usize = 8 * 1024;
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 0x08;
/// A whole message of bytes.
const FINAL_BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// WebSocket and frames.
struct Wire {
    stream: TcpStream,
    unread: BytesMut,
    frames: FrameDecoder,
}

impl Wire {
    async fn open(address: &str, path: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut unread = BytesMut::new();
        let end = loop {
            if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(unread.len() < UPGRADE_BYTES, "the answer to the upgrade is too long");
            ensure!(stream.read_buf(&mut unread).await? > 0, "closed during the upgrade");
        };
        ensure!(unread.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&unread));
        unread.advance(end);
        Ok(Self { stream, unread, frames: FrameDecoder::new() })
    }

    /// One message; masked with zeros, which leaves it as it is.
    async fn send(&mut self, frame: &[u8]) -> Result<()> {
        let mut message = vec![FINAL_BINARY];
        match (u8::try_from(frame.len()), u16::try_from(frame.len())) {
            (Ok(length @ ..126), _) => message.push(MASKED | length),
            (_, Ok(length)) => {
                message.push(MASKED | 126);
                message.extend(length.to_be_bytes());
            },
            _ => bail!("{} bytes in one message", frame.len()),
        }
        message.extend([0; 4]);
        message.extend(frame);
        Ok(self.stream.write_all(&message).await?)
    }

    /// `None` when the network has closed.
    async fn receive(&mut self) -> Result<Option<BytesMut>> {
        loop {
            if let Some(frame) = self.frames.decode_frame() {
                return Ok(Some(frame));
            }
            match self.message()? {
                Some((opcode, _)) if opcode == CLOSE => return Ok(None),
                Some((_, payload)) => self.frames.feed(&payload),
                None => {
                    if self.unread.is_empty() {
                        // What is idle holds nothing.
                        self.unread = BytesMut::new();
                    }
                    if self.stream.read_buf(&mut self.unread).await? == 0 {
                        return Ok(None);
                    }
                },
            }
        }
    }

    /// The next message that is here in full. Servers do not mask.
    fn message(&mut self) -> Result<Option<(u8, BytesMut)>> {
        let [first, length, rest @ ..] = &self.unread[..] else { return Ok(None) };
        let opcode = first & OPCODE;
        let (header, length) = match (*length, rest) {
            (length @ ..126, _) => (2, usize::from(length)),
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))?)
            },
            (126 | 127, _) => return Ok(None),
            _ => bail!("a masked message from the network"),
        };
        if self.unread.len() < header + length {
            return Ok(None);
        }
        self.unread.advance(header);
        Ok(Some((opcode, self.unread.split_to(length))))
    }
}

/// An encrypted connection.
pub struct Line {
    wire: Wire,
    write: NoiseCipher,
    read: NoiseCipher,
    sent: u32,
    received: u32,
}

impl Line {
    /// Connects and shakes hands; `payload` says who this is.
    pub async fn open(address: &str, path: &str, noise_key: KeyPair, payload: Vec<u8>) -> Result<Self> {
        let mut wire = Wire::open(address, path).await?;
        let mut handshake = XxHandshakeState::new(noise_key, payload, &WA_CONN_HEADER)?;
        let hello = encode_frame(&handshake.build_client_hello()?, Some(&WA_CONN_HEADER))?;
        wire.send(&hello).await?;
        let answer = wire.receive().await?.context("closed during the handshake")?;
        let finish = handshake.read_server_hello_and_build_client_finish(&answer)?;
        wire.send(&encode_frame(&finish, None)?).await?;
        let done = handshake.finish()?;
        Ok(Self { wire, write: done.write_cipher, read: done.read_cipher, sent: 0, received: 0 })
    }

    /// Says something.
    pub async fn send(&mut self, node: &Node) -> Result<()> {
        let plain = wacore_binary::marshal::marshal(node)?;
        let sealed = self.write.encrypt_with_counter(self.sent, &plain)?;
        self.sent += 1;
        self.wire.send(&encode_frame(&sealed, None)?).await
    }

    /// What the network says next; `None` when it has closed. May be dropped while it waits.
    pub async fn receive(&mut self) -> Result<Option<Node>> {
        let Some(mut frame) = self.wire.receive().await? else { return Ok(None) };
        self.read.decrypt_in_place_with_counter(self.received, &mut frame)?;
        self.received += 1;
        let plain = wacore_binary::util::unpack(&frame)?;
        Ok(Some(wacore_binary::marshal::unmarshal_ref(&plain)?.to_owned()))
    }

    /// The next stanza of this name; others are acknowledged.
    pub async fn expect(&mut self, tag: &str) -> Result<Node> {
        loop {
            let node = self.receive().await?.with_context(|| format!("closed before <{tag}>"))?;
            if node.tag.as_ref() == tag {
                return Ok(node);
            }
            if let Some(ack) = crate::device::acknowledgement(&node) {
                self.send(&ack).await?;
            }
        }
    }
}
