//! `waxwing admin keys`: other keys for what is stored.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use axum::{
    Json, Router,
    extract::State,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;
use waxwing_app::{
    ports::KeyCustody,
    rotation::{Rotated, Rotation},
};
use waxwing_embedded::{OpenError, RotatedMasterKey, is_installed, rotate_master_key};
use waxwing_runtime::OsEntropy;
use waxwing_signed_http::{Verifier, require_signature};

use crate::{
    admin::{Reached, ask, refused},
    cli::{RotateDataArgs, RotateMasterArgs},
};

const PATH: &str = "/internal/admin/keys/rotate";
/// Between two lines that say how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The server's side, for signed requests only.
pub(crate) fn routes(keys: Arc<dyn KeyCustody>, verifier: Verifier) -> Router {
    Router::new()
        .route(PATH, post(rotate))
        .route_layer(from_fn_with_state(verifier, require_signature))
        .with_state(keys)
}

/// One page: the caller asks for the next one, so that no request takes long.
async fn rotate(State(keys): State<Arc<dyn KeyCustody>>, Json(rotation): Json<Rotation>) -> Response {
    match rotation.run(&*keys).await {
        Ok(rotated) => {
            tracing::info!(keys = rotated.keys, "data keys rotated");
            Json(rotated).into_response()
        },
        Err(error) => refused(&error.into()),
    }
}

/// `waxwing admin keys rotate-data`
pub(crate) async fn rotate_data(args: RotateDataArgs) -> Result<()> {
    must_exist(&args.data_dir)?;
    let reached = Reached::at(&args.data_dir)?;
    let mut rotation = Rotation { owner: args.account, after: None };
    let (mut keys, mut shown) = (0, Instant::now());
    loop {
        let rotated = match &reached {
            Reached::Files(installation) => rotation.run(&*installation.engine.keys()).await?,
            Reached::Server(client) => {
                let answer = ask(client, PATH, &serde_json::to_value(&rotation)?).await?;
                serde_json::from_value(answer).context("the server's answer")?
            },
        };
        let Rotated { keys: more, next } = rotated;
        keys += more;
        rotation.after = next;
        if rotation.after.is_none() {
            break;
        }
        if shown.elapsed() > PROGRESS_INTERVAL {
            shown = Instant::now();
            eprintln!("{keys} data keys rotated");
        }
    }
    if let Reached::Files(installation) = reached {
        installation.engine.close().await?;
    }
    println!("{}", serde_json::to_string_pretty(&json!({ "data_keys": keys }))?);
    Ok(())
}

/// `waxwing admin keys rotate-master`
pub(crate) fn rotate_master(args: &RotateMasterArgs) -> Result<()> {
    must_exist(&args.data_dir)?;
    let RotatedMasterKey { data_keys } = match rotate_master_key(&args.data_dir, &OsEntropy) {
        Err(OpenError::Locked { holder, .. }) => bail!(
            "the master key can be rotated only while the server is stopped, and {holder} uses {}: stop it, give this \
             command again, and start it",
            args.data_dir.display()
        ),
        rotated => rotated?,
    };
    println!("{}", serde_json::to_string_pretty(&json!({ "data_keys": data_keys }))?);
    eprintln!(
        "{} is another key now, and the old one is gone from this folder. Make a backup of both files, apart from each \
         other. Backups of the database from before open with the old key only: keep its copy as long as you keep them.",
        args.data_dir.join("master.key").display()
    );
    Ok(())
}

/// Or a mistyped folder would become an installation.
fn must_exist(data_dir: &Path) -> Result<()> {
    ensure!(is_installed(data_dir), "{} holds no installation", data_dir.display());
    Ok(())
}
