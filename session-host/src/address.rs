//! Under which address the functions reach this host.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use waxwing_runtime::environment;

/// `WAXWING_ADVERTISED_ADDRESS`, else the task's private address on ECS, else the one that is listened on.
pub(crate) async fn advertised(listening: SocketAddr) -> Result<String> {
    if let Some(address) = environment("WAXWING_ADVERTISED_ADDRESS") {
        return Ok(address);
    }
    let Some(metadata) = environment("ECS_CONTAINER_METADATA_URI_V4") else {
        return Ok(format!("http://{listening}"));
    };
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let answer = http.get(&metadata).send().await.context("the metadata of the ECS task")?;
    let answer: Value =
        serde_json::from_slice(&answer.bytes().await?).context("the metadata of the ECS task")?;
    let ip = answer["Networks"][0]["IPv4Addresses"][0].as_str();
    let ip = ip.context("the metadata of the ECS task names no address")?;
    Ok(format!("http://{ip}:{}", listening.port()))
}
