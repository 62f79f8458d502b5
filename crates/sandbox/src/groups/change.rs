//! What members do to a group: decided here for clients and for the control API alike.

use rand::RngExt;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::{
    Group, Member, Rank, approval_mode, members, metadata, notify, participant, rank, requests, sender_keys,
};
use crate::error::{Failure, Refusal};
use crate::phones::{Form, Phone};
use crate::store::Query;
use crate::turn::Turn;
use crate::{limits, people, stanza};

/// Letters of an invite code, as WhatsApp's are.
const INVITE_CHARS: usize = 22;
const INVITE_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A change of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Add,
    Remove,
    Promote,
    Demote,
}

impl Action {
    pub(super) fn parse(tag: &str) -> Option<Self> {
        Some(match tag {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "promote" => Self::Promote,
            "demote" => Self::Demote,
            _ => return None,
        })
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Promote => "promote",
            Self::Demote => "demote",
        }
    }
}

/// A setting that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Announcement,
    Locked,
    AdminAdd,
    Approval,
}

pub(super) fn forbidden(detail: &str) -> Failure {
    Refusal::new(403, "forbidden", detail).into()
}

fn rank_of(turn: &Turn<'_>, group: &Group, actor: &Phone) -> Result<Rank, Failure> {
    rank(turn, group, actor.id)?.ok_or_else(|| forbidden("not a member of this group"))
}

pub(super) fn admin(turn: &Turn<'_>, group: &Group, actor: &Phone) -> Result<(), Failure> {
    match rank_of(turn, group, actor)? {
        Rank::Member => Err(forbidden("only an admin of the group may do this")),
        Rank::Admin | Rank::Owner => Ok(()),
    }
}

/// Subject and description are everybody's to change, unless the group is locked.
fn editor(turn: &Turn<'_>, group: &Group, actor: &Phone) -> Result<(), Failure> {
    if group.locked { admin(turn, group, actor) } else { rank_of(turn, group, actor).map(drop) }
}

/// A group to be made.
pub(super) struct New<'a> {
    pub subject: &'a str,
    pub invited: &'a [Phone],
    pub form: Form,
    pub admin_add: bool,
    pub approval: bool,
    pub ephemeral_s: u32,
}

/// Makes a group; the actor owns it.
pub(super) fn create(turn: &mut Turn<'_>, actor: &Phone, new: &New<'_>) -> Result<Group, Failure> {
    subject_is_possible(new.subject)?;
    if turn.db.number("SELECT count(*) FROM group_chat WHERE network = ?", [actor.network])? >= limits::GROUPS
    {
        let detail = format!("a network has up to {} groups", limits::GROUPS);
        return Err(Refusal::new(409, "group_limit", detail).into());
    }
    let user = loop {
        let mut random = turn.next_of(actor.network, "group", &actor.number)?;
        let number = random.random_range(0..1_000_000_000_000_u64);
        let user = format!("120363{number:012}");
        let sql = "SELECT count(*) FROM group_chat WHERE network = ? AND user = ?";
        if turn.db.number(sql, (actor.network, &user))? == 0 {
            break user;
        }
    };
    let invite = invite_code(turn, actor.network, &user)?;
    turn.db.run(
        "INSERT INTO group_chat (network, user, by_lid, subject, subject_by, subject_at, admin_add, approval, ephemeral_s, invite, creator, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (actor.network, &user, new.form == Form::Lid, new.subject, actor.id, turn.now, new.admin_add, new.approval, new.ephemeral_s, &invite, actor.id, turn.now),
    )?;
    let id = turn.db.last_insert_rowid();
    enter(turn, id, actor.id, Rank::Owner)?;
    for phone in new.invited.iter().filter(|phone| phone.id != actor.id) {
        enter(turn, id, phone.id, Rank::Member)?;
    }
    let group = super::by_id(turn, id)?.ok_or_else(|| Failure::protocol("the group is gone"))?;
    let everybody = members(turn, &group)?;
    room_for(everybody.len(), 0)?;
    let created = NodeBuilder::new("create")
        .attr("type", "new")
        .attr("key", format!("{}-{}", group.user, turn.now))
        .children([metadata(turn, &group)?])
        .build();
    notify::tell_all(turn, &group, actor, &created)?;
    Ok(group)
}

