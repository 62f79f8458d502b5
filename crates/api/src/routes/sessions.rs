//! Sessions.

use std::io::Cursor;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use image::{GrayImage, ImageFormat, Luma};
use qrcode::{EcLevel, QrCode, render::svg};
use waxwing_app::{
    commands::{NewSession, Once, Repeatable, SessionWish},
    ports::{PairingCode, PairingCodeError},
    queries,
    views::{SessionView, Wanted},
};
use waxwing_domain::{Feature, SessionId, session::SessionStatus};

use super::{admin_features::stopped, answer, kept, repeated};
use crate::{
    Api, Problem, cursor,
    extract::{Actor, Body, IdPath, IdempotencyKey, PageQuery, SessionsRead, SessionsWrite, ValidQuery},
    shapes::{ChangeSessionIn, CreateSessionIn, Page, PairingCodeIn, PairingCodeOut, QrOut, SessionOut},
};

/// Make a session
///
/// It starts at once unless `start` is false; its code to scan is then at `/sessions/{id}/qr`.
#[utoipa::path(post, path = "/sessions", operation_id = "createSession", tag = "sessions", request_body = CreateSessionIn,
    params(IdempotencyKey),
    responses((status = 201, description = "Made", body = SessionOut)))]
pub(super) async fn create_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    key: IdempotencyKey,
    body: Body<CreateSessionIn>,
) -> Result<Response, Problem> {
    let idempotency = key.of("POST /sessions", &body.raw);
    if let Some(stored) = stopped(&api, &actor, Feature::NewSessions, idempotency.as_ref()).await? {
        return Ok(repeated(stored));
    }
    let CreateSessionIn { name, phone_number, start, settings } = body.value;
    let out = |view: &SessionView| SessionOut::new(view.clone(), None);
    let kept = |view: &SessionView| kept(StatusCode::CREATED, &out(view));
    let repeatable = idempotency.map(|idempotency| Repeatable { idempotency, answer: &kept });
    let settings = settings.unwrap_or_default();
    let new = NewSession { name, phone_number, start, settings };
    Ok(match api.commands.create_session(actor.account(), new, repeatable, &actor.cause()).await? {
        Once::Done(view) => answer(StatusCode::CREATED, out(&view)),
        Once::Repeated(stored) => repeated(stored),
    })
}

/// List sessions
#[utoipa::path(get, path = "/sessions", operation_id = "listSessions", tag = "sessions", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<SessionOut>)))]
pub(super) async fn list_sessions(
    State(api): State<Api>,
    actor: Actor<SessionsRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    let page = queries::sessions(&*api.records, actor.account(), after, limit).await?;
    let next_cursor = page.next.map(|next| cursor::encode(&next));
    let mut data = Vec::with_capacity(page.sessions.len());
    for view in page.sessions.into_iter().filter(|view| actor.may_touch(view.id)) {
        let live = queries::live_session(&*api.records, actor.account(), view.id).await?;
        data.push(SessionOut::new(view, live));
    }
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}

async fn found<S>(api: &Api, actor: &Actor<S>, id: SessionId) -> Result<SessionView, Problem> {
    let id = actor.session(id)?;
    let view = queries::session(&api.commands.ports, &*api.records, actor.account(), id).await?;
    view.ok_or_else(|| Problem::not_found("session"))
}

/// Get a session
#[utoipa::path(get, path = "/sessions/{id}", operation_id = "getSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "The session", body = SessionOut)))]
pub(super) async fn get_session(
    State(api): State<Api>,
    actor: Actor<SessionsRead>,
    IdPath(id): IdPath<SessionId>,
) -> Result<Response, Problem> {
    let view = found(&api, &actor, id).await?;
    let live = queries::live_session(&*api.records, actor.account(), id).await?;
    Ok(answer(StatusCode::OK, SessionOut::new(view, live)))
}

async fn wish(
    api: &Api,
    actor: &Actor<SessionsWrite>,
    id: SessionId,
    wish: SessionWish,
) -> Result<SessionView, Problem> {
    let id = actor.session(id)?;
    Ok(api.commands.wish_session(actor.account(), id, wish, &actor.cause()).await?)
}

