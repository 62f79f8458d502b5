//! Namespace `w:profile:picture`: pictures of people and of groups, fetched over HTTP at `/pps/{name}`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use rand::RngExt;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt as _, Node};

use super::{blocks, shows, tell};
use crate::engine::Engine;
use crate::error::{Failure, Refusal};
use crate::live::{Address, ConnectionId};
use crate::phones::{self, Phone};
use crate::stanza::{Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;
use crate::{groups, limits, media};

pub(crate) fn routes() -> Router<Engine> {
    Router::new().route("/pps/{name}", get(fetch))
}

async fn fetch(State(engine): State<Engine>, Path(name): Path<String>) -> Response {
    let found = engine.call(move |turn| {
        let sql = "SELECT bytes FROM picture WHERE name = ?";
        Ok(turn.db.one(sql, [name], |row| row.get::<_, Vec<u8>>(0))?)
    });
    match found.await {
        Ok(Some(bytes)) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => {
            tracing::error!(%failure, "the sandbox cannot read a picture");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        },
    }
}

/// Shows a picture (`target`), or sets one: the own one, or that of a group which the client may change.
pub(crate) fn handle(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    id: &str,
    node: &Node,
) -> Result<Node, Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(iq_error(id, 401, "not-authorized")) };
    let target = node.jid("target");
    if node.text("type").as_deref() == Some("set") {
        let bytes = node.child_bytes("picture");
        let result = turn.attempt(|turn| match &target {
            Some(jid) if jid.is_group() => {
                let made = replace(turn, &own, &format!("g{}", jid.user), bytes)?;
                groups::picture_changed(turn, &own, jid, made.as_deref())?;
                Ok(made)
            },
            Some(jid) if phones::by_jid(turn, own.network, jid)?.is_none_or(|phone| phone.id != own.id) => {
                Err(Refusal::new(403, "forbidden", "somebody else's picture").into())
            },
            _ => set(turn, &own, bytes),
        });
        return match result {
            Ok(Some(made)) => Ok(iq_result(id, vec![NodeBuilder::new("picture").attr("id", made).build()])),
            Ok(None) => Ok(iq_result(id, Vec::new())),
            Err(Failure::Refused(Refusal { status, code, .. })) => Ok(iq_error(id, status, code)),
            Err(other) => Err(other),
        };
    }
    let Some(target) = target else { return Ok(iq_error(id, 400, "bad-request")) };
    let owner = if target.is_group() {
        format!("g{}", target.user)
    } else {
        let Some(person) = phones::by_jid(turn, own.network, &target)? else {
            return Ok(iq_error(id, 404, "item-not-found"));
        };
        if hidden(turn, &person, own.id)? {
            return Ok(iq_error(id, 401, "not-authorized"));
        }
        key(&person)
    };
    let sql = "SELECT picture_id, name FROM picture WHERE network = ? AND owner = ?";
    let found = turn
        .db
        .one(sql, (own.network, owner), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let Some((picture_id, name)) = found else { return Ok(iq_error(id, 404, "item-not-found")) };
    let path = format!("/pps/{name}");
    let asked = node.child("picture");
    let picture = NodeBuilder::new("picture")
        .attr("id", picture_id)
        .attr("type", asked.and_then(|asked| asked.text("type")).unwrap_or_else(|| "image".to_owned()))
        .attr("url", format!("https://{}{path}", media::host(turn, connection)))
        .attr("direct_path", path)
        .build();
    Ok(iq_result(id, vec![picture]))
}

fn key(phone: &Phone) -> String {
    format!("p{}", phone.id)
}

/// Sets the person's picture, or deletes it; gives its id.
pub(crate) fn set(
    turn: &mut Turn<'_>,
    phone: &Phone,
    bytes: Option<&[u8]>,
) -> Result<Option<String>, Failure> {
    let made = replace(turn, phone, &key(phone), bytes)?;
    let change = match &made {
        Some(picture) => NodeBuilder::new("set").attr("id", picture.as_str()),
        None => NodeBuilder::new("delete"),
    };
    let change = change.attr("jid", phone.jid(phones::Form::Pn)).build();
    tell(turn, phone, "picture", Some(change))?;
    Ok(made)
}

fn replace(
    turn: &mut Turn<'_>,
    by: &Phone,
    owner: &str,
    bytes: Option<&[u8]>,
) -> Result<Option<String>, Failure> {
    turn.db.run("DELETE FROM picture WHERE network = ? AND owner = ?", (by.network, owner))?;
    let Some(bytes) = bytes else { return Ok(None) };
    if bytes.is_empty() || bytes.len() > limits::PICTURE_BYTES {
        let detail = format!("1 to {} bytes", limits::PICTURE_BYTES);
        return Err(Refusal { status: 406, ..Refusal::field("/picture", detail) }.into());
    }
    let mut random = turn.generator(by.network)?;
    let id = random.random_range(1_000_000_000_u64..10_000_000_000).to_string();
    let name = URL_SAFE_NO_PAD.encode(random.random::<[u8; 18]>());
    turn.db.run(
        "INSERT INTO picture (network, owner, picture_id, name, bytes) VALUES (?, ?, ?, ?, ?)",
        (by.network, owner, &id, name, bytes),
    )?;
    Ok(Some(id))
}

fn hidden(turn: &Turn<'_>, phone: &Phone, from: i64) -> Result<bool, Failure> {
    Ok(phone.id != from && (!shows(turn, phone.id, "profile")? || blocks(turn, phone.id, from)?))
}

/// The id of the person's picture, if there is one that `asking` may see.
pub(crate) fn id(turn: &Turn<'_>, phone: &Phone, asking: i64) -> Result<Option<String>, Failure> {
    if hidden(turn, phone, asking)? {
        return Ok(None);
    }
    let sql = "SELECT picture_id FROM picture WHERE network = ? AND owner = ?";
    Ok(turn.db.one(sql, (phone.network, key(phone)), |row| row.get(0))?)
}
