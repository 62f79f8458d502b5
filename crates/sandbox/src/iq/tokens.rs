//! Tokens of namespace `privacy`, by which people know each other.

use sha2::{Digest, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::deliver;
use crate::error::Failure;
use crate::limits;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;

/// Clients keep a token for a week (`tctoken_duration` in `wacore`), and issue the next one after it.
const TOKEN_WEEK_S: i64 = 604_800;

pub(super) fn handle(
    turn: &mut Turn<'_>,
    from: Address,
    id: &str,
    child: Option<&Node>,
) -> Result<Node, Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(iq_error(id, 404, "item-not-found")) };
    Ok(iq_result(id, vec![tokens(turn, &own, child)?]))
}

/// Each token that the client issues is confirmed with the time from which it counts, else it issues one after every
/// message; the person whom it is for gets it once a week.
fn tokens(turn: &mut Turn<'_>, issuer: &Phone, asked: Option<&Node>) -> Result<Node, Failure> {
    let issued = asked.into_iter().flat_map(|asked| asked.get_children_by_tag("token"));
    let mut confirmed = Vec::new();
    for token in issued.take(limits::USERS_PER_QUERY) {
        let Some(jid) = token.jid("jid") else { continue };
        let t = token.text("t").and_then(|t| t.parse().ok()).unwrap_or(turn.now / 1_000);
        if let Some(holder) = phones::by_jid(turn, issuer.network, &jid)? {
            hand_over(turn, issuer, &holder, t)?;
        }
        // Opaque to clients; one without content is ignored.
        let content = Sha256::digest(jid.to_string()).to_vec();
        confirmed.push(node(t).attr("jid", jid).bytes(content).build());
    }
    Ok(NodeBuilder::new("tokens").children(confirmed).build())
}

fn node(t: i64) -> NodeBuilder {
    NodeBuilder::new("token").attr("t", t.to_string()).attr("type", "trusted_contact")
}

/// `<notification type=privacy_token>` to the companions of whom the token is for, when it is a new week's.
fn hand_over(turn: &mut Turn<'_>, issuer: &Phone, holder: &Phone, t: i64) -> Result<(), Failure> {
    let week = t.div_euclid(TOKEN_WEEK_S);
    let new = turn.db.run(
        "INSERT INTO privacy_token (issuer, holder, week) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET week = excluded.week WHERE week < excluded.week",
        (issuer.id, holder.id, week),
    )?;
    if new == 0 || issuer.id == holder.id {
        return Ok(());
    }
    turn.db.run(
        "DELETE FROM privacy_token WHERE issuer = ?1 AND seq <= (SELECT seq FROM privacy_token WHERE issuer = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        (issuer.id, limits::PRIVACY_TOKENS),
    )?;
    let content = Sha256::new()
        .chain_update(&issuer.lid)
        .chain_update("/")
        .chain_update(&holder.lid)
        .chain_update(week.to_be_bytes())
        .finalize()
        .to_vec();
    let token = node(t).attr("jid", holder.jid(Form::Lid)).bytes(content).build();
    let id = turn.stanza_id(issuer.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", issuer.jid(Form::Pn))
        .attr("sender_lid", issuer.jid(Form::Lid))
        .attr("type", "privacy_token")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children([NodeBuilder::new("tokens").children([token]).build()])
        .build();
    deliver::to_companions(turn, holder.id, None, &notification)
}