fn enter(turn: &Turn<'_>, group: i64, phone: i64, rank: Rank) -> Result<(), Failure> {
    turn.db.run(
        "INSERT OR IGNORE INTO member (group_chat, phone, rank) VALUES (?, ?, ?)",
        (group, phone, rank.stored()),
    )?;
    // However somebody came in, there is nothing left to ask for.
    turn.db.run("DELETE FROM join_request WHERE group_chat = ? AND phone = ?", (group, phone))?;
    Ok(())
}

pub(super) fn room_for(present: usize, more: usize) -> Result<(), Failure> {
    if present + more > limits::GROUP_MEMBERS {
        let detail = format!("a group has up to {} members", limits::GROUP_MEMBERS);
        return Err(Refusal::new(409, "member_limit", detail).into());
    }
    Ok(())
}

/// Adds, removes, promotes or demotes. For each phone, in the order in which they were named, the error code
/// that WhatsApp would give, if any: 404 not in the group, 409 in it already.
pub(super) fn participants(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    action: Action,
    named: &[Phone],
) -> Result<Vec<Option<u16>>, Failure> {
    if action != Action::Add || group.admin_add {
        admin(turn, group, actor)?;
    } else {
        rank_of(turn, group, actor)?;
    }
    let present = members(turn, group)?;
    let mut errors = Vec::with_capacity(named.len());
    let mut changed: Vec<Member> = Vec::new();
    for phone in named {
        let known = present.iter().find(|member| member.phone.id == phone.id);
        let error = match (action, known) {
            (Action::Add, Some(_)) => Some(409),
            // Who lets nobody add them is invited instead, which is up to the client.
            (Action::Add, None) if !people::shows(turn, phone.id, "groupadd")? => Some(403),
            (Action::Add, None) => None,
            (_, None) => Some(404),
            // Nobody takes the owner's rank or place.
            (Action::Remove | Action::Demote, Some(member)) if member.rank == Rank::Owner => Some(406),
            (_, Some(_)) => None,
        };
        errors.push(error);
        if error.is_none() && !changed.iter().any(|member| member.phone.id == phone.id) {
            let rank = if action == Action::Promote { Rank::Admin } else { Rank::Member };
            // Whoever owns the group stays its owner.
            let rank =
                known.map_or(rank, |member| if member.rank == Rank::Owner { Rank::Owner } else { rank });
            changed.push(Member { phone: phone.clone(), rank });
        }
    }
    if changed.is_empty() {
        return Ok(errors);
    }
    if action == Action::Add {
        room_for(present.len(), changed.len())?;
    }
    for member in &changed {
        match action {
            Action::Add => enter(turn, group.id, member.phone.id, Rank::Member)?,
            Action::Remove => drop_member(turn, group, member.phone.id)?,
            Action::Promote | Action::Demote => {
                let sql = "UPDATE member SET rank = ? WHERE group_chat = ? AND phone = ?";
                turn.db.run(sql, (member.rank.stored(), group.id, member.phone.id)).map(drop)?;
            },
        }
    }
    // Those who were there before, and so also those who are removed.
    let change = notify::of_participants(group, action.tag(), &changed);
    notify::tell(turn, group, actor, present.iter().map(|member| member.phone.id), &change)?;
    if action == Action::Add {
        welcome(turn, group, actor, &changed, None)?;
    }
    Ok(errors)
}

/// New members are shown the whole group.
fn welcome(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    new: &[Member],
    reason: Option<&'static str>,
) -> Result<(), Failure> {
    let created = NodeBuilder::new("create");
    let created = match reason {
        Some(reason) => created.attr("reason", reason),
        None => created,
    };
    let created = created.children([metadata(turn, group)?]).build();
    notify::tell(turn, group, actor, new.iter().map(|member| member.phone.id), &created)
}

/// What is written after somebody left must not be readable for them: everybody's key is made anew.
fn drop_member(turn: &Turn<'_>, group: &Group, phone: i64) -> Result<(), Failure> {
    turn.db.run("DELETE FROM member WHERE group_chat = ? AND phone = ?", (group.id, phone))?;
    sender_keys::rotate(turn, group)
}

/// Leaves. The next admin, or the next member, owns a group whose owner left.
pub(super) fn leave(turn: &mut Turn<'_>, group: &Group, actor: &Phone) -> Result<(), Failure> {
    let rank = rank_of(turn, group, actor)?;
    let present = members(turn, group)?;
    drop_member(turn, group, actor.id)?;
    if rank == Rank::Owner {
        let heir = present
            .iter()
            .filter(|member| member.phone.id != actor.id)
            .max_by_key(|member| (member.rank, std::cmp::Reverse(member.phone.id)));
        if let Some(heir) = heir {
            let sql = "UPDATE member SET rank = 2 WHERE group_chat = ? AND phone = ?";
            turn.db.run(sql, (group.id, heir.phone.id))?;
        }
    }
    let gone = Member { phone: actor.clone(), rank: Rank::Member };
    let change = notify::of_participants(group, "remove", &[gone]);
    notify::tell(turn, group, actor, present.iter().map(|member| member.phone.id), &change)
}

