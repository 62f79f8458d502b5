//! Who changed what, where no account's own log says it.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries::{self, AuditFilter};

use super::answer;
use crate::{
    Api, Problem, cursor,
    extract::{AdminRead, Operator, PageQuery, ValidQuery},
    shapes::{AdminAuditQuery, AuditEntryOut, Page},
};

/// List what was changed, as the operator
///
/// Newest first, for 400 days: of a user what the user changed about themselves; of an account its own log, with who of the
/// operator's changed something of it and from where, which the account is not told; and without either what was switched
/// for the whole deployment. What is known of a user goes with the user. No password, no token and no hash stands here.
/// With a filter a page may be short, or empty, while there is a cursor.
#[utoipa::path(get, path = "/admin/audit-log", operation_id = "listAdminAuditLog", tag = "admin", params(AdminAuditQuery),
    responses((status = 200, description = "A page", body = Page<AuditEntryOut>)))]
pub(super) async fn list_admin_audit_log(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    ValidQuery(query): ValidQuery<AdminAuditQuery>,
) -> Result<Response, Problem> {
    let of = query.of()?;
    let (limit, after) = PageQuery::new(query.limit, query.cursor).read()?;
    let filter = AuditFilter { actor: query.actor, resource: None };
    let (entries, last) = queries::audit_log(&*api.records, of, &filter, limit, after).await?;
    let data: Vec<AuditEntryOut> = entries.into_iter().map(AuditEntryOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor: last.map(|last| cursor::encode(&last)) }))
}
