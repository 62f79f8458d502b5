//! What the operator switches off and on, and an account with its switches.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::{
    commands::{Idempotency, StoredAnswer},
    queries,
    views::AccountView,
};
use waxwing_domain::{AccountId, Feature};

use super::answer;
use crate::{
    Api, Problem,
    extract::{AccountFeaturePath, Actor, AdminRead, AdminWrite, Body, FeaturePath, IdPath, Operator},
    shapes::{AdminAccountWithFeaturesOut, FeatureOut, FeaturesOut, SwitchAccountFeatureIn, SwitchFeatureIn},
};

/// Refuses what is switched off. A repetition of what was done before it was is answered as it was.
pub(super) async fn stopped<S>(
    api: &Api,
    actor: &Actor<S>,
    feature: Feature,
    idempotency: Option<&Idempotency>,
) -> Result<Option<StoredAnswer>, Problem> {
    if api.features.is_on(feature, &actor.caller().features).await? {
        return Ok(None);
    }
    if let Some(idempotency) = idempotency
        && let Some(stored) = api.commands.answered_before(actor.account(), idempotency).await?
    {
        return Ok(Some(stored));
    }
    let detail = format!("The operator switched `{}` off for now.", feature.as_str());
    Err(Problem::new("feature_off", detail))
}

/// List features
///
/// What can be switched off, and whether it is on. What was never switched is on; `registration` is as the deployment was
/// started.
#[utoipa::path(get, path = "/admin/features", operation_id = "listFeatures", tag = "admin",
    responses((status = 200, description = "The features", body = FeaturesOut)))]
pub(super) async fn list_features(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
) -> Result<Response, Problem> {
    let data = api.features.all().await?.into_iter().map(FeatureOut::from).collect();
    Ok(answer(StatusCode::OK, FeaturesOut { data }))
}

/// Switch a feature
///
/// For the whole deployment, but for accounts that have a switch of their own: `registration`, `sending`, `new_sessions` or
/// `webhooks` (new endpoints). It counts everywhere within a second. What was accepted before goes on.
#[utoipa::path(put, path = "/admin/features/{name}", operation_id = "switchFeature", tag = "admin",
    request_body = SwitchFeatureIn,
    params(("name" = String, Path, description = "The feature.", example = "sending")),
    responses((status = 200, description = "The features as they are now", body = FeaturesOut)))]
pub(super) async fn switch_feature(
    State(api): State<Api>,
    Operator(actor): Operator<AdminWrite>,
    FeaturePath(feature): FeaturePath,
    body: Body<SwitchFeatureIn>,
) -> Result<Response, Problem> {
    api.features.switch(feature, body.value.enabled, &actor.cause()).await?;
    let data = api.features.all().await?.into_iter().map(FeatureOut::from).collect();
    Ok(answer(StatusCode::OK, FeaturesOut { data }))
}

/// Switch a feature for an account
///
/// Whatever holds for the deployment: on, off, or with null as for the deployment again. It counts from the account's next
/// request on. Not for `registration`. The account's log says that the operator did it, and not from where.
#[utoipa::path(put, path = "/admin/accounts/{id}/features/{name}", operation_id = "switchAccountFeature", tag = "admin",
    request_body = SwitchAccountFeatureIn,
    params(("id" = String, Path, description = "The account's id."),
        ("name" = String, Path, description = "The feature.", example = "sending")),
    responses((status = 200, description = "The account's features as they are now", body = FeaturesOut)))]
pub(super) async fn switch_account_feature(
    State(api): State<Api>,
    operator: Operator<AdminWrite>,
    AccountFeaturePath { account, feature }: AccountFeaturePath,
    body: Body<SwitchAccountFeatureIn>,
) -> Result<Response, Problem> {
    let cause = operator.cause_in(account);
    api.commands.switch_feature(account, (feature, body.value.enabled), &cause).await?;
    let account = queries::account(&api.commands.ports, account).await?;
    let data = api.features.all_of(account.features()).await?.into_iter().map(FeatureOut::from).collect();
    Ok(answer(StatusCode::OK, FeaturesOut { data }))
}

/// Get an account
///
/// Of any tenant, with what is switched for it.
#[utoipa::path(get, path = "/admin/accounts/{id}", operation_id = "getAdminAccount", tag = "admin",
    params(("id" = String, Path, description = "The account's id.")),
    responses((status = 200, description = "The account", body = AdminAccountWithFeaturesOut)))]
pub(super) async fn get_admin_account(
    State(api): State<Api>,
    _operator: Operator<AdminRead>,
    IdPath(id): IdPath<AccountId>,
) -> Result<Response, Problem> {
    let account = queries::account(&api.commands.ports, id).await?;
    let view = AccountView::of(id, &account).ok_or_else(|| Problem::not_found("account"))?;
    let features = api.features.all_of(account.features()).await?;
    let out = AdminAccountWithFeaturesOut {
        account: view.into(),
        features: features.into_iter().map(FeatureOut::from).collect(),
    };
    Ok(answer(StatusCode::OK, out))
}
