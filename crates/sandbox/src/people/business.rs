//! Business profiles: namespace `w:biz`, the usync protocol `business`, and the notification of that name.

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::tell;
use crate::error::{Failure, Refusal};
use crate::limits;
use crate::live::Address;
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::stanza::{Read, iq_error, iq_result, words};
use crate::store::Query;
use crate::turn::Turn;

/// What a business says about itself. Each text has up to 512 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessProfile {
    /// What it does.
    pub description: String,
    /// Where it is.
    pub address: Option<String>,
    /// How to write to it.
    pub email: Option<String>,
    /// Up to two addresses of pages.
    #[serde(default)]
    pub websites: Vec<String>,
    /// What kind of business it is.
    pub category: Option<String>,
}

/// Pages of one business, as the apps have it.
const WEBSITES: usize = 2;

impl BusinessProfile {
    fn check(&self) -> Result<(), Refusal> {
        if self.websites.len() > WEBSITES {
            return Err(Refusal::field("/websites", format!("up to {WEBSITES} addresses")));
        }
        let texts =
            [Some(&self.description), self.address.as_ref(), self.email.as_ref(), self.category.as_ref()];
        let mut texts = texts.into_iter().flatten().chain(&self.websites);
        match texts.any(|text| text.chars().count() > limits::BUSINESS_CHARS) {
            true => Err(Refusal::field("", format!("up to {} characters each", limits::BUSINESS_CHARS))),
            false => Ok(()),
        }
    }

    fn node(&self, jid: Jid) -> Node {
        let text = |tag, text: &str| words(NodeBuilder::new(tag), text);
        let mut children = vec![text("description", &self.description)];
        children.extend(self.address.as_deref().map(|address| text("address", address)));
        children.extend(self.email.as_deref().map(|email| text("email", email)));
        children.extend(self.websites.iter().map(|website| text("website", website)));
        if let Some(category) = &self.category {
            let category = words(NodeBuilder::new("category").attr("id", "1"), category);
            children.push(NodeBuilder::new("categories").children([category]).build());
        }
        NodeBuilder::new("profile").attr("jid", jid).children(children).build()
    }
}

fn of(turn: &Turn<'_>, phone: i64) -> Result<Option<BusinessProfile>, Failure> {
    let sql = "SELECT business FROM phone WHERE id = ? AND business IS NOT NULL";
    let stored = turn.db.one(sql, [phone], |row| row.get::<_, String>(0))?;
    stored.map(|profile| serde_json::from_str(&profile).map_err(Failure::protocol)).transpose()
}

/// `<business_profile>`: the profiles of those of the named who are a business.
pub(crate) fn handle(turn: &Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(iq_error(id, 401, "not-authorized")) };
    let Some(asked) = node.child("business_profile").filter(|_| node.text("type").as_deref() == Some("get"))
    else {
        return Ok(iq_error(id, 501, "feature-not-implemented"));
    };
    let mut profiles = Vec::new();
    for profile in asked.get_children_by_tag("profile").take(limits::USERS_PER_QUERY) {
        let Some(jid) = profile.jid("jid") else { continue };
        let Some(phone) = phones::by_jid(turn, own.network, &jid)? else { continue };
        profiles.extend(of(turn, phone.id)?.map(|profile| profile.node(phone.jid(Form::of(&jid)))));
    }
    Ok(iq_result(id, vec![NodeBuilder::new("business_profile").children(profiles).build()]))
}

/// `<business>` in a usync answer; persons have none.
pub(crate) fn mark(turn: &Turn<'_>, phone: i64) -> Result<Option<Node>, Failure> {
    Ok(of(turn, phone)?.map(|_| NodeBuilder::new("business").build()))
}

fn set(turn: &mut Turn<'_>, phone: &Phone, profile: Option<&BusinessProfile>) -> Result<(), Failure> {
    let stored = profile.map(|profile| serde_json::to_string(profile).expect("a profile is plain data"));
    turn.db.run("UPDATE phone SET business = ? WHERE id = ?", (stored, phone.id))?;
    let change = match profile {
        Some(_) => NodeBuilder::new("profile").build(),
        None => NodeBuilder::new("remove").attr("jid", phone.jid(Form::Pn)).build(),
    };
    tell(turn, phone, "business", Some(change))
}

impl PhoneHandle {
    /// Makes the account a business with this profile, or a person's again. The clients of acquaintances are told.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn set_business(&self, profile: Option<BusinessProfile>) -> Result<(), Refusal> {
        if let Some(profile) = &profile {
            profile.check()?;
        }
        self.call(move |turn, phone| set(turn, &phone, profile.as_ref())).await
    }
}
