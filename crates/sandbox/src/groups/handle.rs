//! What a person does with groups, from the control API and from tests.

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use super::change::{self, Action, New, Setting};
use super::{Group, members, of_phone, rank, required};
use crate::clock::rfc3339;
use crate::error::{Failure, Refusal};
use crate::idempotency::{self, Once};
use crate::limits;
use crate::network::{Page, PageRequest, paged};
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::turn::Turn;

/// A group to be made.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// 1 to 100 characters, without `@`.
    pub subject: String,
    /// Numbers of phones, up to 1,023.
    #[serde(default)]
    pub participants: Vec<String>,
    /// Up to 2,048 characters.
    pub description: Option<String>,
    /// `pn` (members are named by number, the default) or `lid` (by their hidden address).
    pub addressing_mode: Option<String>,
}

/// A change of a group: what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// 1 to 100 characters, without `@`.
    pub subject: Option<String>,
    /// Up to 2,048 characters; an empty one is deleted.
    pub description: Option<String>,
    /// Only admins write.
    pub announcement: Option<bool>,
    /// Only admins change subject and description.
    pub locked: Option<bool>,
    /// Only admins add members.
    pub admin_add: Option<bool>,
    /// Who comes by invite waits for an admin.
    pub approval: Option<bool>,
}

/// A change of members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// `add`, `remove`, `promote` or `demote`.
    pub action: String,
    /// Numbers of phones.
    pub participants: Vec<String>,
}

/// A member as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// `+E.164`.
    pub number: String,
    /// `member`, `admin` or `superadmin`.
    pub role: String,
}

/// A group as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Its address, `…@g.us`.
    pub jid: String,
    /// Its name.
    pub subject: String,
    /// Its description.
    pub description: Option<String>,
    /// `pn` or `lid`.
    pub addressing_mode: String,
    /// Only admins write.
    pub announcement: bool,
    /// Only admins change subject and description.
    pub locked: bool,
    /// Only admins add members.
    pub admin_add: bool,
    /// Who comes by invite waits for an admin.
    #[serde(default)]
    pub approval: bool,
    /// In the order in which their phones were made.
    pub participants: Vec<MemberInfo>,
    /// RFC 3339.
    pub created_at: String,
}

fn info(turn: &Turn<'_>, group: &Group) -> Result<GroupInfo, Failure> {
    let participants = members(turn, group)?.into_iter().map(|member| MemberInfo {
        number: member.phone.e164(),
        role: member.rank.name().unwrap_or("member").to_owned(),
    });
    Ok(GroupInfo {
        jid: group.jid().to_string(),
        subject: group.subject.clone(),
        description: group.description.as_ref().map(|description| description.text.clone()),
        addressing_mode: group.addressing_mode().to_owned(),
        announcement: group.announcement,
        locked: group.locked,
        admin_add: group.admin_add,
        approval: group.approval,
        participants: participants.collect(),
        created_at: rfc3339(group.created_at),
    })
}

pub(super) fn parse(group: &str) -> Result<Jid, Refusal> {
    let user = group.strip_suffix("@g.us").unwrap_or(group);
    let possible = (1..=limits::STANZA_ID_CHARS).contains(&user.len())
        && user.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !possible {
        return Err(Refusal::field("/group", "the address of a group: digits, with or without @g.us"));
    }
    Ok(Jid::group(user))
}

/// The group, as a member sees it: for others there is none.
pub(super) fn of_member(turn: &Turn<'_>, phone: &Phone, jid: &Jid) -> Result<Group, Failure> {
    let group = required(turn, phone.network, jid)?;
    match rank(turn, &group, phone.id)? {
        Some(_) => Ok(group),
        None => Err(Refusal::new(404, "group_not_found", "this phone is in no such group").into()),
    }
}

pub(super) fn numbers(named: &[String]) -> Result<Vec<String>, Refusal> {
    if named.len() > limits::GROUP_MEMBERS {
        let detail = format!("up to {} numbers", limits::GROUP_MEMBERS);
        return Err(Refusal::field("/participants", detail));
    }
    named.iter().map(|number| phones::digits(number).map_err(|wrong| wrong.at("/participants"))).collect()
}

pub(super) fn existing(turn: &Turn<'_>, network: i64, numbers: &[String]) -> Result<Vec<Phone>, Failure> {
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let phone = phones::by_number(turn, network, number)?;
        found.push(phone.ok_or_else(|| Refusal::no_phone(number).at("/participants"))?);
    }
    Ok(found)
}

/// An id for a description, as clients make them.
fn description_id(turn: &mut Turn<'_>, network: i64) -> Result<String, Failure> {
    Ok(turn.stanza_id(network)?.to_uppercase())
}

fn describe(turn: &mut Turn<'_>, phone: &Phone, group: &Group, text: &str) -> Result<(), Failure> {
    let id = description_id(turn, phone.network)?;
    change::description(turn, group, phone, Some(text).filter(|text| !text.is_empty()), &id, None)
}

impl PhoneHandle {
    /// Makes a group; this phone owns it.
    ///
    /// # Errors
    /// `phone_not_found`, `group_limit`, `member_limit`, or an invalid field.
    pub async fn create_group(&self, new: NewGroup) -> Result<GroupInfo, Refusal> {
        self.create_group_once(new, None).await.map(|(group, _)| group)
    }

