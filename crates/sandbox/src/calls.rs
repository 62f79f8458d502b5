//! Calls as far as they are signalled: somebody's devices ring, decline, and stop ringing. There is no sound.
//! Stanzas as in `wacore`'s `stanza/call.rs`, which is after WhatsApp Web.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{delete, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::control::{Answer, Body, phone};
use crate::engine::Engine;
use crate::error::{Failure, Refusal};
use crate::live::{Address, ConnectionId};
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, limits, outgoing, people};

/// A call that a phone made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallInfo {
    /// Its id.
    pub call_id: String,
    /// Who is called.
    pub to: String,
    /// With a picture.
    pub video: bool,
    /// `ringing`, `rejected` (a device of the other person declined) or `ended` (the caller hung up).
    pub state: String,
}

/// `<call>` from a client: all that the sandbox takes is that it declines.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    node: &Node,
) -> Result<(), Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(()) };
    let to = node.jid("to").unwrap_or_else(|| own.jid(Form::Pn));
    let ack = NodeBuilder::new("ack").attr("id", node.id()?).attr("class", "call").attr("from", to);
    turn.send(connection, ack.build());
    let Some(id) = node.child("reject").and_then(|reject| reject.text("call-id")) else { return Ok(()) };
    let sql = "UPDATE call SET state = 'rejected' WHERE callee = ? AND call_id = ? AND state = 'ringing'";
    if turn.db.run(sql, (own.id, &id))? == 0 {
        return Ok(());
    }
    let caller = turn.db.number("SELECT caller FROM call WHERE callee = ? AND call_id = ?", (own.id, &id))?;
    let Some(caller) = phones::by_id(turn, caller)? else { return Ok(()) };
    // The other devices stop ringing.
    let end = action("terminate", &caller, &id).attr("reason", "rejected_elsewhere").build();
    ring(turn, &caller, own.id, Some(from.device), end)
}

/// A device has got a `<call>`, and says so by a receipt that names the call.
pub(crate) fn arrived(turn: &mut Turn<'_>, from: Address, node: &Node) -> Result<bool, Failure> {
    if !["offer", "terminate"].iter().any(|action| node.child(action).is_some()) {
        return Ok(false);
    }
    deliver::acknowledged(turn, from, "call", &node.id()?, "")?;
    Ok(true)
}

fn action(name: &'static str, caller: &Phone, call_id: &str) -> NodeBuilder {
    NodeBuilder::new(name).attr("call-id", call_id.to_owned()).attr("call-creator", creator(caller))
}

/// Callers are named by their hidden address.
fn creator(caller: &Phone) -> Jid {
    caller.jid(Form::Lid)
}

fn ring(
    turn: &mut Turn<'_>,
    caller: &Phone,
    callee: i64,
    except: Option<u16>,
    action: Node,
) -> Result<(), Failure> {
    let call = NodeBuilder::new("call")
        .attr("from", creator(caller))
        .attr("id", outgoing::message_id(turn, caller)?)
        .attr("t", stanza::seconds(turn.now))
        .attr("notify", caller.push_name().to_owned())
        .children([action])
        .build();
    deliver::to_companions(turn, callee, except, &call)
}

fn info(turn: &Turn<'_>, caller: i64, id: &str) -> Result<Option<CallInfo>, Failure> {
    let sql = "SELECT call_id, callee, video, state FROM call WHERE caller = ? AND call_id = ?";
    let found = turn.db.one(sql, (caller, id), |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, bool>(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    let Some((call_id, callee, video, state)) = found else { return Ok(None) };
    let to = phones::by_id(turn, callee)?.map(|phone| phone.e164()).unwrap_or_default();
    Ok(Some(CallInfo { call_id, to, video, state }))
}

fn not_found() -> Failure {
    Refusal::new(404, "call_not_found", "this phone has made no such call").into()
}

impl PhoneHandle {
    /// Calls somebody: all their linked devices ring.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn call_to(&self, to: &str, video: bool) -> Result<CallInfo, Refusal> {
        let to = phones::digits(to).map_err(|_| Refusal::field("/to", "a phone number of 8 to 15 digits"))?;
        self.call(move |turn, phone| {
            let missing = || Refusal::new(404, "phone_not_found", "no such phone in this network").at("/to");
            let callee = phones::by_number(turn, phone.network, &to)?.ok_or_else(missing)?;
            if callee.id == phone.id {
                return Err(Refusal::field("/to", "nobody calls themselves").into());
            }
            let id = outgoing::message_id(turn, &phone)?;
            turn.db.run(
                "INSERT INTO call (caller, callee, call_id, video, state) VALUES (?, ?, ?, ?, 'ringing')",
                (phone.id, callee.id, &id, video),
            )?;
            let bound = "DELETE FROM call WHERE caller = ? AND seq <= (SELECT seq FROM call WHERE caller = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)";
            turn.db.run(bound, (phone.id, phone.id, limits::CALLS))?;
            // A blocked caller hears it ring, and nobody else does.
            if !people::blocks(turn, callee.id, phone.id)? {
                let audio = NodeBuilder::new("audio").attr("enc", "opus").attr("rate", "16000").build();
                let video = video.then(|| NodeBuilder::new("video").attr("enc", "vp8").build());
                let offer = action("offer", &phone, &id)
                    .attr("caller_pn", phone.jid(Form::Pn))
                    .children(std::iter::once(audio).chain(video))
                    .build();
                ring(turn, &phone, callee.id, None, offer)?;
            }
            info(turn, phone.id, &id)?.ok_or_else(not_found)
        })
        .await
    }

    /// What became of a call.
    ///
    /// # Errors
    /// `phone_not_found`, `call_not_found`.
    pub async fn call_state(&self, id: &str) -> Result<CallInfo, Refusal> {
        let id = id.to_owned();
        self.call(move |turn, phone| info(turn, phone.id, &id)?.ok_or_else(not_found)).await
    }

    /// Stops a call that rings.
    ///
    /// # Errors
    /// `phone_not_found`, `call_not_found`.
    pub async fn hang_up(&self, id: &str) -> Result<CallInfo, Refusal> {
        let id = id.to_owned();
        self.call(move |turn, phone| {
            let sql =
                "UPDATE call SET state = 'ended' WHERE caller = ? AND call_id = ? AND state = 'ringing'";
            if turn.db.run(sql, (phone.id, &id))? > 0 {
                let sql = "SELECT callee FROM call WHERE caller = ? AND call_id = ?";
                let callee = turn.db.number(sql, (phone.id, &id))?;
                let end = action("terminate", &phone, &id).attr("reason", "timeout").build();
                ring(turn, &phone, callee, None, end)?;
            }
            info(turn, phone.id, &id)?.ok_or_else(not_found)
        })
        .await
    }
}

pub(crate) fn routes() -> Router<Engine> {
    Router::new()
        .route("/internal/networks/{account}/phones/{number}/calls", post(make))
        .route("/internal/networks/{account}/phones/{number}/calls/{id}", delete(end).get(show))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallIn {
    to: String,
    #[serde(default)]
    video: bool,
}

async fn make(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(body): Body<CallIn>,
) -> Answer<impl IntoResponse> {
    let call = phone(engine, account, &number)?.call_to(&body.to, body.video).await?;
    Ok((StatusCode::ACCEPTED, Json(json!(call))))
}

async fn show(
    State(engine): State<Engine>,
    Path((account, number, id)): Path<(String, String, String)>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.call_state(&id).await?))
}

async fn end(
    State(engine): State<Engine>,
    Path((account, number, id)): Path<(String, String, String)>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.hang_up(&id).await?))
}
