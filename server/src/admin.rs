//! `waxwing admin`: asks the running server, or opens the files itself when none runs.

use anyhow::{Context, Result, bail};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::post,
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waxwing_app::{commands::Commands, execute::Cause};
use waxwing_embedded::OpenError;
use waxwing_runtime::{OsEntropy, SystemClock};
use waxwing_signed_http::{Verifier, require_signature};

use crate::{cli::CreateAccountArgs, engine::Installation, internal};

const PATH: &str = "/internal/admin/accounts";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateAccountIn {
    name: String,
    email: String,
}

/// The server's side, for signed requests only.
pub(crate) fn routes(commands: Commands, verifier: Verifier) -> Router {
    Router::new()
        .route(PATH, post(create))
        .route_layer(from_fn_with_state(verifier, require_signature))
        .with_state(commands)
}

async fn create(State(commands): State<Commands>, Json(body): Json<CreateAccountIn>) -> Response {
    match make(&commands, body).await {
        Ok(made) => (StatusCode::CREATED, Json(made)).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": format!("{error:#}") })))
            .into_response(),
    }
}

async fn make(commands: &Commands, CreateAccountIn { name, email }: CreateAccountIn) -> Result<Value> {
    Ok(serde_json::to_value(commands.onboard(name, email, &Cause::system()).await?)?)
}

/// `waxwing admin account create`
pub(crate) async fn create_account(args: CreateAccountArgs) -> Result<()> {
    let body = CreateAccountIn { name: args.name.clone(), email: args.email.clone() };
    let made = match Installation::open(&args.data_dir, None) {
        Ok(installation) => {
            let made = make(&installation.commands, body).await?;
            installation.engine.close().await?;
            made
        },
        Err(error) => match error.downcast::<OpenError>() {
            Ok(OpenError::Locked { holder, .. }) => {
                let address =
                    holder.address.context("the server that holds the data folder is still starting")?;
                ask(&args, &address, body).await?
            },
            Ok(error) => return Err(error.into()),
            Err(error) => return Err(error),
        },
    };
    println!("{}", serde_json::to_string_pretty(&made)?);
    Ok(())
}

async fn ask(args: &CreateAccountArgs, address: &str, body: CreateAccountIn) -> Result<Value> {
    let (clock, entropy) = (std::sync::Arc::new(SystemClock::default()), std::sync::Arc::new(OsEntropy));
    let key = internal::key(&args.data_dir, &*entropy)?;
    let client = internal::client(address, key, clock, entropy)?;
    let answer = client.call(Method::POST, PATH, Some(&json!(body)), &[]).await?;
    match answer.status {
        201 => Ok(answer.body),
        status => {
            let detail = answer.body.get("detail").and_then(Value::as_str).unwrap_or("no detail");
            bail!("the server answered {status}: {detail}")
        },
    }
}
