//! What happens to a whole account: it moves to another number, or begins anew on another phone.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::acquainted;
use crate::error::{Failure, Refusal};
use crate::live::Address;
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, devices, groups, signal, stanza};

/// The apps log every companion out when the number changes, or when the account is registered on another phone.
fn unlink_all(turn: &mut Turn<'_>, phone: &Phone) -> Result<(), Failure> {
    for device in devices::companions(turn, phone.id)? {
        devices::remove(turn, Address { phone: phone.id, device })?;
    }
    Ok(())
}

/// `<notification>` from the person to the clients of others.
fn tell(
    turn: &mut Turn<'_>,
    phone: &Phone,
    kind: &'static str,
    others: &[i64],
    change: Node,
) -> Result<(), Failure> {
    let id = turn.stanza_id(phone.network)?;
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", kind)
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .attr("lid", phone.jid(Form::Lid))
        .children([change])
        .build();
    for other in others {
        deliver::to_companions(turn, *other, None, &notification)?;
    }
    Ok(())
}

/// The hidden address stays, and so do keys, groups and what was written.
fn move_to(turn: &mut Turn<'_>, phone: &Phone, number: &str) -> Result<Phone, Failure> {
    if phones::by_number(turn, phone.network, number)?.is_some() {
        let refusal = Refusal::new(409, "number_taken", format!("+{number} is in this network already"));
        return Err(refusal.at("/number").into());
    }
    let others = acquainted(turn, phone.id)?;
    unlink_all(turn, phone)?;
    turn.db.run("UPDATE phone SET number = ? WHERE id = ?", (number, phone.id))?;
    let moved = phones::required(turn, phone.network, number)?;
    let change = NodeBuilder::new("modify")
        .attr("old", phone.jid(Form::Pn))
        .attr("new", moved.jid(Form::Pn))
        .attr("old_lid", phone.jid(Form::Lid))
        .attr("new_lid", moved.jid(Form::Lid))
        .build();
    tell(turn, phone, "contacts", &others, change)?;
    groups::number_changed(turn, phone, &moved)?;
    Ok(moved)
}

/// Other keys, and nothing of what the old phone knew but its messages, by which tests judge.
fn register_again(turn: &mut Turn<'_>, phone: &Phone) -> Result<(), Failure> {
    let mut others = acquainted(turn, phone.id)?;
    for fellow in groups::fellows(turn, phone.id)? {
        if !others.contains(&fellow) {
            others.push(fellow);
        }
    }
    unlink_all(turn, phone)?;
    let keys = signal::generate(&mut turn.next_of(phone.network, "registration", &phone.number)?)?;
    turn.db.run(
        "UPDATE phone SET registration_id = ?, identity = ?, signed_pre_key = ?, app_state_key = NULL WHERE id = ?",
        (keys.registration_id, keys.identity, keys.signed_pre_key, phone.id),
    )?;
    for table in ["ratchet", "phone_pre_key", "app_state", "app_state_record"] {
        turn.db.run(&format!("DELETE FROM {table} WHERE phone = ?"), [phone.id])?;
    }
    groups::forget_phone(turn, phone.id)?;
    tell(turn, phone, "encrypt", &others, NodeBuilder::new("identity").build())
}

impl PhoneHandle {
    /// Moves the account to another number: its companions are logged out, and the clients of acquaintances and of its
    /// groups learn of it. Gives the handle for the new number; this one finds nothing any more.
    ///
    /// # Errors
    /// `phone_not_found`, `number_taken`, or an invalid number.
    pub async fn change_number(&self, number: &str) -> Result<Self, Refusal> {
        let number = phones::digits(number)?;
        let to = number.clone();
        self.call(move |turn, phone| move_to(turn, &phone, &to).map(drop)).await?;
        Ok(self.renumbered(number))
    }

    /// Registers the account on another phone without a backup: new keys, no ratchets, no companions. The clients of
    /// acquaintances learn that its identity has changed. Inbox and ledger stay.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn register_again(&self) -> Result<(), Refusal> {
        self.call(|turn, phone| register_again(turn, &phone)).await
    }
}
