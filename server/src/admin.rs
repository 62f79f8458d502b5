//! `waxwing admin`: asks the running server, or opens the files itself when none runs.

use std::{path::Path, sync::Arc};

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
use waxwing_signed_http::{Client, Verifier, require_signature};

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
        Err(error) => refused(&error),
    }
}

async fn make(commands: &Commands, CreateAccountIn { name, email }: CreateAccountIn) -> Result<Value> {
    Ok(serde_json::to_value(commands.onboard(name, email, &Cause::system()).await?)?)
}

/// `waxwing admin account create`
pub(crate) async fn create_account(args: CreateAccountArgs) -> Result<()> {
    let body = CreateAccountIn { name: args.name, email: args.email };
    let made = match Reached::at(&args.data_dir)? {
        Reached::Files(installation) => {
            let made = make(&installation.commands, body).await?;
            installation.engine.close().await?;
            made
        },
        Reached::Server(client) => ask(&client, PATH, &json!(body)).await?,
    };
    println!("{}", serde_json::to_string_pretty(&made)?);
    Ok(())
}

/// What answers for an installation.
pub(crate) enum Reached {
    /// Its files, which nobody else uses.
    Files(Box<Installation>),
    /// The server that uses them.
    Server(Client),
}

impl Reached {
    pub(crate) fn at(data_dir: &Path) -> Result<Self> {
        let error = match Installation::open(data_dir, None) {
            Ok(installation) => return Ok(Self::Files(Box::new(installation))),
            Err(error) => error.downcast::<OpenError>()?,
        };
        let OpenError::Locked { holder, .. } = error else { return Err(error.into()) };
        let address = holder.address.context("the server that holds the data folder is still starting")?;
        let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
        let key = internal::key(data_dir, &*entropy)?;
        Ok(Self::Server(internal::client(&address, key, clock, entropy)?))
    }
}

/// What the running server says; an error unless it did what was asked.
pub(crate) async fn ask(client: &Client, path: &str, body: &Value) -> Result<Value> {
    let answer = client.call(Method::POST, path, Some(body), &[]).await?;
    match answer.status {
        200 | 201 => Ok(answer.body),
        status => {
            let detail = answer.body.get("detail").and_then(Value::as_str).unwrap_or("no detail");
            bail!("the server answered {status}: {detail}")
        },
    }
}

/// The server's answer to what it could not do.
pub(crate) fn refused(error: &anyhow::Error) -> Response {
    let detail = Json(json!({ "detail": format!("{error:#}") }));
    (StatusCode::UNPROCESSABLE_ENTITY, detail).into_response()
}
