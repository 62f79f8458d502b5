use clap::{Parser, Subcommand};

/// Look after a deployment of Waxwing on AWS.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Which deployment is said by the environment, as its functions are told: WAXWING_NETWORK, WAXWING_JOURNAL_TABLE and so on;\nAWS_ENDPOINT_URL leads to an emulator."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account with its owner and an API key with all scopes. The secrets are printed, this once.
    Create {
        /// What it is called.
        #[arg(long)]
        name: String,
        /// The owner's address.
        #[arg(long)]
        email: String,
    },
}

pub(crate) fn parse() -> Command {
    Cli::parse().command
}
