//! Namespace `w:g2`: what clients ask of groups and do to them.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::change::{self, Action, New, Setting};
use super::{Group, metadata, of_phone, rank, requests, required};
use crate::error::{Failure, Refusal};
use crate::limits;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{Read, iq_error, iq_result};
use crate::turn::Turn;

/// Answers; a request that is refused changes nothing.
pub(crate) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    let Some(actor) = phones::by_id(turn, from.phone)? else {
        return Ok(iq_error(id, 401, "not-authorized"));
    };
    match turn.attempt(|turn| answer(turn, &actor, node)) {
        Ok(children) => Ok(iq_result(id, children)),
        Err(Failure::Refused(Refusal { status, code, .. })) => Ok(iq_error(id, status, code)),
        Err(other) => Err(other),
    }
}

fn answer(turn: &mut Turn<'_>, actor: &Phone, node: &Node) -> Result<Vec<Node>, Failure> {
    let set = node.text("type").as_deref() == Some("set");
    let request = node.first_child().ok_or_else(bad_request)?;
    let to = node.jid("to").filter(|to| !to.user.is_empty());
    match to {
        Some(to) => {
            let group = required(turn, actor.network, &to)?;
            of_group(turn, actor, &group, set, request)
        },
        None => of_all(turn, actor, set, request),
    }
}

fn bad_request() -> Failure {
    Refusal::new(400, "bad-request", "not a request about groups").into()
}

fn unsupported(tag: &str) -> Failure {
    Refusal::new(501, "feature-not-implemented", format!("this build does nothing with <{tag}>")).into()
}

/// Requests that name no group, or name it inside.
fn of_all(turn: &mut Turn<'_>, actor: &Phone, set: bool, request: &Node) -> Result<Vec<Node>, Failure> {
    match (set, request.tag.as_ref()) {
        (true, "create") => {
            let group = create(turn, actor, request)?;
            Ok(vec![metadata(turn, &group)?])
        },
        (true, "leave") => {
            let jids: Vec<Jid> = request
                .get_children_by_tag("group")
                .filter_map(|group| group.jid("id"))
                .take(limits::USERS_PER_QUERY)
                .collect();
            for jid in jids {
                let group = required(turn, actor.network, &jid)?;
                change::leave(turn, &group, actor)?;
            }
            Ok(Vec::new())
        },
        (true, "invite") => {
            let (group, joined) = change::join(turn, actor, &request.text("code").unwrap_or_default())?;
            let tag = if joined { "group" } else { "membership_approval_request" };
            Ok(vec![NodeBuilder::new(tag).attr("jid", group.jid()).build()])
        },
        (false, "invite") => {
            let code = request.text("code").unwrap_or_default();
            let group = change::invited_to(turn, actor.network, &code)?;
            Ok(vec![metadata(turn, &group)?])
        },
        (false, "participating") => {
            let mut groups = Vec::new();
            for group in of_phone(turn, actor.id, 0, limits::GROUPS)? {
                groups.push(metadata(turn, &group)?);
            }
            Ok(vec![NodeBuilder::new("groups").children(groups).build()])
        },
        (false, "query") => {
            let jids: Vec<Jid> = request
                .get_children_by_tag("group")
                .filter_map(|group| group.jid("jid"))
                .take(limits::USERS_PER_QUERY)
                .collect();
            let mut groups = Vec::with_capacity(jids.len());
            for jid in jids {
                groups.push(one_of_many(turn, actor, &jid)?);
            }
            Ok(vec![NodeBuilder::new("groups").children(groups).build()])
        },
        (_, tag) => Err(unsupported(tag)),
    }
}

/// In a list, what cannot be shown is an error of its own.
fn one_of_many(turn: &Turn<'_>, actor: &Phone, jid: &Jid) -> Result<Node, Failure> {
    let refused = |code: &str| {
        NodeBuilder::new("group").attr("id", jid.user.as_str()).attr("error", code.to_owned()).build()
    };
    match super::by_jid(turn, actor.network, jid)? {
        None => Ok(refused("404")),
        Some(group) if rank(turn, &group, actor.id)?.is_none() => Ok(refused("403")),
        Some(group) => metadata(turn, &group),
    }
}

fn create(turn: &mut Turn<'_>, actor: &Phone, request: &Node) -> Result<Group, Failure> {
    if let Some(community) = request.child("parent").or_else(|| request.child("linked_parent")) {
        return Err(unsupported(&community.tag));
    }
    let (invited, form) = named(turn, actor.network, request)?;
    let ephemeral = request.child("ephemeral").and_then(|node| node.text("expiration"));
    let group = change::create(
        turn,
        actor,
        &New {
            subject: &request.text("subject").unwrap_or_default(),
            invited: &invited.into_iter().filter_map(|(_, phone)| phone).collect::<Vec<_>>(),
            form,
            approval: request.child("membership_approval_mode").is_some_and(asks_admins),
            admin_add: said(request.child("member_add_mode")).as_deref() == Some("admin_add"),
            ephemeral_s: ephemeral.and_then(|seconds| seconds.parse().ok()).unwrap_or(0),
        },
    )?;
    let Some(description) = request.child("description") else { return Ok(group) };
    describe(turn, actor, &group, description)?;
    required(turn, actor.network, &group.jid())
}

/// Whether `<membership_approval_mode>` is on.
fn asks_admins(mode: &Node) -> bool {
    mode.child("group_join").is_some_and(|join| join.text("state").as_deref() == Some("on"))
}

/// An address, and the phone that has it.
type Named = (Jid, Option<Phone>);

