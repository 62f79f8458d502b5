//! For the operator.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries;

use super::answer;
use crate::{
    Api, Problem,
    extract::{Actor, AdminRead},
    shapes::{MailOut, MailsOut},
};

/// List mails
///
/// The mails that are kept where there is no mail server: up to 1,000, for a week, newest first. They carry tokens, so only
/// the operator's account sees them.
#[utoipa::path(get, path = "/admin/mail", operation_id = "listMail", tag = "admin",
    responses((status = 200, description = "The mails", body = MailsOut)))]
pub(super) async fn list_mail(State(api): State<Api>, actor: Actor<AdminRead>) -> Result<Response, Problem> {
    if !queries::is_operator(&*api.records, actor.account()).await? {
        return Err(Problem::new("forbidden", "Mails are for the operator's account only."));
    }
    let data = api.mail.list().await?.into_iter().map(MailOut::from).collect();
    Ok(answer(StatusCode::OK, MailsOut { data }))
}
