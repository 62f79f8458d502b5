//! The session host for ECS: settings, engine, host, run.

mod address;
mod routes;
mod run;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    waxwing_runtime::install_tls();
    waxwing_runtime::start_telemetry(waxwing_runtime::LogFormat::Json);
    waxwing_runtime::raise_descriptor_limit();
    run::run().await
}