/// The session after a wish: as it was recorded, since its host acts a moment later.
async fn wished(
    api: &Api,
    actor: &Actor<SessionsWrite>,
    id: SessionId,
    what: SessionWish,
) -> Result<Response, Problem> {
    let view = wish(api, actor, id, what).await?;
    let live = queries::live_session(&*api.records, actor.account(), id).await?;
    Ok(answer(StatusCode::ACCEPTED, SessionOut::new(view, live)))
}

/// Change a session
///
/// Another proxy is used at once, by a new connection; other settings count from now on.
#[utoipa::path(patch, path = "/sessions/{id}", operation_id = "updateSession", tag = "sessions", request_body = ChangeSessionIn,
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "As it is now", body = SessionOut)))]
pub(super) async fn change_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
    Body { value, .. }: Body<ChangeSessionIn>,
) -> Result<Response, Problem> {
    let view = wish(&api, &actor, id, SessionWish::Change(value.settings)).await?;
    let live = queries::live_session(&*api.records, actor.account(), id).await?;
    Ok(answer(StatusCode::OK, SessionOut::new(view, live)))
}

/// Delete a session
///
/// It is unlinked from its phone, its state is destroyed, and its name is free again. Its messages stay readable by id.
#[utoipa::path(delete, path = "/sessions/{id}", operation_id = "deleteSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
) -> Result<StatusCode, Problem> {
    wish(&api, &actor, id, SessionWish::Delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start a session
#[utoipa::path(post, path = "/sessions/{id}/start", operation_id = "startSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 202, description = "It will start", body = SessionOut)))]
pub(super) async fn start_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
) -> Result<Response, Problem> {
    wished(&api, &actor, id, SessionWish::Start).await
}

/// Stop a session
///
/// Its link to the phone stays; messages wait until it is started again.
#[utoipa::path(post, path = "/sessions/{id}/stop", operation_id = "stopSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 202, description = "It will stop", body = SessionOut)))]
pub(super) async fn stop_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
) -> Result<Response, Problem> {
    wished(&api, &actor, id, SessionWish::Stop).await
}

/// Restart a session
#[utoipa::path(post, path = "/sessions/{id}/restart", operation_id = "restartSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 202, description = "It will connect anew", body = SessionOut)))]
pub(super) async fn restart_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
) -> Result<Response, Problem> {
    wished(&api, &actor, id, SessionWish::Restart).await
}

/// Log a session out
///
/// It is unlinked from its phone, and what waits to be sent fails with `session_logged_out`.
#[utoipa::path(post, path = "/sessions/{id}/logout", operation_id = "logoutSession", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 202, description = "It will log out", body = SessionOut)))]
pub(super) async fn logout_session(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
) -> Result<Response, Problem> {
    wished(&api, &actor, id, SessionWish::Logout).await
}

/// Get the code to scan
///
/// As JSON, or as a picture with `Accept: image/svg+xml` or `image/png`.
#[utoipa::path(get, path = "/sessions/{id}/qr", operation_id = "getSessionQr", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "The code", content(
        (QrOut = "application/json"), (String = "image/svg+xml"), (Vec<u8> = "image/png")))))]
pub(super) async fn get_session_qr(
    State(api): State<Api>,
    actor: Actor<SessionsRead>,
    IdPath(id): IdPath<SessionId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    found(&api, &actor, id).await?;
    let live = queries::live_session(&*api.records, actor.account(), id).await?;
    let now = api.commands.ports.clock.now();
    let qr = live.and_then(|live| live.qr).filter(|qr| qr.expires_at > now);
    let qr = qr.ok_or_else(|| Problem::new("not_pairing", "The session has no code to scan right now."))?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let no_store = (header::CACHE_CONTROL, "no-store");
    Ok(match wanted_kind(accept) {
        SVG => ([(header::CONTENT_TYPE, SVG), no_store], svg(&qr.code)?).into_response(),
        PNG => ([(header::CONTENT_TYPE, PNG), no_store], png(&qr.code)?).into_response(),
        _ => ([no_store], answer(StatusCode::OK, QrOut { code: qr.code, expires_at: qr.expires_at }))
            .into_response(),
    })
}