fn subject_is_possible(subject: &str) -> Result<(), Failure> {
    let possible = (1..=limits::SUBJECT_CHARS).contains(&subject.chars().count());
    if !possible || !stanza::fits_attribute(subject) {
        let detail = format!("a subject has 1 to {} characters, and here no @", limits::SUBJECT_CHARS);
        return Err(Refusal { status: 406, ..Refusal::field("/subject", detail) }.into());
    }
    Ok(())
}

pub(super) fn subject(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    subject: &str,
) -> Result<(), Failure> {
    editor(turn, group, actor)?;
    subject_is_possible(subject)?;
    turn.db.run(
        "UPDATE group_chat SET subject = ?, subject_by = ?, subject_at = ? WHERE id = ?",
        (subject, actor.id, turn.now, group.id),
    )?;
    let change = NodeBuilder::new("subject")
        .attr("subject", subject)
        .attr("s_o", actor.jid(group.form))
        .attr("s_t", stanza::seconds(turn.now))
        .build();
    notify::tell_all(turn, group, actor, &change)
}

/// Sets or deletes the description. `previous` is the id of the one that the actor saw, where it says so.
pub(super) fn description(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    text: Option<&str>,
    id: &str,
    previous: Option<&str>,
) -> Result<(), Failure> {
    editor(turn, group, actor)?;
    if text.is_some_and(|text| text.chars().count() > limits::DESCRIPTION_CHARS) {
        let detail = format!("a description has up to {} characters", limits::DESCRIPTION_CHARS);
        return Err(Refusal { status: 406, ..Refusal::field("/description", detail) }.into());
    }
    // Some clients delete a description without giving the deletion an id.
    if (text.is_some() && id.is_empty()) || id.len() > limits::STANZA_ID_CHARS {
        return Err(Refusal::new(400, "bad_request", "a description needs an id").into());
    }
    if previous.is_some_and(|seen| group.description.as_ref().is_none_or(|now| now.id != seen)) {
        return Err(Refusal::new(409, "conflict", "the description has changed meanwhile").into());
    }
    turn.db.run(
        "UPDATE group_chat SET description = ?, description_id = ?, description_by = ?, description_at = ? WHERE id = ?",
        (text, id, actor.id, turn.now, group.id),
    )?;
    let content = match text {
        Some(text) => stanza::words(NodeBuilder::new("body"), text),
        None => NodeBuilder::new("delete").build(),
    };
    let change = NodeBuilder::new("description");
    let change = if id.is_empty() { change } else { change.attr("id", id) };
    let change = change.children([content]).build();
    notify::tell_all(turn, group, actor, &change)
}

pub(super) fn setting(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    setting: Setting,
    on: bool,
) -> Result<(), Failure> {
    admin(turn, group, actor)?;
    let (sql, change) = match setting {
        Setting::Announcement => (
            "UPDATE group_chat SET announcement = ? WHERE id = ?",
            NodeBuilder::new(if on { "announcement" } else { "not_announcement" }).build(),
        ),
        Setting::Locked => (
            "UPDATE group_chat SET locked = ? WHERE id = ?",
            NodeBuilder::new(if on { "locked" } else { "unlocked" }).build(),
        ),
        Setting::AdminAdd => (
            "UPDATE group_chat SET admin_add = ? WHERE id = ?",
            NodeBuilder::new("member_add_mode")
                .string_content(if on { "admin_add" } else { "all_member_add" })
                .build(),
        ),
        Setting::Approval => ("UPDATE group_chat SET approval = ? WHERE id = ?", approval_mode(on)),
    };
    turn.db.run(sql, (on, group.id))?;
    notify::tell_all(turn, group, actor, &change)
}

/// Seconds after which messages disappear; 0 for never.
pub(super) fn ephemeral(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    seconds: u32,
) -> Result<(), Failure> {
    editor(turn, group, actor)?;
    turn.db.run("UPDATE group_chat SET ephemeral_s = ? WHERE id = ?", (seconds, group.id))?;
    let change: Node = if seconds == 0 {
        NodeBuilder::new("not_ephemeral").build()
    } else {
        NodeBuilder::new("ephemeral").attr("expiration", seconds.to_string()).build()
    };
    notify::tell_all(turn, group, actor, &change)
}

