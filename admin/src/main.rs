//! `waxwing-admin`: looks after a deployment on AWS. It is told where that is by the same environment as the functions.

mod cli;

use std::sync::Arc;

use anyhow::Result;
use waxwing_app::execute::Cause;
use waxwing_aws::Deployment;
use waxwing_runtime::{OsEntropy, SystemClock, environment, signed_client_maker};

use cli::{AccountCommand, Command};

#[tokio::main]
async fn main() -> Result<()> {
    waxwing_runtime::install_tls();
    waxwing_runtime::start_telemetry(waxwing_runtime::LogFormat::Text);
    run(cli::parse()).await
}

async fn run(command: Command) -> Result<()> {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
    let maker = signed_client_maker(clock.clone(), entropy.clone())?;
    let deployment = Deployment::connect(environment, clock, entropy, &maker).await?;
    match command {
        Command::Account(AccountCommand::Create { name, email }) => {
            let made = deployment.commands.onboard(name, email, &Cause::system()).await?;
            println!("{}", serde_json::to_string_pretty(&made)?);
        },
    }
    Ok(())
}
