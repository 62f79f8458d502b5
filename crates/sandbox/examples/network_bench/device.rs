//! A device: linked by a phone's scan, then logged in, as any client. It cannot read messages, which the network cannot, either.

use anyhow::{Context, Result, ensure};
use buffa::Message as _;
use wacore::companion_reg::CompanionWebClientType;
use wacore::pair::{DeviceState, PairUtils};
use wacore::store::device::Device;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use crate::line::Line;
use crate::network::Network;

const SERVER: &str = "s.whatsapp.net";

/// A device that is logged in and takes its stanzas.
pub struct Linked {
    pub jid: Jid,
    pub line: Line,
}

/// Makes a phone and a device of it, and connects the device.
pub async fn link(network: &Network, number: &str) -> Result<Linked> {
    network.make_phone(number).await?;
    let mut device = Device::new();
    let jid = pair(network, number, &device).await?;
    device.pn = Some(jid.clone());
    let mut line = open(network, &device).await?;
    line.expect("success").await?;
    line.send(&request("active", "set", "passive", Some(NodeBuilder::new("active").build()))).await?;
    while line.expect("ib").await?.get_optional_child("offline").is_none() {}
    Ok(Linked { jid, line })
}

async fn open(network: &Network, device: &Device) -> Result<Line> {
    let payload = device.get_client_payload().encode_to_vec();
    Line::open(&network.address, &network.path, device.noise_key.clone(), payload).await
}

async fn pair(network: &Network, number: &str, device: &Device) -> Result<Jid> {
    let state = DeviceState {
        identity_key: device.identity_key.clone(),
        noise_key: device.noise_key.clone(),
        adv_secret_key: device.adv_secret_key,
    };
    let mut line = open(network, device).await?;
    let offer = line.expect("iq").await?;
    let code = offer.get_optional_child("pair-device").and_then(|offer| offer.get_optional_child("ref"));
    let code = String::from_utf8(bytes(code.context("a code")?)?.to_vec())?;
    let qr = PairUtils::make_qr_data(&state, &code, CompanionWebClientType::Chrome);
    network.scan(number, &qr).await?;
    let linked = line.expect("iq").await?;
    let success = linked.get_optional_child("pair-success").context("the phone's word")?;
    let sealed = success.get_optional_child("device-identity").context("an identity")?;
    let (signed, key_index) =
        PairUtils::do_pair_crypto(&state, bytes(sealed)?).map_err(|error| anyhow::anyhow!("{error}"))?;
    let id = text(&linked, "id").context("an id")?;
    line.send(&PairUtils::build_pair_success_response(&id, signed, key_index)).await?;
    let device = success.get_optional_child("device").context("a device")?;
    let jid = device.attrs.get("jid").and_then(|jid| jid.to_jid()).context("an address")?;
    let end = line.expect("stream:error").await?;
    ensure!(text(&end, "code").as_deref() == Some("515"), "{end:?}");
    Ok(jid)
}

/// An `<iq>` to the network.
pub fn request(id: &str, kind: &'static str, namespace: &'static str, child: Option<Node>) -> Node {
    let iq = NodeBuilder::new("iq").attr("id", id).attr("to", SERVER).attr("type", kind);
    let iq = iq.attr("xmlns", namespace);
    match child {
        Some(child) => iq.children([child]).build(),
        None => iq.build(),
    }
}

/// `<ack>`: what the network brought may leave its queue.
pub fn acknowledgement(node: &Node) -> Option<Node> {
    if !matches!(node.tag.as_ref(), "message" | "receipt" | "notification") {
        return None;
    }
    let ack = NodeBuilder::new("ack").attr("class", node.tag.to_string()).attr("id", text(node, "id")?);
    let ack = ack.attr("to", text(node, "from")?);
    Some(match text(node, "type") {
        Some(kind) if node.tag.as_ref() != "message" => ack.attr("type", kind).build(),
        _ => ack.build(),
    })
}

/// An attribute.
pub fn text(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

fn bytes(node: &Node) -> Result<&[u8]> {
    match &node.content {
        Some(NodeContent::Bytes(bytes)) => Ok(bytes),
        other => anyhow::bail!("no bytes but {other:?}"),
    }
}
