//! What phones will do later: rows, so that a restart does not forget them.

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::store::Query;
use crate::turn::Turn;
use crate::{content, deliver, groups, incoming, limits, outgoing};

/// How many actions one batch does before other work has its turn.
const AT_ONCE: i64 = 100;

/// Something that a phone does by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Action {
    /// Tell `sender` that the message was read.
    Read { sender: i64, whatsapp_id: String, form: Form, group: Option<i64> },
    /// The network sends what it held back.
    Release { device: u16, seq: i64 },
    /// Take what waits at the network.
    CatchUp,
    /// Answer.
    Reply { to: i64, text: String, form: Form, group: Option<i64> },
}

/// Does it after so many milliseconds: at once when that is none.
pub(crate) fn at(turn: &mut Turn<'_>, phone: &Phone, after_ms: i64, action: &Action) -> Result<(), Failure> {
    // In a group the others get the message before anybody answers.
    let waits = matches!(action, Action::Reply { group: Some(_), .. });
    if after_ms <= 0 && !waits {
        return act(turn, phone, action);
    }
    if turn.db.number("SELECT count(*) FROM action WHERE phone = ?", [phone.id])? >= limits::ACTIONS {
        tracing::warn!("a phone has as many things to do as it can hold; one is dropped");
        return Ok(());
    }
    let what = serde_json::to_string(action).expect("an action is plain data");
    turn.db.run(
        "INSERT INTO action (due_at, phone, what) VALUES (?, ?, ?)",
        (turn.now.saturating_add(after_ms.max(0)), phone.id, what),
    )?;
    Ok(())
}

/// Does what is due. An action that fails is dropped: it would fail for ever.
pub(crate) fn run_due(turn: &mut Turn<'_>) {
    let due = turn.db.all(
        "SELECT seq, phone, what FROM action WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?",
        (turn.now, AT_ONCE),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?)),
    );
    let due = due.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read what phones have to do");
        Vec::new()
    });
    for (seq, phone, what) in due {
        let result = turn.attempt(|turn| {
            let action = serde_json::from_str(&what).map_err(Failure::protocol)?;
            match phones::by_id(turn, phone)? {
                Some(phone) => act(turn, &phone, &action),
                None => Ok(()),
            }
        });
        if let Err(failure) =
            result.and_then(|()| Ok(turn.db.run("DELETE FROM action WHERE seq = ?", [seq])?))
        {
            tracing::error!(%failure, "a phone could not do what it had to");
            let _ = turn.db.run("DELETE FROM action WHERE seq = ?", [seq]);
        }
    }
}

fn act(turn: &mut Turn<'_>, phone: &Phone, action: &Action) -> Result<(), Failure> {
    match action {
        Action::Read { sender, whatsapp_id, form, group } => match phones::by_id(turn, *sender)? {
            Some(sender) => {
                let group = group.map(|group| groups::by_id(turn, group)).transpose()?.flatten();
                incoming::report(turn, phone, &sender, group.as_ref(), whatsapp_id, *form, "read")
            },
            None => Ok(()),
        },
        Action::Release { device, seq } => {
            deliver::release(turn, Address { phone: phone.id, device: *device }, *seq)
        },
        Action::CatchUp if phone.behaviour.online => incoming::catch_up(turn, phone),
        Action::CatchUp => Ok(()),
        Action::Reply { text, group: Some(group), .. } => match groups::by_id(turn, *group)? {
            Some(group) => groups::send(turn, phone, &group, &content::text(text), true).map(drop),
            None => Ok(()),
        },
        Action::Reply { to, text, form, group: None } => match phones::by_id(turn, *to)? {
            Some(to) => outgoing::send(
                turn,
                outgoing::Route { from: phone, to: &to, form: *form, automatic: true },
                &content::text(text),
            )
            .map(drop),
            None => Ok(()),
        },
    }
}
