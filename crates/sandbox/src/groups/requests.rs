//! Requests to join: in a group whose admins decide, who comes by invite waits. Stanzas as `whatsapp-rust` and Baileys read
//! them (`membership_approval_requests`, `created_membership_requests`, `revoked_membership_requests`).

use serde::{Deserialize, Serialize};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::handle::{existing, numbers, of_member, parse};
use super::{Group, Rank, change, members, notify};
use crate::clock::rfc3339;
use crate::error::{Failure, Refusal};
use crate::limits;
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::stanza;
use crate::store::Query;
use crate::turn::Turn;

/// Somebody who waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// `+E.164`.
    pub number: String,
    /// RFC 3339.
    pub requested_at: String,
}

/// What an admin decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinAnswer {
    /// Whether they are let in.
    pub approve: bool,
    /// Numbers of phones.
    pub participants: Vec<String>,
}

/// How clients name a request that came by invite link.
const BY_LINK: &str = "invite_link";

/// Asks to be let in; the admins are told, once.
pub(super) fn ask(turn: &mut Turn<'_>, group: &Group, actor: &Phone) -> Result<(), Failure> {
    let waiting = turn.db.number("SELECT count(*) FROM join_request WHERE group_chat = ?", [group.id])?;
    if waiting >= limits::JOIN_REQUESTS {
        let detail = format!("a group has up to {} requests to join", limits::JOIN_REQUESTS);
        return Err(Refusal::new(409, "request_limit", detail).into());
    }
    let new = turn.db.run(
        "INSERT OR IGNORE INTO join_request (group_chat, phone, at) VALUES (?, ?, ?)",
        (group.id, actor.id, turn.now),
    )?;
    if new == 0 {
        return Ok(());
    }
    let request = NodeBuilder::new("created_membership_requests")
        .attr("request_method", BY_LINK)
        .children([named("requested_user", group, actor)])
        .build();
    let admins = admins(turn, group)?;
    notify::tell(turn, group, actor, admins, &request)
}

/// An address in the group's form, and the number where that is another one.
fn named(tag: &'static str, group: &Group, phone: &Phone) -> Node {
    let node = NodeBuilder::new(tag).attr("jid", phone.jid(group.form));
    match group.form {
        Form::Pn => node.build(),
        Form::Lid => node.attr("phone_number", phone.jid(Form::Pn)).build(),
    }
}

fn admins(turn: &Turn<'_>, group: &Group) -> Result<Vec<i64>, Failure> {
    let admins = members(turn, group)?.into_iter().filter(|member| member.rank > Rank::Member);
    Ok(admins.map(|member| member.phone.id).collect())
}

/// Who waits and since when, oldest first.
fn waiting(turn: &Turn<'_>, group: &Group) -> Result<Vec<(Phone, i64)>, Failure> {
    let rows = turn.db.all(
        "SELECT phone, at FROM join_request WHERE group_chat = ? ORDER BY at, phone",
        [group.id],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut waiting = Vec::with_capacity(rows.len());
    for (phone, at) in rows {
        waiting.extend(phones::by_id(turn, phone)?.map(|phone| (phone, at)));
    }
    Ok(waiting)
}

/// `<membership_approval_requests>`, for admins.
pub(super) fn list(turn: &Turn<'_>, group: &Group, actor: &Phone) -> Result<Node, Failure> {
    change::admin(turn, group, actor)?;
    let requests = waiting(turn, group)?.into_iter().map(|(phone, at)| {
        let mut request = named("membership_approval_request", group, &phone);
        request.attrs.push("request_time", stanza::seconds(at));
        request.attrs.push("request_method", BY_LINK);
        request
    });
    Ok(NodeBuilder::new("membership_approval_requests").children(requests.collect::<Vec<_>>()).build())
}

/// Lets people in, or takes their requests off the list. For each of them 404 where there is no request.
pub(super) fn decide(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    named: &[Phone],
    approve: bool,
) -> Result<Vec<Option<u16>>, Failure> {
    change::admin(turn, group, actor)?;
    let (errors, asked) = take(turn, group, named)?;
    if asked.is_empty() {
        return Ok(errors);
    }
    if approve {
        change::come_in(turn, group, actor, &asked, Some("invite"))?;
    } else {
        // Also those who asked: they need not wait any longer.
        let mut told = admins(turn, group)?;
        told.extend(asked.iter().map(|phone| phone.id));
        tell_revoked(turn, group, actor, &asked, told)?;
    }
    Ok(errors)
}

/// Somebody no longer wants to be let in.
pub(super) fn cancel(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    named: &[Phone],
) -> Result<Vec<Option<u16>>, Failure> {
    if named.iter().any(|phone| phone.id != actor.id) {
        return Err(change::forbidden("this is the request of somebody else"));
    }
    let (errors, asked) = take(turn, group, named)?;
    if !asked.is_empty() {
        let admins = admins(turn, group)?;
        tell_revoked(turn, group, actor, &asked, admins)?;
    }
    Ok(errors)
}

/// Takes the requests of these off the list: for each 404 if there is none, and those who have asked.
fn take(turn: &Turn<'_>, group: &Group, named: &[Phone]) -> Result<(Vec<Option<u16>>, Vec<Phone>), Failure> {
    let mut errors = Vec::with_capacity(named.len());
    let mut asked = Vec::new();
    for phone in named {
        let sql = "DELETE FROM join_request WHERE group_chat = ? AND phone = ?";
        let found = turn.db.run(sql, (group.id, phone.id))? > 0;
        errors.push((!found).then_some(404));
        asked.extend(found.then(|| phone.clone()));
    }
    Ok((errors, asked))
}

fn tell_revoked(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    asked: &[Phone],
    told: Vec<i64>,
) -> Result<(), Failure> {
    let participants: Vec<Node> = asked.iter().map(|phone| named("participant", group, phone)).collect();
    let revoked = NodeBuilder::new("revoked_membership_requests").children(participants).build();
    notify::tell(turn, group, actor, told, &revoked)
}

impl PhoneHandle {
    /// Who waits to be let into the group, oldest first.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`.
    pub async fn join_requests(&self, group: &str) -> Result<Vec<JoinRequest>, Refusal> {
        let jid = parse(group)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            change::admin(turn, &group, &phone)?;
            let waiting = waiting(turn, &group)?.into_iter();
            Ok(waiting
                .map(|(phone, at)| JoinRequest { number: phone.e164(), requested_at: rfc3339(at) })
                .collect())
        })
        .await
    }

    /// Lets people into the group, or does not. For each number 404 where there is no request.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, `member_limit`, or an invalid field.
    pub async fn answer_join_requests(
        &self,
        group: &str,
        answer: JoinAnswer,
    ) -> Result<Vec<(String, Option<u16>)>, Refusal> {
        let jid = parse(group)?;
        let named = numbers(&answer.participants)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            let named = existing(turn, phone.network, &named)?;
            let errors = decide(turn, &group, &phone, &named, answer.approve)?;
            Ok(named.iter().map(Phone::e164).zip(errors).collect())
        })
        .await
    }
}
