//! Requests of logged-in clients. Dispatch is by namespace: some clients send no child, or another one.

mod keys;
mod privacy;
mod usync;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::devices;
use crate::error::Failure;
use crate::groups;
use crate::live::{Address, ConnectionId};
use crate::login;
use crate::media;
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
        ("w:sync:app:state", _) => iq_result(&id, vec![app_state(child)]),
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
        ("blocklist", _) => iq_result(&id, vec![NodeBuilder::new("list").build()]),
        ("privacy", _) => privacy::handle(turn, from, &id, child)?,
        ("w:g2", _) => groups::handle(turn, from, &id, node)?,
        ("w:profile:picture" | "w:mex" | "newsletter", _) => iq_error(&id, 404, "item-not-found"),
        // Settings and pings: an empty result is the right answer to most.
        _ => iq_result(&id, Vec::new()),
    };
    turn.send(connection, reply);
    Ok(())
}

/// Every collection is at version 0 and has nothing new.
fn app_state(sync: Option<&Node>) -> Node {
    let collections = sync
        .into_iter()
        .flat_map(|sync| sync.get_children_by_tag("collection"))
        .filter_map(|collection| collection.text("name"));
    NodeBuilder::new("sync")
        .children(
            collections
                .map(|name| NodeBuilder::new("collection").attr("name", name).attr("version", "0").build()),
        )
        .build()
}

fn media_connection(turn: &Turn<'_>, connection: ConnectionId, from: Address) -> Result<Node, Failure> {
    let own = phones::by_id(turn, from.phone)?.ok_or_else(|| Failure::protocol("no such phone"))?;
    media::connection(turn, connection, own.network)
}