/// The phones that a request names, and whether it names any by its hidden address: then the new group does so, too.
fn named(turn: &Turn<'_>, network: i64, request: &Node) -> Result<(Vec<Named>, Form), Failure> {
    let mut phones = Vec::new();
    let mut form = Form::Pn;
    for node in request.get_children_by_tag("participant").take(limits::GROUP_MEMBERS) {
        let jid = node.jid("jid").ok_or_else(bad_request)?.to_non_ad();
        if jid.is_lid() {
            form = Form::Lid;
        }
        let phone = phones::by_jid(turn, network, &jid)?;
        phones.push((jid, phone));
    }
    Ok((phones, form))
}

fn said(node: Option<&Node>) -> Option<String> {
    let node = node?;
    node.content_as_string()
        .map(|text| text.to_string())
        .or_else(|| String::from_utf8(node.bytes()?.to_vec()).ok())
}

fn describe(turn: &mut Turn<'_>, actor: &Phone, group: &Group, request: &Node) -> Result<(), Failure> {
    let text = said(request.child("body"));
    let id = request.text("id").unwrap_or_default();
    change::description(turn, group, actor, text.as_deref(), &id, request.text("prev").as_deref())
}

/// Requests to one group.
fn of_group(
    turn: &mut Turn<'_>,
    actor: &Phone,
    group: &Group,
    set: bool,
    request: &Node,
) -> Result<Vec<Node>, Failure> {
    let tag = request.tag.as_ref();
    if let (true, Some(action)) = (set, Action::parse(tag)) {
        return participants(turn, actor, group, action, request);
    }
    match (set, tag) {
        (false, "query") => {
            if rank(turn, group, actor.id)?.is_none() {
                return Err(Refusal::new(403, "forbidden", "not a member of this group").into());
            }
            return Ok(vec![metadata(turn, group)?]);
        },
        (true, "subject") => {
            change::subject(turn, group, actor, &said(Some(request)).unwrap_or_default())?;
        },
        (true, "description") => describe(turn, actor, group, request)?,
        (true, "locked" | "unlocked") => {
            change::setting(turn, group, actor, Setting::Locked, tag == "locked")?;
        },
        (true, "announcement" | "not_announcement") => {
            change::setting(turn, group, actor, Setting::Announcement, tag == "announcement")?;
        },
        (true, "member_add_mode") => {
            let only_admins = said(Some(request)).as_deref() == Some("admin_add");
            change::setting(turn, group, actor, Setting::AdminAdd, only_admins)?;
        },
        (true, "membership_approval_mode") => {
            change::setting(turn, group, actor, Setting::Approval, asks_admins(request))?;
        },
        (false, "membership_approval_requests") => return Ok(vec![requests::list(turn, group, actor)?]),
        (true, "membership_requests_action") => return decide(turn, actor, group, request),
        (true, "cancel_membership_requests") => {
            let (named, _) = named(turn, group.network, request)?;
            let errors = requests::cancel(turn, group, actor, &known(&named))?;
            return Ok(vec![answered("cancel_membership_requests", named, errors)]);
        },
        // Invitations of single people: here nobody gets any, so there are none to take back.
        (true, "revoke") => {
            change::admin(turn, group, actor)?;
            let (named, _) = named(turn, group.network, request)?;
            let errors = vec![Some(404); named.len()];
            return Ok(vec![answered("revoke", named, errors)]);
        },
        // The client has seen the group.
        (true, "ack") => {},
        (true, "not_ephemeral") => change::ephemeral(turn, group, actor, 0)?,
        (true, "ephemeral") => {
            let seconds = request.text("expiration").and_then(|seconds| seconds.parse().ok());
            change::ephemeral(turn, group, actor, seconds.ok_or_else(bad_request)?)?;
        },
        (_, "invite") => {
            let code = if set {
                change::revoke_invite(turn, group, actor)?
            } else {
                change::invite(turn, group, actor)?
            };
            return Ok(vec![NodeBuilder::new("invite").attr("code", code).build()]);
        },
        (_, tag) => return Err(unsupported(tag)),
    }
    Ok(Vec::new())
}

/// Adds, removes, promotes or demotes.
fn participants(
    turn: &mut Turn<'_>,
    actor: &Phone,
    group: &Group,
    action: Action,
    request: &Node,
) -> Result<Vec<Node>, Failure> {
    let (named, _) = named(turn, group.network, request)?;
    let errors = change::participants(turn, group, actor, action, &known(&named))?;
    Ok(vec![answered(action.tag(), named, errors)])
}

/// Lets in those who asked, or does not.
fn decide(turn: &mut Turn<'_>, actor: &Phone, group: &Group, request: &Node) -> Result<Vec<Node>, Failure> {
    let mut answers = Vec::new();
    for (tag, approve) in [("approve", true), ("reject", false)] {
        let Some(chosen) = request.child(tag) else { continue };
        let (named, _) = named(turn, group.network, chosen)?;
        let errors = requests::decide(turn, group, actor, &known(&named), approve)?;
        answers.push(answered(tag, named, errors));
    }
    Ok(vec![NodeBuilder::new("membership_requests_action").children(answers).build()])
}

fn known(named: &[Named]) -> Vec<Phone> {
    named.iter().filter_map(|(_, phone)| phone.clone()).collect()
}

/// Answers for each participant that was named, in the address by which it was named. `errors` has one place for each
/// of the phones that are known.
fn answered(tag: &'static str, named: Vec<Named>, errors: Vec<Option<u16>>) -> Node {
    let mut errors = errors.into_iter();
    let answers = named.into_iter().map(|(jid, phone)| {
        let answer = NodeBuilder::new("participant").attr("jid", jid);
        let error = match phone {
            Some(_) => errors.next().flatten(),
            None => Some(404),
        };
        match error {
            Some(error) => answer.attr("error", error.to_string()).build(),
            None => answer.build(),
        }
    });
    NodeBuilder::new(tag).children(answers.collect::<Vec<_>>()).build()
}
