//! Groups: who is in them, what they are called, who may do what. Stanzas as `whatsapp-rust` and Baileys
//! read them; see the namespace `w:g2` and the notification `w:gp2`.

mod change;
mod control;
mod handle;
mod notify;
mod phone;
mod query;
mod receipt;
mod relay;
mod requests;
mod sender_keys;

use rusqlite::Row;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::error::{Failure, Refusal};
use crate::phones::{self, Form, Phone};
use crate::stanza;
use crate::store::Query;
use crate::turn::Turn;

pub(crate) use change::{number_changed, picture as picture_changed};
pub(crate) use control::routes;
pub use handle::{GroupChange, GroupInfo, MemberChange, MemberInfo, NewGroup};
pub(crate) use phone::{receive, send, tell_state, typing};
pub(crate) use query::handle;
pub(crate) use receipt::{accept as accept_receipt, of_phone as receipt_of};
pub(crate) use relay::accept as accept_message;
pub use requests::{JoinAnswer, JoinRequest};
pub(crate) use sender_keys::{forget_device, forget_phone};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Member,
    Admin,
    /// Made the group.
    Owner,
}

impl Rank {
    fn read(stored: i64) -> Self {
        match stored {
            0 => Self::Member,
            1 => Self::Admin,
            _ => Self::Owner,
        }
    }

    fn stored(self) -> i64 {
        match self {
            Self::Member => 0,
            Self::Admin => 1,
            Self::Owner => 2,
        }
    }

    /// The attribute `type` of a participant; members have none.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::Admin => Some("admin"),
            Self::Owner => Some("superadmin"),
        }
    }
}

/// One group.
#[derive(Clone)]
pub(crate) struct Group {
    pub id: i64,
    pub network: i64,
    pub user: String,
    /// How its stanzas name members.
    pub form: Form,
    pub subject: String,
    pub subject_by: i64,
    pub subject_at: i64,
    pub description: Option<Description>,
    pub announcement: bool,
    pub locked: bool,
    pub admin_add: bool,
    pub approval: bool,
    pub ephemeral_s: u32,
    pub invite: String,
    pub creator: i64,
    pub created_at: i64,
}

/// A group's description, with what conflicting changes are told apart by.
#[derive(Clone)]
pub(crate) struct Description {
    pub text: String,
    pub id: String,
    pub by: i64,
    pub at: i64,
}

/// A phone in a group.
#[derive(Clone)]
pub(crate) struct Member {
    pub phone: Phone,
    pub rank: Rank,
}

const COLUMNS: &str = "id, network, user, by_lid, subject, subject_by, subject_at, description, description_id, description_by, description_at, announcement, locked, admin_add, ephemeral_s, invite, creator, created_at, approval";

impl Group {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let description = match row.get::<_, Option<String>>(7)? {
            Some(text) => Some(Description { text, id: row.get(8)?, by: row.get(9)?, at: row.get(10)? }),
            None => None,
        };
        Ok(Self {
            id: row.get(0)?,
            network: row.get(1)?,
            user: row.get(2)?,
            form: if row.get(3)? { Form::Lid } else { Form::Pn },
            subject: row.get(4)?,
            subject_by: row.get(5)?,
            subject_at: row.get(6)?,
            description,
            announcement: row.get(11)?,
            locked: row.get(12)?,
            admin_add: row.get(13)?,
            ephemeral_s: row.get(14)?,
            invite: row.get(15)?,
            creator: row.get(16)?,
            created_at: row.get(17)?,
            approval: row.get(18)?,
        })
    }

    pub(crate) fn jid(&self) -> Jid {
        Jid::group(self.user.as_str())
    }

    /// The attribute `addressing_mode`; some clients take a missing one for `lid`.
    pub(crate) fn addressing_mode(&self) -> &'static str {
        match self.form {
            Form::Pn => "pn",
            Form::Lid => "lid",
        }
    }
}

pub(crate) fn by_id(turn: &Turn<'_>, id: i64) -> Result<Option<Group>, Failure> {
    Ok(turn.db.one(&format!("SELECT {COLUMNS} FROM group_chat WHERE id = ?"), [id], Group::read)?)
}

pub(crate) fn by_jid(turn: &Turn<'_>, network: i64, jid: &Jid) -> Result<Option<Group>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM group_chat WHERE network = ? AND user = ?");
    Ok(turn.db.one(&sql, (network, jid.user.as_str()), Group::read)?)
}

fn by_invite(turn: &Turn<'_>, network: i64, code: &str) -> Result<Option<Group>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM group_chat WHERE network = ? AND invite = ?");
    Ok(turn.db.one(&sql, (network, code), Group::read)?)
}

/// The group that must exist.
fn required(turn: &Turn<'_>, network: i64, jid: &Jid) -> Result<Group, Failure> {
    by_jid(turn, network, jid)?
        .ok_or_else(|| Refusal::new(404, "group_not_found", "no such group in this network").into())
}

