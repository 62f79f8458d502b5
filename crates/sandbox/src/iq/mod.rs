//! Requests of logged-in clients. Dispatch is by namespace: some clients send no child, or another one.

mod keys;
mod tokens;
mod usync;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::app_state;
use crate::devices;
use crate::error::Failure;
use crate::groups;
use crate::live::{Address, ConnectionId};
use crate::login;
use crate::media;
use crate::people;
use crate::phones;
use crate::stanza::{Read, iq_error, iq_result};
use crate::turn::Turn;

pub(crate) fn handle(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    node: &Node,
) -> Result<(), Failure> {
    let kind = node.text("type").unwrap_or_default();
    // Answers to our own requests.
    if kind == "result" || kind == "error" {
        return Ok(());
    }
    let id = node.id()?;
    let namespace = node.text("xmlns").unwrap_or_default();
    let child = node.first_child();
    let tag = child.map_or("", |child| child.tag.as_ref());
    let reply = match (namespace.as_str(), tag) {
        ("passive", "active") => {
            turn.send(connection, iq_result(&id, Vec::new()));
            return login::activate(turn, connection, from);
        },
        ("md", "remove-companion-device") => {
            turn.send(connection, iq_result(&id, Vec::new()));
            return devices::remove(turn, from);
        },
        ("md", "link_code_companion_reg") => iq_error(&id, 501, "feature-not-implemented"),
        ("encrypt", _) => keys::handle(turn, from, &id, node)?,
        ("usync", _) => usync::handle(turn, from, &id, node)?,
        ("w:sync:app:state", _) => app_state::handle(turn, from, &id, node)?,
        ("w" | "abt", _) => iq_result(
            &id,
            vec![
                NodeBuilder::new("props")
                    .attr("protocol", "1")
                    .attr("hash", "sandbox")
                    .attr("refresh", "86400")
                    .build(),
            ],
        ),
        ("w:m", _) => iq_result(&id, vec![media_connection(turn, connection, from)?]),
        ("blocklist", _) => people::blocklist(turn, from, &id, node)?,
        ("w:profile:picture", _) => people::picture(turn, connection, from, &id, node)?,
        ("status", _) => set_about(turn, from, &id, child)?,
        ("privacy", "tokens") => tokens::handle(turn, from, &id, child)?,
        ("privacy", _) => people::privacy(turn, from, &id, node)?,
        ("w:g2", _) => groups::handle(turn, from, &id, node)?,
        ("w:biz", _) => people::business(turn, from, &id, node)?,
        // Newsletters, communities and what else clients ask of the GraphQL endpoint: not simulated.
        ("w:mex" | "newsletter", _) => iq_error(&id, 501, "feature-not-implemented"),
        // Settings and pings: an empty result is the right answer to most.
        _ => iq_result(&id, Vec::new()),
    };
    turn.send(connection, reply);
    Ok(())
}

/// The own text, as a client sets it.
fn set_about(turn: &mut Turn<'_>, from: Address, id: &str, text: Option<&Node>) -> Result<Node, Failure> {
    let (Some(own), Some(text)) = (phones::by_id(turn, from.phone)?, text) else {
        return Ok(iq_error(id, 400, "bad-request"));
    };
    let said = text.content_as_string().map(|text| text.to_string());
    let said = said.or_else(|| String::from_utf8(text.bytes()?.to_vec()).ok()).unwrap_or_default();
    match turn.attempt(|turn| people::set_about(turn, &own, &said)) {
        Ok(()) => Ok(iq_result(id, Vec::new())),
        Err(Failure::Refused(_)) => Ok(iq_error(id, 406, "not-acceptable")),
        Err(other) => Err(other),
    }
}

fn media_connection(turn: &Turn<'_>, connection: ConnectionId, from: Address) -> Result<Node, Failure> {
    let own = phones::by_id(turn, from.phone)?.ok_or_else(|| Failure::protocol("no such phone"))?;
    media::connection(turn, connection, own.network)
}
