//! For the operator.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::{ports::Queue, queries};
use waxwing_domain::AccountId;

use super::answer;
use crate::{
    Api, Problem, cursor,
    extract::{AdminRead, AdminWrite, DeadLetterPath, IdPath, Operator, PageQuery, QueuePath, ValidQuery},
    shapes::{
        AdminAccountOut, AdminUserOut, DeadLetterOut, DeadLettersOut, HostOut, HostsOut, MailOut, MailsOut,
        Page, QueueOut, QueuesOut, SearchQuery,
    },
};

/// Dead letters that one answer shows.
const DEAD_LETTERS_MAX: usize = 1_000;

/// List mails
///
/// The mails that are kept where there is no mail server: up to 1,000, for a week, newest first. They carry tokens, so only
/// the operator's account sees them.
#[utoipa::path(get, path = "/admin/mail", operation_id = "listMail", tag = "admin",
    responses((status = 200, description = "The mails", body = MailsOut)))]
pub(super) async fn list_mail(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
) -> Result<Response, Problem> {
    let data = api.mail.list().await?.into_iter().map(MailOut::from).collect();
    Ok(answer(StatusCode::OK, MailsOut { data }))
}

/// List accounts
///
/// Of the whole installation. With a text a page may be short, or empty, while there is a cursor.
#[utoipa::path(get, path = "/admin/accounts", operation_id = "listAccounts", tag = "admin", params(SearchQuery),
    responses((status = 200, description = "A page", body = Page<AdminAccountOut>)))]
pub(super) async fn list_accounts(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    ValidQuery(SearchQuery { limit, cursor, q }): ValidQuery<SearchQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = PageQuery::new(limit, cursor).read()?;
    let (views, last) = queries::accounts(&*api.records, q, limit, after).await?;
    let data: Vec<AdminAccountOut> = views.into_iter().map(AdminAccountOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor: last.map(|last| cursor::encode(&last)) }))
}

/// Suspend an account
///
/// Nobody of it is let in, and its sessions stop. Nothing is lost. The account's log says that the operator did it, and not
/// from where.
#[utoipa::path(post, path = "/admin/accounts/{id}/suspend", operation_id = "suspendAccount", tag = "admin",
    params(("id" = String, Path, description = "The account's id.")),
    responses((status = 204, description = "Suspended"), (status = 409, description = "It is the operator's own")))]
pub(super) async fn suspend_account(
    State(api): State<Api>,
    operator: Operator<AdminWrite>,
    IdPath(id): IdPath<AccountId>,
) -> Result<StatusCode, Problem> {
    api.commands.suspend_account(id, true, &operator.cause_in(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restore an account
///
/// Its people are let in again, and start its sessions.
#[utoipa::path(post, path = "/admin/accounts/{id}/restore", operation_id = "restoreAccount", tag = "admin",
    params(("id" = String, Path, description = "The account's id.")),
    responses((status = 204, description = "Restored"), (status = 409, description = "It is the operator's own")))]
pub(super) async fn restore_account(
    State(api): State<Api>,
    operator: Operator<AdminWrite>,
    IdPath(id): IdPath<AccountId>,
) -> Result<StatusCode, Problem> {
    api.commands.suspend_account(id, false, &operator.cause_in(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List users
///
/// Of the whole installation. With a text a page may be short, or empty, while there is a cursor.
#[utoipa::path(get, path = "/admin/users", operation_id = "listUsers", tag = "admin", params(SearchQuery),
    responses((status = 200, description = "A page", body = Page<AdminUserOut>)))]
pub(super) async fn list_users(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    ValidQuery(SearchQuery { limit, cursor, q }): ValidQuery<SearchQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = PageQuery::new(limit, cursor).read()?;
    let (views, last) = queries::users(&*api.records, q, limit, after).await?;
    let data: Vec<AdminUserOut> = views.into_iter().map(AdminUserOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor: last.map(|last| cursor::encode(&last)) }))
}

/// List session hosts
///
/// Those that are alive, and how many sessions each looks after.
#[utoipa::path(get, path = "/admin/hosts", operation_id = "listHosts", tag = "admin",
    responses((status = 200, description = "The hosts", body = HostsOut)))]
pub(super) async fn list_hosts(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
) -> Result<Response, Problem> {
    let data = queries::hosts(&*api.records).await?.into_iter().map(HostOut::from).collect();
    Ok(answer(StatusCode::OK, HostsOut { data }))
}

/// List queues
///
/// And how many jobs of each were given up, up to 1,000.
#[utoipa::path(get, path = "/admin/queues", operation_id = "listQueues", tag = "admin",
    responses((status = 200, description = "The queues", body = QueuesOut)))]
pub(super) async fn list_queues(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
) -> Result<Response, Problem> {
    let mut data = Vec::new();
    for queue in Queue::ALL {
        let dead_letters = api.work.dead(queue, DEAD_LETTERS_MAX).await?.len();
        data.push(QueueOut { name: queue.0, dead_letters });
    }
    Ok(answer(StatusCode::OK, QueuesOut { data }))
}

/// List dead letters
///
/// Jobs of a queue that were given up, and why: up to 1,000. They name things and carry no content.
#[utoipa::path(get, path = "/admin/queues/{queue}/dead-letters", operation_id = "listDeadLetters", tag = "admin",
    params(("queue" = String, Path, description = "The queue's name.", example = "webhooks")),
    responses((status = 200, description = "The dead letters", body = DeadLettersOut)))]
pub(super) async fn list_dead_letters(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    QueuePath(queue): QueuePath,
) -> Result<Response, Problem> {
    let dead = api.work.dead(queue, DEAD_LETTERS_MAX).await?;
    let data = dead.into_iter().map(DeadLetterOut::from).collect();
    Ok(answer(StatusCode::OK, DeadLettersOut { data }))
}

/// Try a dead letter again
#[utoipa::path(post, path = "/admin/queues/{queue}/dead-letters/{id}/redrive", operation_id = "redriveDeadLetter", tag = "admin",
    params(("queue" = String, Path, description = "The queue's name.", example = "webhooks"),
        ("id" = String, Path, description = "The job's id.")),
    responses((status = 202, description = "Due now")))]
pub(super) async fn redrive_dead_letter(
    State(api): State<Api>,
    _operator: Operator<AdminWrite>,
    DeadLetterPath { queue, id }: DeadLetterPath,
) -> Result<StatusCode, Problem> {
    api.work.redrive(queue, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Drop a dead letter
#[utoipa::path(delete, path = "/admin/queues/{queue}/dead-letters/{id}", operation_id = "dropDeadLetter", tag = "admin",
    params(("queue" = String, Path, description = "The queue's name.", example = "webhooks"),
        ("id" = String, Path, description = "The job's id.")),
    responses((status = 204, description = "Gone")))]
pub(super) async fn drop_dead_letter(
    State(api): State<Api>,
    _operator: Operator<AdminWrite>,
    DeadLetterPath { queue, id }: DeadLetterPath,
) -> Result<StatusCode, Problem> {
    api.work.discard(queue, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
