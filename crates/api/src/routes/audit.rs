//! Who changed what.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries::{self, AuditFilter, AuditOf};

use super::answer;
use crate::{
    Api, Problem, cursor,
    extract::{Actor, AuditRead, PageQuery, ValidQuery},
    shapes::{AuditEntryOut, AuditQuery, Page},
};

/// List what was changed
///
/// By whom, from where and when, newest first: sessions, webhooks, API keys, members and the account itself, for 400 days. What
/// the operator of the installation changed of the account (a suspension, a feature) stands here as `operator`'s, without an
/// address. With a filter a page may be short, or empty, while there is a cursor.
#[utoipa::path(get, path = "/audit-log", operation_id = "listAuditLog", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page", body = Page<AuditEntryOut>)))]
pub(super) async fn list_audit_log(
    State(api): State<Api>,
    actor: Actor<AuditRead>,
    ValidQuery(query): ValidQuery<AuditQuery>,
) -> Result<Response, Problem> {
    if !actor.caller().may_touch_all() {
        return Err(Problem::new("forbidden", "A key that is bound to sessions sees no changes of others."));
    }
    let (limit, after) = PageQuery::new(query.limit, query.cursor).read()?;
    let filter = AuditFilter { actor: query.actor, resource: query.resource };
    let of = AuditOf::Own(actor.account());
    let (entries, last) = queries::audit_log(&*api.records, of, &filter, limit, after).await?;
    let next_cursor = last.map(|last| cursor::encode(&last));
    let data: Vec<AuditEntryOut> = entries.into_iter().map(AuditEntryOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}