    /// The same, at most once for each idempotency key: `true` when this repeats an earlier answer.
    ///
    /// # Errors
    /// The same, and `idempotency_conflict`.
    pub async fn create_group_once(
        &self,
        new: NewGroup,
        key: Option<&str>,
    ) -> Result<(GroupInfo, bool), Refusal> {
        let form = match new.addressing_mode.as_deref() {
            None | Some("pn") => Form::Pn,
            Some("lid") => Form::Lid,
            Some(_) => return Err(Refusal::field("/addressing_mode", "pn or lid")),
        };
        let invited = numbers(&new.participants)?;
        let once =
            key.map(|key| Once::new(format!("phones/{}/groups", self.number()), key, &new)).transpose()?;
        self.call(move |turn, phone| {
            idempotency::once(turn, phone.network, once.as_ref(), |turn| {
                let invited = existing(turn, phone.network, &invited)?;
                let subject = new.subject.as_str();
                let made = New {
                    subject,
                    invited: &invited,
                    form,
                    admin_add: false,
                    approval: false,
                    ephemeral_s: 0,
                };
                let group = change::create(turn, &phone, &made).map_err(as_invalid)?;
                if let Some(text) = &new.description {
                    describe(turn, &phone, &group, text).map_err(as_invalid)?;
                }
                let group = required(turn, phone.network, &group.jid())?;
                info(turn, &group)
            })
        })
        .await
    }

    /// A page of the groups that this phone is in, oldest first.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid page.
    pub async fn groups(&self, page: &PageRequest) -> Result<Page<GroupInfo>, Refusal> {
        let (after, limit) = page.bounds()?;
        self.call(move |turn, phone| {
            let mut rows = Vec::new();
            for group in of_phone(turn, phone.id, after, limit + 1)? {
                rows.push((group.id, info(turn, &group)?));
            }
            Ok(paged(rows, limit))
        })
        .await
    }

    /// One group that this phone is in.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`.
    pub async fn group(&self, group: &str) -> Result<GroupInfo, Refusal> {
        let jid = parse(group)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            info(turn, &group)
        })
        .await
    }

    /// Changes the group as far as this phone may.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, or an invalid field.
    pub async fn change_group(&self, group: &str, change: GroupChange) -> Result<GroupInfo, Refusal> {
        let jid = parse(group)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            if let Some(subject) = &change.subject {
                change::subject(turn, &group, &phone, subject).map_err(as_invalid)?;
            }
            if let Some(text) = &change.description {
                describe(turn, &phone, &group, text).map_err(as_invalid)?;
            }
            for (setting, on) in [
                (Setting::Announcement, change.announcement),
                (Setting::Locked, change.locked),
                (Setting::AdminAdd, change.admin_add),
                (Setting::Approval, change.approval),
            ] {
                if let Some(on) = on {
                    change::setting(turn, &group, &phone, setting, on)?;
                }
            }
            let group = of_member(turn, &phone, &jid)?;
            info(turn, &group)
        })
        .await
    }

    /// Adds, removes, promotes or demotes members. For each number the code that WhatsApp refuses it with, if
    /// any: 404 not a member, 406 the owner, 409 a member already.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`, `member_limit`, or an invalid field.
    pub async fn change_members(
        &self,
        group: &str,
        change: MemberChange,
    ) -> Result<Vec<(String, Option<u16>)>, Refusal> {
        let jid = parse(group)?;
        let action = Action::parse(&change.action)
            .ok_or_else(|| Refusal::field("/action", "add, remove, promote or demote"))?;
        let named = numbers(&change.participants)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            let named = existing(turn, phone.network, &named)?;
            let errors = change::participants(turn, &group, &phone, action, &named)?;
            Ok(named.iter().map(Phone::e164).zip(errors).collect())
        })
        .await
    }

    /// The code with which others join the group; a new one when `renew`.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`, `forbidden`.
    pub async fn group_invite(&self, group: &str, renew: bool) -> Result<String, Refusal> {
        let jid = parse(group)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            if renew {
                change::revoke_invite(turn, &group, &phone)
            } else {
                change::invite(turn, &group, &phone)
            }
        })
        .await
    }

    /// Joins the group of an invite code; `None` when one of its admins has to decide.
    ///
    /// # Errors
    /// `phone_not_found`, `invalid_invite`, `already_member`, `member_limit`.
    pub async fn join_group(&self, code: &str) -> Result<Option<GroupInfo>, Refusal> {
        let code = code.to_owned();
        self.call(move |turn, phone| match change::join(turn, &phone, &code)? {
            (group, true) => info(turn, &group).map(Some),
            (_, false) => Ok(None),
        })
        .await
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// `phone_not_found`, `group_not_found`.
    pub async fn leave_group(&self, group: &str) -> Result<(), Refusal> {
        let jid = parse(group)?;
        self.call(move |turn, phone| {
            let group = of_member(turn, &phone, &jid)?;
            change::leave(turn, &group, &phone)
        })
        .await
    }
}

/// Clients get WhatsApp's 406 for a text that is too long; the control API says what is invalid.
fn as_invalid(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) if refusal.status == 406 && refusal.pointer.is_some() => {
            Refusal { status: 422, ..refusal }.into()
        },
        other => other,
    }
}
