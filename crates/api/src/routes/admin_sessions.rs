//! The sessions of all accounts.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries::{self, SessionsFilter};

use super::answer;
use crate::{
    Api, Problem, cursor,
    extract::{AdminRead, Operator, PageQuery, ValidQuery},
    shapes::{AdminSessionOut, AdminSessionsQuery, Page},
};

/// List sessions of all accounts
///
/// By account and age, also those that are stopped or logged out, each with the host that holds it. No messages and no numbers.
/// With a filter a page may be short, or empty, while there is a cursor.
#[utoipa::path(get, path = "/admin/sessions", operation_id = "listAllSessions", tag = "admin", params(AdminSessionsQuery),
    responses((status = 200, description = "A page", body = Page<AdminSessionOut>)))]
pub(super) async fn list_all_sessions(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    ValidQuery(query): ValidQuery<AdminSessionsQuery>,
) -> Result<Response, Problem> {
    let filter =
        SessionsFilter { account: query.account_id()?, status: query.status()?, network: query.network()? };
    let (limit, after) = PageQuery::new(query.limit, query.cursor).read()?;
    let (sessions, last) = queries::sessions_of_all(&*api.records, &filter, limit, after).await?;
    let data: Vec<AdminSessionOut> = sessions.into_iter().map(AdminSessionOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor: last.map(|last| cursor::encode(&last)) }))
}
