//! Namespace `usync`: who has an account, which devices it has, and its other address.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::error::Failure;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{Read, iq_error, iq_result, seconds};
use crate::turn::Turn;
use crate::{devices, limits, people};

pub(super) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    let (Some(asking), Some(usync)) = (phones::by_id(turn, from.phone)?, node.child("usync")) else {
        return Ok(iq_error(id, 400, "bad-request"));
    };
    let protocols: Vec<String> = usync
        .child("query")
        .and_then(Node::children)
        .unwrap_or_default()
        .iter()
        .map(|protocol| protocol.tag.to_string())
        .collect();
    let asked: Vec<Jid> = usync
        .child("list")
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("user"))
        .filter_map(address)
        .take(limits::USERS_PER_QUERY)
        .collect();
    let mut users = Vec::with_capacity(asked.len());
    for jid in asked {
        users.push(user(turn, &asking, &jid, &protocols)?);
    }
    let result = NodeBuilder::new("result")
        .children(protocols.iter().map(|protocol| NodeBuilder::new_dynamic(protocol.clone()).build()))
        .build();
    let answer = NodeBuilder::new("usync")
        .attr("sid", usync.text("sid").unwrap_or_default())
        .attr("index", "0")
        .attr("last", "true")
        .attr("mode", usync.text("mode").unwrap_or_else(|| "query".to_owned()))
        .attr("context", usync.text("context").unwrap_or_else(|| "message".to_owned()))
        .children([result, NodeBuilder::new("list").children(users).build()])
        .build();
    Ok(iq_result(id, vec![answer]))
}

/// A user is named by address, or by a number in `<contact>`.
fn address(user: &Node) -> Option<Jid> {
    user.jid("jid").or_else(|| {
        let contact = user.child("contact")?;
        let number = contact
            .content_as_string()
            .map(|number| number.to_string())
            .or_else(|| String::from_utf8(contact.bytes()?.to_vec()).ok())?;
        Some(Jid::pn(number.trim_start_matches('+')))
    })
}

/// Answers in the form of address in which it was asked.
fn user(turn: &mut Turn<'_>, asking: &Phone, jid: &Jid, protocols: &[String]) -> Result<Node, Failure> {
    let Some(phone) = phones::by_jid(turn, asking.network, jid)? else { return Ok(nobody(jid, protocols)) };
    let mut answers = Vec::with_capacity(protocols.len());
    for protocol in protocols {
        match protocol.as_str() {
            "devices" => answers.push(device_list(turn, &phone)?),
            "lid" => answers.push(NodeBuilder::new("lid").attr("val", phone.jid(Form::Lid)).build()),
            "contact" => answers.push(NodeBuilder::new("contact").attr("type", "in").build()),
            "business" => answers.extend(people::business_mark(turn, phone.id)?),
            "status" => answers.push(people::about(turn, &phone, asking.id)?),
            "picture" => {
                if let Some(id) = people::picture_id(turn, &phone, asking.id)? {
                    answers.push(NodeBuilder::new("picture").attr("id", id).build());
                }
            },
            _ => {},
        }
    }
    Ok(NodeBuilder::new("user").attr("jid", phone.jid(Form::of(jid))).children(answers).build())
}

/// A number without a phone: not a contact, and without devices.
fn nobody(jid: &Jid, protocols: &[String]) -> Node {
    let answers = protocols.iter().filter_map(|protocol| match protocol.as_str() {
        "contact" => Some(NodeBuilder::new("contact").attr("type", "out").build()),
        "devices" => {
            Some(NodeBuilder::new("devices").children([NodeBuilder::new("device-list").build()]).build())
        },
        _ => None,
    });
    NodeBuilder::new("user").attr("jid", jid.to_non_ad()).children(answers).build()
}

fn device_list(turn: &mut Turn<'_>, phone: &Phone) -> Result<Node, Failure> {
    let companions = devices::companions(turn, phone.id)?;
    let own = NodeBuilder::new("device").attr("id", "0").build();
    let linked = companions.iter().map(|device| {
        NodeBuilder::new("device")
            .attr("id", device.to_string())
            .attr("key-index", device.to_string())
            .build()
    });
    let mut children =
        vec![NodeBuilder::new("device-list").children(std::iter::once(own).chain(linked)).build()];
    if !companions.is_empty() {
        let list = devices::key_index_list(turn, phone, &companions)?;
        children.push(NodeBuilder::new("key-index-list").attr("ts", seconds(turn.now)).bytes(list).build());
    }
    Ok(NodeBuilder::new("devices").children(children).build())
}
