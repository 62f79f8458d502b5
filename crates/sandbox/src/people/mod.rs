//! What belongs to a person: picture and text about them, whom they block, what they show to whom.

mod about;
mod account;
mod blocking;
mod business;
mod control;
mod handle;
mod picture;
mod privacy;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::deliver;
use crate::error::Failure;
use crate::phones::{Form, Phone};
use crate::stanza;
use crate::store::Query;
use crate::turn::Turn;

pub(crate) use about::{query as about, set as set_about, text as about_text};
pub(crate) use blocking::{blocks, handle as blocklist};
pub use business::BusinessProfile;
pub(crate) use business::{handle as business, mark as business_mark};
pub(crate) use control::routes;
pub use handle::{CompanionInfo, ProfileChange, ProfileInfo};
pub(crate) use picture::{handle as picture, id as picture_id, routes as picture_routes};
pub(crate) use privacy::{handle as privacy, shows};

/// People whose clients learn of a change: those the phone has written with, and its own.
pub(crate) fn acquainted(turn: &Turn<'_>, phone: i64) -> Result<Vec<i64>, Failure> {
    Ok(turn.db.all("SELECT DISTINCT peer FROM ratchet WHERE phone = ?1 UNION SELECT ?1", [phone], |row| {
        row.get(0)
    })?)
}

/// `<notification type=account_sync>`: what one device changed for the account, told to its others.
fn tell_own(turn: &mut Turn<'_>, phone: &Phone, author: u16, change: Node) -> Result<(), Failure> {
    let id = turn.stanza_id(phone.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", "account_sync")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children([change])
        .build();
    deliver::to_companions(turn, phone.id, Some(author), &notification)
}

/// `<notification>` about the phone's owner to the clients of acquaintances.
fn tell(turn: &mut Turn<'_>, phone: &Phone, kind: &'static str, change: Option<Node>) -> Result<(), Failure> {
    let id = turn.stanza_id(phone.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", kind)
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .attr("notify", phone.push_name())
        .children(change)
        .build();
    for other in acquainted(turn, phone.id)? {
        deliver::to_companions(turn, other, None, &notification)?;
    }
    Ok(())
}
