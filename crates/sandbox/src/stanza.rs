//! Binary nodes: reading attributes, building the common ones, and where each kind goes.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use crate::error::Failure;
use crate::live::ConnectionId;
use crate::turn::Turn;
use crate::{calls, iq, limits, login, message, pairing, presence, receipt};

/// The server's own address: an address without a user, not the bare name. Baileys takes a notification about keys for
/// that of a person otherwise (`S_WHATSAPP_NET`).
pub(crate) const SERVER: &str = "@s.whatsapp.net";

/// Reads the bytes of a decrypted frame, or of a stored stanza.
pub(crate) fn decode(bytes: &[u8]) -> Result<Node, Failure> {
    let plain = wacore_binary::util::unpack(bytes).map_err(Failure::protocol)?;
    Ok(wacore_binary::marshal::unmarshal_ref(&plain).map_err(Failure::protocol)?.to_owned())
}

/// The bytes to store.
pub(crate) fn encode(node: &Node) -> Result<Vec<u8>, Failure> {
    wacore_binary::marshal::marshal(node).map_err(Failure::protocol)
}

/// Everything that a client says, on its way to the module that knows it.
pub(crate) fn handle(turn: &mut Turn<'_>, connection: ConnectionId, node: &Node) -> Result<(), Failure> {
    // The socket may have been closed while this waited.
    let Some(socket) = turn.live.sockets.get(&connection) else { return Ok(()) };
    let Some(address) = socket.address else { return pairing::handle(turn, connection, node) };
    match node.tag.as_ref() {
        "iq" => iq::handle(turn, connection, address, node),
        "message" => message::accept(turn, connection, address, node),
        "receipt" => receipt::accept(turn, connection, address, node),
        "ack" => receipt::acknowledged(turn, address, node),
        "ib" => login::batch_requested(turn, address, node),
        "presence" => presence::accept(turn, connection, address, node),
        "chatstate" => presence::typing(turn, address, node),
        "call" => calls::accept(turn, connection, address, node),
        _ => Ok(()),
    }
}

/// Content that is a person's words. As a string, something with `@` in it would be written as an address, which clients
/// cannot read; the real servers write bytes, too.
pub(crate) fn words(node: NodeBuilder, text: &str) -> Node {
    node.bytes(text.as_bytes().to_vec()).build()
}

/// Whether an attribute can carry the text: the codec writes `…@…` as an address, and one of an unknown server makes the
/// whole stanza unreadable.
pub(crate) fn fits_attribute(text: &str) -> bool {
    !text.contains('@')
}

/// Readers of attributes and children.
pub(crate) trait Read {
    fn text(&self, key: &str) -> Option<String>;
    fn jid(&self, key: &str) -> Option<Jid>;
    /// The stanza's id, refused when it is missing or too long.
    fn id(&self) -> Result<String, Failure>;
    fn child(&self, tag: &str) -> Option<&Node>;
    fn first_child(&self) -> Option<&Node>;
    fn bytes(&self) -> Option<&[u8]>;
    fn child_bytes(&self, tag: &str) -> Option<&[u8]>;
}

impl Read for Node {
    fn text(&self, key: &str) -> Option<String> {
        self.attrs.get(key).map(|value| value.as_str().into_owned())
    }

    fn jid(&self, key: &str) -> Option<Jid> {
        self.attrs.get(key)?.to_jid()
    }

    fn id(&self) -> Result<String, Failure> {
        self.text("id")
            .filter(|id| !id.is_empty() && id.len() <= limits::STANZA_ID_CHARS)
            .ok_or_else(|| Failure::protocol("a stanza without a usable id"))
    }

    fn child(&self, tag: &str) -> Option<&Node> {
        self.get_optional_child(tag)
    }

    fn first_child(&self) -> Option<&Node> {
        self.children()?.first()
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self.content.as_ref()? {
            NodeContent::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn child_bytes(&self, tag: &str) -> Option<&[u8]> {
        self.child(tag)?.bytes()
    }
}

/// A big-endian number of up to four bytes.
pub(crate) fn big_endian(bytes: &[u8]) -> Option<u32> {
    (bytes.len() <= 4).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// `<iq type=result>`.
pub(crate) fn iq_result(id: &str, children: Vec<Node>) -> Node {
    let builder = NodeBuilder::new("iq").attr("from", SERVER).attr("type", "result").attr("id", id);
    if children.is_empty() { builder.build() } else { builder.children(children).build() }
}

/// `<iq type=error>`.
pub(crate) fn iq_error(id: &str, code: u16, text: &str) -> Node {
    let error = NodeBuilder::new("error").attr("code", code.to_string()).attr("text", text).build();
    NodeBuilder::new("iq").attr("from", SERVER).attr("type", "error").attr("id", id).children([error]).build()
}

/// `<stream:error>` that says why the socket will be closed. A client that was replaced gets no code: Baileys has
/// its own (440) for a conflict without one, and takes any other for another trouble.
pub(crate) fn conflict(kind: &str) -> Node {
    let error = NodeBuilder::new("stream:error");
    let error = if kind == "device_removed" { error.attr("code", "401") } else { error };
    error.children([NodeBuilder::new("conflict").attr("type", kind).build()]).build()
}

/// Seconds, as stanzas carry time.
pub(crate) fn seconds(unix_ms: i64) -> String {
    unix_ms.div_euclid(1_000).to_string()
}
