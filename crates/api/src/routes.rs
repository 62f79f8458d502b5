//! Every route, with its documentation.

mod account;
mod admin;
mod admin_audit;
mod admin_features;
mod admin_sessions;
mod api_keys;
mod audit;
mod auth;
mod health;
mod invitations;
mod me;
mod members;
mod message_actions;
mod message_batch;
mod messages;
mod metrics;
mod problems;
mod sandbox;
mod sandbox_groups;
mod sandbox_people;
mod sessions;
mod usage;
mod webhooks;

pub(crate) use message_batch::BATCH_MAX;
pub(crate) use messages::{METADATA_BYTES_MAX, Q_CHARS_MAX};

use axum::{
    Json, Router,
    http::{HeaderName, HeaderValue, StatusCode},
    middleware,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};
use waxwing_app::commands::StoredAnswer;

use crate::{Api, Problem, docs, edge, openapi, rate_limit, request_id};

/// The versioned routes with their documentation.
pub(crate) fn versioned() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::verify_email))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::forgot_password))
        .routes(routes!(auth::resend_verification))
        .routes(routes!(auth::reset_password))
        .routes(routes!(auth::logout_everywhere))
        .routes(routes!(auth::confirm_email_change))
        .routes(routes!(me::get_me, me::change_me))
        .routes(routes!(me::change_password))
        .routes(routes!(me::change_email))
        .routes(routes!(me::delete_me))
        .routes(routes!(me::offer_totp))
        .routes(routes!(me::enable_totp))
        .routes(routes!(me::disable_totp))
        .routes(routes!(api_keys::create_api_key, api_keys::list_api_keys))
        .routes(routes!(api_keys::get_api_key, api_keys::delete_api_key))
        .routes(routes!(api_keys::rotate_api_key))
        .routes(routes!(audit::list_audit_log))
        .routes(routes!(admin::list_mail))
        .routes(routes!(admin::list_accounts))
        .routes(routes!(admin_features::get_admin_account))
        .routes(routes!(admin_features::list_features))
        .routes(routes!(admin_features::switch_feature))
        .routes(routes!(admin_features::switch_account_feature))
        .routes(routes!(admin_sessions::list_all_sessions))
        .routes(routes!(admin_audit::list_admin_audit_log))
        .routes(routes!(usage::get_account_usage))
        .routes(routes!(usage::get_usage))
        .routes(routes!(admin::suspend_account))
        .routes(routes!(admin::restore_account))
        .routes(routes!(admin::list_users))
        .routes(routes!(admin::list_hosts))
        .routes(routes!(admin::list_queues))
        .routes(routes!(admin::list_dead_letters))
        .routes(routes!(admin::redrive_dead_letter))
        .routes(routes!(admin::drop_dead_letter))
        .routes(routes!(sessions::create_session, sessions::list_sessions))
        .routes(routes!(sessions::get_session, sessions::change_session, sessions::delete_session))
        .routes(routes!(sessions::start_session))
        .routes(routes!(sessions::stop_session))
        .routes(routes!(sessions::restart_session))
        .routes(routes!(sessions::logout_session))
        .routes(routes!(sessions::get_session_qr))
        .routes(routes!(sessions::make_pairing_code))
        .routes(routes!(messages::send_message, messages::list_messages))
        .routes(routes!(messages::send_text))
        .routes(routes!(messages::send_location))
        .routes(routes!(messages::send_contact))
        .routes(routes!(message_batch::send_batch))
        .routes(routes!(
            messages::get_message,
            message_actions::edit_message,
            message_actions::delete_message
        ))
        .routes(routes!(message_actions::cancel_message))
        .routes(routes!(message_actions::set_reaction, message_actions::remove_reaction))
        .routes(routes!(messages::get_message_timeline))
        .routes(routes!(account::delete_account))
        .routes(routes!(account::get_account, account::change_account))
        .routes(routes!(members::list_members))
        .routes(routes!(members::change_member, members::delete_member))
        .routes(routes!(invitations::create_invitation, invitations::list_invitations))
        .routes(routes!(invitations::accept_invitation))
        .routes(routes!(invitations::delete_invitation))
        .routes(routes!(webhooks::create_webhook, webhooks::list_webhooks))
        .routes(routes!(webhooks::get_webhook, webhooks::delete_webhook))
        .routes(routes!(sandbox::create_phone, sandbox::list_phones))
        .routes(routes!(sandbox::scan))
        .routes(routes!(sandbox::enter_code))
        .routes(routes!(sandbox::send_from_phone))
        .routes(routes!(sandbox::inbox))
        .routes(routes!(sandbox::get_behaviour, sandbox::set_behaviour))
        .routes(routes!(sandbox::add_fault, sandbox::list_faults, sandbox::clear_faults))
        .routes(routes!(sandbox::ledger))
        .routes(routes!(sandbox_people::get_profile, sandbox_people::set_profile))
        .routes(routes!(sandbox_people::list_companions))
        .routes(routes!(sandbox_people::unlink))
        .routes(routes!(sandbox_people::set_history))
        .routes(routes!(sandbox_groups::create, sandbox_groups::list))
        .routes(routes!(sandbox_groups::join))
        .routes(routes!(sandbox_groups::show, sandbox_groups::change))
        .routes(routes!(sandbox_groups::change_participants))
        .routes(routes!(sandbox_groups::invite, sandbox_groups::renew_invite))
        .routes(routes!(sandbox_groups::join_requests, sandbox_groups::answer_join_requests))
        .routes(routes!(sandbox_groups::leave))
        .routes(routes!(sandbox_people::call_somebody))
        .routes(routes!(sandbox_people::get_call, sandbox_people::hang_up))
}

/// The whole API as a service.
pub fn router(api: Api) -> Router {
    let (versioned, document) = openapi::with_document(versioned());
    let routes = Router::new()
        .nest("/api/v1", versioned.fallback(not_found).method_not_allowed_fallback(method_not_allowed))
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(problems::routes())
        .merge(docs::routes(document))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked));
    let routes = match edge::cors(&api.cors_origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes
        .layer(middleware::from_fn_with_state(api.clone(), rate_limit::tell))
        .layer(middleware::from_fn_with_state(api.answer_within, edge::in_time))
        .layer(middleware::from_fn_with_state(api.clone(), edge::harden))
        .layer(middleware::from_fn_with_state(api.clone(), request_id::assign))
        .with_state(api)
}

async fn not_found() -> Problem {
    Problem::not_found("address")
}

async fn method_not_allowed() -> Problem {
    Problem::new("method_not_allowed", "This address does not take this method.")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new("internal", "Something went wrong here.").into_response()
}

static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The answer to a repetition: the first status and body.
fn repeated(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let json = [(axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    replayed((status, json, answer.body).into_response())
}

/// The same answer, marked as one that was given before.
fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}

/// An answer as it is kept for repetitions.
fn kept(status: StatusCode, body: &impl Serialize) -> (u16, String) {
    (status.as_u16(), serde_json::to_string(body).unwrap_or_default())
}

fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, Json(body)).into_response()
}