fn invite_code(turn: &mut Turn<'_>, network: i64, group: &str) -> Result<String, Failure> {
    let mut random = turn.next_of(network, "invite", group)?;
    let letter = |_| char::from(INVITE_ALPHABET[random.random_range(0..INVITE_ALPHABET.len())]);
    Ok((0..INVITE_CHARS).map(letter).collect())
}

/// The code with which others join.
pub(super) fn invite(turn: &Turn<'_>, group: &Group, actor: &Phone) -> Result<String, Failure> {
    admin(turn, group, actor)?;
    Ok(group.invite.clone())
}

/// Makes the code invalid and gives a new one.
pub(super) fn revoke_invite(turn: &mut Turn<'_>, group: &Group, actor: &Phone) -> Result<String, Failure> {
    admin(turn, group, actor)?;
    let code = invite_code(turn, group.network, &group.user)?;
    turn.db.run("UPDATE group_chat SET invite = ? WHERE id = ?", (&code, group.id))?;
    notify::tell_all(turn, group, actor, &NodeBuilder::new("revoke").build())?;
    Ok(code)
}

/// The group of a code; 406 for none, as WhatsApp answers.
pub(super) fn invited_to(turn: &Turn<'_>, network: i64, code: &str) -> Result<Group, Failure> {
    super::by_invite(turn, network, code)?
        .ok_or_else(|| Refusal::new(406, "invalid_invite", "no group has this invite code").into())
}

/// Joins by invite: `true` when the actor is a member now, `false` when an admin has to decide.
pub(super) fn join(turn: &mut Turn<'_>, actor: &Phone, code: &str) -> Result<(Group, bool), Failure> {
    let group = invited_to(turn, actor.network, code)?;
    if rank(turn, &group, actor.id)?.is_some() {
        return Err(Refusal::new(409, "already_member", "a member of this group already").into());
    }
    if group.approval {
        requests::ask(turn, &group, actor)?;
        return Ok((group, false));
    }
    come_in(turn, &group, actor, std::slice::from_ref(actor), Some("invite"))?;
    Ok((group, true))
}

/// New members come in, by the actor's doing; everybody is told.
pub(super) fn come_in(
    turn: &mut Turn<'_>,
    group: &Group,
    actor: &Phone,
    new: &[Phone],
    reason: Option<&'static str>,
) -> Result<(), Failure> {
    let present = members(turn, group)?;
    room_for(present.len(), new.len())?;
    for phone in new {
        enter(turn, group.id, phone.id, Rank::Member)?;
    }
    let new: Vec<Member> =
        new.iter().map(|phone| Member { phone: phone.clone(), rank: Rank::Member }).collect();
    let mut change = notify::of_participants(group, "add", &new);
    if let Some(reason) = reason {
        change.attrs.push("reason", reason);
    }
    notify::tell(turn, group, actor, present.iter().map(|member| member.phone.id), &change)?;
    welcome(turn, group, actor, &new, reason)
}

/// A group's picture was set or deleted: whoever may change the subject may do this. The clients are told.
pub(crate) fn picture(
    turn: &mut Turn<'_>,
    actor: &Phone,
    group: &Jid,
    id: Option<&str>,
) -> Result<(), Failure> {
    let group = super::required(turn, actor.network, group)?;
    editor(turn, &group, actor)?;
    let change = match id {
        Some(id) => NodeBuilder::new("set").attr("id", id),
        None => NodeBuilder::new("delete"),
    };
    let change = change.attr("jid", group.jid()).attr("author", actor.jid(group.form)).build();
    let stanza_id = turn.stanza_id(group.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", group.jid())
        .attr("type", "picture")
        .attr("id", stanza_id)
        .attr("t", stanza::seconds(turn.now))
        .children([change])
        .build();
    for member in members(turn, &group)? {
        crate::deliver::to_companions(turn, member.phone.id, None, &notification)?;
    }
    Ok(())
}

/// A member has another number now: each of its groups is told, as from the old number.
pub(crate) fn number_changed(turn: &mut Turn<'_>, old: &Phone, new: &Phone) -> Result<(), Failure> {
    for group in super::of_phone(turn, new.id, 0, limits::GROUPS)? {
        let change = participant(&group, new, Rank::Member);
        let change = NodeBuilder::new("modify").children([change]).build();
        notify::tell_all(turn, &group, old, &change)?;
    }
    Ok(())
}