/// Get a code to type into the phone
///
/// The other way to link a session, without a camera: in WhatsApp, *Linked devices*, *Link with phone number instead*. A new code
/// replaces the one before. Waits up to 10 seconds for a session that has just been started.
#[utoipa::path(post, path = "/sessions/{id}/pairing-code", operation_id = "createPairingCode", tag = "sessions",
    request_body = PairingCodeIn,
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "The code", body = PairingCodeOut)))]
pub(super) async fn make_pairing_code(
    State(api): State<Api>,
    actor: Actor<SessionsWrite>,
    IdPath(id): IdPath<SessionId>,
    Body { value, .. }: Body<PairingCodeIn>,
) -> Result<Response, Problem> {
    let view = found(&api, &actor, id).await?;
    let live = queries::live_session(&*api.records, actor.account(), id).await?;
    let connected = live.is_some_and(|live| live.status == SessionStatus::Connected);
    if view.wanted != Wanted::Running || connected {
        return Err(PairingCodeError::NotPairing.into());
    }
    let made = api.pairing.pairing_code(actor.account(), id, &value.phone_number).await?;
    let PairingCode { code, expires_at } = made;
    let no_store = (header::CACHE_CONTROL, "no-store");
    Ok(([no_store], answer(StatusCode::OK, PairingCodeOut { code, expires_at })).into_response())
}

const SVG: &str = "image/svg+xml";
const PNG: &str = "image/png";
const JSON: &str = "application/json";

/// The kind of answer that `Accept` likes best (RFC 9110, 12.5.1): by quality, then by the order in the header. JSON when
/// it names none of ours.
fn wanted_kind(accept: &str) -> &'static str {
    let mut best = (0.0, JSON);
    for part in accept.split(',') {
        let mut parameters = part.split(';').map(str::trim);
        let range = parameters.next().unwrap_or("").to_ascii_lowercase();
        let kind = match range.as_str() {
            "image/svg+xml" | "image/*" => SVG,
            "image/png" => PNG,
            "application/json" | "application/*" | "*/*" => JSON,
            _ => continue,
        };
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f32>().ok());
        let quality = quality.unwrap_or(1.0);
        if quality > best.0 {
            best = (quality, kind);
        }
    }
    best.1
}

fn encoded(code: &str) -> Result<QrCode, Problem> {
    QrCode::with_error_correction_level(code, EcLevel::L).map_err(|error| {
        tracing::error!(%error, "a code does not fit into a picture");
        Problem::new("internal", "Something went wrong here.")
    })
}

fn svg(code: &str) -> Result<String, Problem> {
    Ok(encoded(code)?.render::<svg::Color<'_>>().min_dimensions(320, 320).build())
}

/// Pixels of one module, and modules of the quiet zone that scanners need around the code.
const MODULE_PX: u32 = 6;
const QUIET_ZONE: u32 = 4;

fn png(code: &str) -> Result<Vec<u8>, Problem> {
    let code = encoded(code)?;
    let width = u32::try_from(code.width()).unwrap_or(0);
    let side = (width + 2 * QUIET_ZONE) * MODULE_PX;
    let dark = |x: u32, y: u32| {
        let module = |px: u32| (px / MODULE_PX).checked_sub(QUIET_ZONE).filter(|module| *module < width);
        match (module(x), module(y)) {
            (Some(x), Some(y)) => code[(x as usize, y as usize)] == qrcode::Color::Dark,
            _ => false,
        }
    };
    let picture = GrayImage::from_fn(side, side, |x, y| Luma([if dark(x, y) { 0 } else { 255 }]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| {
        tracing::error!(%error, "a picture was not written");
        Problem::new("internal", "Something went wrong here.")
    })?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_that_is_liked_best_is_given() {
        for (accept, kind) in [
            ("", JSON),
            ("*/*", JSON),
            ("text/html", JSON),
            ("image/svg+xml", SVG),
            ("IMAGE/PNG", PNG),
            ("image/*", SVG),
            ("image/png;q=0.5, image/svg+xml;q=0.9", SVG),
            ("application/json;q=0.2, image/png; q=0.8", PNG),
            ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", PNG),
            ("image/png;q=0, */*", JSON),
        ] {
            assert_eq!(wanted_kind(accept), kind, "{accept}");
        }
    }
}
