//! `<notification type=w:gp2>`: members learn what changed, on each of their devices.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::{Group, Member, Rank, participant};
use crate::error::Failure;
use crate::phones::{Form, Phone};
use crate::turn::Turn;
use crate::{deliver, stanza};

/// Tells the phones' companions what the actor did.
pub(super) fn tell(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    phones: impl IntoIterator<Item = i64>,
    change: &Node,
) -> Result<(), Failure> {
    let id = turn.stanza_id(group.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", group.jid())
        .attr("type", "w:gp2")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .attr("participant", actor.jid(group.form))
        .attr("addressing_mode", group.addressing_mode())
        .attr("notify", actor.push_name());
    let notification = match group.form {
        Form::Pn => notification,
        Form::Lid => notification.attr("participant_pn", actor.jid(Form::Pn)),
    };
    let notification = notification.children([change.clone()]).build();
    for phone in phones {
        deliver::to_companions(turn, phone, None, &notification)?;
    }
    Ok(())
}

/// The same for all members.
pub(super) fn tell_all(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    change: &Node,
) -> Result<(), Failure> {
    let members = super::members(turn, group)?;
    tell(turn, group, actor, members.iter().map(|member| member.phone.id), change)
}

/// `<add>`, `<remove>`, `<promote>`, `<demote>`.
pub(super) fn of_participants(group: &Group, action: &'static str, changed: &[Member]) -> Node {
    let nodes = changed.iter().map(|member| {
        // The rank that counts is the one after the change; who is gone has none.
        let rank = if action == "remove" { Rank::Member } else { member.rank };
        participant(group, &member.phone, rank)
    });
    NodeBuilder::new(action).children(nodes.collect::<Vec<_>>()).build()
}