/// Groups of which the phone is a member, after `after`, in the order of their making.
fn of_phone(turn: &Turn<'_>, phone: i64, after: i64, limit: i64) -> Result<Vec<Group>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS} FROM group_chat WHERE id IN (SELECT group_chat FROM member WHERE phone = ?) AND id > ? ORDER BY id LIMIT ?"
    );
    Ok(turn.db.all(&sql, (phone, after, limit), Group::read)?)
}

/// The members, in the order in which their phones were made.
pub(crate) fn members(turn: &Turn<'_>, group: &Group) -> Result<Vec<Member>, Failure> {
    let rows = turn.db.all(
        "SELECT phone, rank FROM member WHERE group_chat = ? ORDER BY phone",
        [group.id],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut members = Vec::with_capacity(rows.len());
    for (phone, rank) in rows {
        if let Some(phone) = phones::by_id(turn, phone)? {
            members.push(Member { phone, rank: Rank::read(rank) });
        }
    }
    Ok(members)
}

/// People who are in a group with the phone.
pub(crate) fn fellows(turn: &Turn<'_>, phone: i64) -> Result<Vec<i64>, Failure> {
    let sql = "SELECT DISTINCT phone FROM member WHERE group_chat IN (SELECT group_chat FROM member WHERE phone = ?1) AND phone <> ?1 ORDER BY phone";
    Ok(turn.db.all(sql, [phone], |row| row.get(0))?)
}

fn rank(turn: &Turn<'_>, group: &Group, phone: i64) -> Result<Option<Rank>, Failure> {
    let sql = "SELECT rank FROM member WHERE group_chat = ? AND phone = ?";
    Ok(turn.db.one(sql, (group.id, phone), |row| row.get(0))?.map(Rank::read))
}

/// Whether the phone is an admin of the group.
pub(crate) fn is_admin(turn: &Turn<'_>, group: &Group, phone: i64) -> Result<bool, Failure> {
    Ok(rank(turn, group, phone)?.is_some_and(|rank| rank > Rank::Member))
}

/// `<participant>`: the address that the group uses, and the other one.
fn participant(group: &Group, phone: &Phone, rank: Rank) -> Node {
    let node = NodeBuilder::new("participant").attr("jid", phone.jid(group.form));
    let node = match group.form {
        Form::Pn => node.attr("lid", phone.jid(Form::Lid)),
        Form::Lid => node.attr("phone_number", phone.jid(Form::Pn)),
    };
    match rank.name() {
        Some(kind) => node.attr("type", kind).build(),
        None => node.build(),
    }
}

/// `<membership_approval_mode>`.
fn approval_mode(on: bool) -> Node {
    let join = NodeBuilder::new("group_join").attr("state", if on { "on" } else { "off" }).build();
    NodeBuilder::new("membership_approval_mode").children([join]).build()
}

/// `<group>`: everything that a member may know.
fn metadata(turn: &Turn<'_>, group: &Group) -> Result<Node, Failure> {
    let members = members(turn, group)?;
    let mut children: Vec<Node> =
        members.iter().map(|member| participant(group, &member.phone, member.rank)).collect();
    if group.locked {
        children.push(NodeBuilder::new("locked").build());
    }
    if group.announcement {
        children.push(NodeBuilder::new("announcement").build());
    }
    if group.approval {
        children.push(approval_mode(true));
    }
    if group.ephemeral_s > 0 {
        children
            .push(NodeBuilder::new("ephemeral").attr("expiration", group.ephemeral_s.to_string()).build());
    }
    if let Some(description) = &group.description {
        let mut node = NodeBuilder::new("description")
            .attr("id", description.id.as_str())
            .attr("t", stanza::seconds(description.at));
        if let Some(by) = phones::by_id(turn, description.by)? {
            node = node.attr("participant", by.jid(group.form));
        }
        let body = stanza::words(NodeBuilder::new("body"), &description.text);
        children.push(node.children([body]).build());
    }
    let add = if group.admin_add { "admin_add" } else { "all_member_add" };
    children.push(NodeBuilder::new("member_add_mode").string_content(add).build());
    let mut node = NodeBuilder::new("group")
        .attr("id", group.user.as_str())
        .attr("subject", group.subject.as_str())
        .attr("s_t", stanza::seconds(group.subject_at))
        .attr("creation", stanza::seconds(group.created_at))
        .attr("addressing_mode", group.addressing_mode())
        .attr("size", members.len().to_string());
    if let Some(by) = phones::by_id(turn, group.subject_by)? {
        node = node.attr("s_o", by.jid(group.form));
    }
    if let Some(creator) = phones::by_id(turn, group.creator)? {
        node = node.attr("creator", creator.jid(group.form));
        if group.form == Form::Lid {
            node = node.attr("creator_pn", creator.jid(Form::Pn));
        }
    }
    Ok(node.children(children).build())
}
