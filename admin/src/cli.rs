//! The command line.

use std::{process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use waxwing_admin::{
    BATCH, OperatorError, RebuildOptions, RefeedOptions, SilentGateway, rebuild, refeed, rotate_data_keys,
};
use waxwing_app::{
    commands::OnboardError,
    execute::Cause,
    feed::Consumer,
    ports::{Queue, Work as _},
    rotation::key_owner,
};
use waxwing_aws::{Deployment, DeploymentError};
use waxwing_domain::AccountId;
use waxwing_runtime::{
    LogFormat, OsEntropy, SystemClock, environment, shutdown_signal, signed_client_maker, start_telemetry,
};

use crate::meter::Meter;

/// Done, but not with all streams: the result names those that it was not done with.
const PARTLY: u8 = 3;
/// What a shell reports of a program that was interrupted.
const INTERRUPTED: u8 = 130;

const AFTER_HELP: &str = "\
Settings are those of the functions, from the environment: WAXWING_NETWORK, WAXWING_JOURNAL_TABLE and so on. Region,
credentials and endpoint are AWS's own: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL. infra/README.md says how to take the
settings from a deployment, and which rights are needed.

The result is JSON on standard output; progress and logs (filter: WAXWING_LOG) go to standard error.

Exit codes: 0 done; 1 failed; 2 wrong arguments; 3 done, but not with the streams that the result names; 130 interrupted.";

/// Look after a deployment of Waxwing on AWS.
#[derive(Debug, Parser)]
#[command(name = "waxwing-admin", version, about, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Make the read models (messages, sessions, webhook endpoints) what the journal says.
    ///
    /// Reads the whole journal table once, and each stream of these. Rows that are missing or wrong are replaced where they
    /// stand; nobody is told, and nothing is sent. The system may run meanwhile. After an interruption the same command goes
    /// on where it was. A second run that replaces nothing is the proof that all is right.
    Rebuild(RebuildArgs),
    /// Bring commits of a time to consumers once more.
    ///
    /// For what the journal's stream no longer has (after 24 hours), or for a consumer that was broken. Reads the whole
    /// journal table once to find streams with commits of that time, then brings these commits, the streams in the order in
    /// which they were begun. Streams among them that a consumer had put aside go back to it. Handling a commit twice has one
    /// effect: delivery sends nothing that was in the outbox within 30 days or is no longer queued, and receivers know a
    /// repeated webhook by its webhook-id. Hosts are not poked; they look by themselves every 30 s. After an interruption the
    /// same command goes on where it was.
    Refeed(RefeedArgs),
    /// Jobs that were given up.
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Give accounts and users another data key for what is stored from now on, and print how many got one.
    ///
    /// What was stored before opens as before, with the keys from before. Processes that run use the other keys within five
    /// minutes. For everybody it reads the whole records table once. Given again after it was interrupted or failed, it begins
    /// anew: all that were done get one key more, which harms nothing. The KMS key that wraps the data keys is rotated by AWS,
    /// once a year.
    RotateDataKeys(RotateDataKeysArgs),
}

#[derive(Debug, clap::Args)]
struct RotateDataKeysArgs {
    /// One account's or user's only, by its id. Everybody's unless it is given.
    #[arg(long, value_name = "ID", value_parser = key_owner)]
    account: Option<AccountId>,
}

#[derive(Debug, Subcommand)]
enum DeadCommand {
    /// Print the dead letters of a queue: ids, and why each was given up.
    List {
        /// Which queue.
        #[arg(value_enum)]
        queue: QueueName,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: u16,
    },
    /// Drop dead letters for good.
    Drop {
        /// Which queue.
        #[arg(value_enum)]
        queue: QueueName,
        /// Their ids, as `list` prints them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Put dead letters back into their queue, to be tried anew.
    Redrive {
        /// Which queue.
        #[arg(value_enum)]
        queue: QueueName,
        /// Their ids, as `list` prints them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum QueueName {
    /// Deliveries to webhook endpoints.
    Webhooks,
    /// Receipts that wait for their message.
    Receipts,
    /// Mails to people.
    Mails,
}

impl From<QueueName> for Queue {
    fn from(name: QueueName) -> Self {
        match name {
            QueueName::Webhooks => Self::WEBHOOKS,
            QueueName::Receipts => Self::RECEIPTS,
            QueueName::Mails => Self::MAILS,
        }
    }
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// Make an account with its owner and an API key, and print them as JSON. The secrets are shown this once.
    Create(CreateAccountArgs),
}

#[derive(Debug, clap::Args)]
struct CreateAccountArgs {
    /// The account's name.
    #[arg(long)]
    name: String,
    /// The owner's e-mail address.
    #[arg(long)]
    email: String,
}

#[derive(Debug, clap::Args)]
struct RebuildArgs {
    #[command(flatten)]
    scan: ScanArgs,
}

#[derive(Debug, clap::Args)]
struct RefeedArgs {
    /// Commits from this time on: RFC 3339, such as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Timestamp,
    /// And up to this one. The present unless it is given.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// To whom; may be given more than once. To all of them unless it is given.
    #[arg(long = "consumer", value_enum)]
    consumers: Vec<ConsumerName>,
    #[command(flatten)]
    scan: ScanArgs,
}

#[derive(Debug, clap::Args)]
struct ScanArgs {
    /// Into how many parts the journal is cut, which are read side by side. More are faster, and cost more at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    segments: u32,
    /// Begin anew where an earlier run was interrupted.
    #[arg(long)]
    restart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum ConsumerName {
    /// Rows of API keys.
    ApiKeys,
    /// Mails whose token is still good.
    Mail,
    /// Rows of messages.
    Messages,
    /// Words of messages, where they are indexed.
    Search,
    /// Rows of sessions.
    Sessions,
    /// Rows of webhook endpoints, and a delivery for each that wants an event.
    Webhooks,
    /// Rows of the outbox.
    Delivery,
}

impl ConsumerName {
    /// Under which it is known to the feed.
    fn as_str(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Mail => "mail",
            Self::Messages => "messages",
            Self::Search => "search",
            Self::Sessions => "sessions",
            Self::Webhooks => "webhooks",
            Self::Delivery => "delivery",
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    #[error(transparent)]
    Onboard(#[from] OnboardError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error("{0}")]
    Start(String),
    #[error("interrupted; the same command goes on where it was")]
    Interrupted,
}

pub(crate) fn run() -> ExitCode {
    let Cli { command } = Cli::parse();
    start_telemetry(LogFormat::Text);
    let meter = Meter::new();
    let ended = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command.run(&meter)),
        Err(error) => Err(CliError::Start(format!("the runtime could not be started: {error}"))),
    };
    meter.end();
    match ended {
        Ok((result, code)) => {
            println!("{result}");
            code
        },
        Err(error) => {
            eprintln!("waxwing-admin: {error}");
            match error {
                CliError::Interrupted => ExitCode::from(INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        },
    }
}

impl Command {
    /// The result, and how the process ends.
    async fn run(self, meter: &Meter) -> Result<(String, ExitCode), CliError> {
        let deployment = connect().await?;
        match self {
            Self::Account(AccountCommand::Create(CreateAccountArgs { name, email })) => {
                let made = deployment.commands.onboard(name, email, &Cause::system()).await?;
                // In the order in which `waxwing admin account create` prints them.
                printed(&serde_json::json!(made), true)
            },
            Self::Dead(DeadCommand::List { queue, limit }) => {
                let dead =
                    deployment.work.dead(queue.into(), limit.into()).await.map_err(OperatorError::from)?;
                printed(&dead, true)
            },
            Self::Dead(DeadCommand::Drop { queue, ids }) => {
                for id in &ids {
                    deployment.work.discard(queue.into(), id).await.map_err(OperatorError::from)?;
                }
                printed(&serde_json::json!({ "dropped": ids }), true)
            },
            Self::Dead(DeadCommand::Redrive { queue, ids }) => {
                for id in &ids {
                    deployment.work.redrive(queue.into(), id).await.map_err(OperatorError::from)?;
                }
                printed(&serde_json::json!({ "redriven": ids }), true)
            },
            Self::RotateDataKeys(RotateDataKeysArgs { account }) => {
                let (keys, report) = (deployment.engine.keys(), |standing| meter.show(standing));
                let work = rotate_data_keys(&*keys, account, &report);
                printed(&until_interrupted(work).await?, true)
            },
            Self::Rebuild(RebuildArgs { scan: ScanArgs { segments, restart } }) => {
                let options = RebuildOptions { segments, restart, page_limit: None };
                let report = |standing| meter.show(standing);
                let (ports, search) = (&deployment.commands.ports, deployment.search.clone());
                let work = rebuild(&deployment.engine, ports, search, &options, &report);
                let report = until_interrupted(work).await?;
                printed(&report, report.tally.failed == 0)
            },
            Self::Refeed(args) => {
                let RefeedArgs { since, until, consumers, scan: ScanArgs { segments, restart } } = args;
                let consumers = chosen(&deployment, &consumers);
                let options =
                    RefeedOptions { since, until, restart, segments, page_limit: None, batch: BATCH };
                let report = |standing| meter.show(standing);
                let ports = &deployment.commands.ports;
                let report =
                    until_interrupted(refeed(&deployment.engine, ports, &consumers, &options, &report))
                        .await?;
                printed(&report, report.parked == 0)
            },
        }
    }
}

async fn connect() -> Result<Deployment, CliError> {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
    let maker = signed_client_maker(clock.clone(), entropy.clone())
        .map_err(|error| CliError::Start(format!("no HTTP client: {error}")))?;
    let mut deployment = Deployment::connect(environment, clock, entropy, &maker).await?;
    deployment.gateway = Arc::new(SilentGateway);
    Ok(deployment)
}

/// The consumers with these names, always in the same order; all of them when none is named.
fn chosen(deployment: &Deployment, names: &[ConsumerName]) -> Vec<Arc<dyn Consumer>> {
    let mut all = deployment.projections();
    all.push(deployment.delivery());
    let is_wanted = |consumer: &Arc<dyn Consumer>| {
        names.is_empty() || names.iter().any(|name| name.as_str() == consumer.name())
    };
    all.retain(is_wanted);
    all
}

async fn until_interrupted<T>(work: impl Future<Output = Result<T, OperatorError>>) -> Result<T, CliError> {
    tokio::select! {
        ended = work => Ok(ended?),
        signal = shutdown_signal() => match signal {
            Ok(()) => Err(CliError::Interrupted),
            Err(error) => Err(CliError::Start(format!("signals cannot be heard: {error}"))),
        },
    }
}

fn printed(result: &impl Serialize, is_whole: bool) -> Result<(String, ExitCode), CliError> {
    let text = serde_json::to_string_pretty(result)
        .map_err(|error| CliError::Start(format!("the result cannot be written: {error}")))?;
    Ok((text, if is_whole { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) }))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let read = |arguments: &[&str]| Cli::try_parse_from([&["waxwing-admin"], arguments].concat());
        let refeed =
            ["refeed", "--since", "2026-01-31T08:00:00Z", "--consumer", "delivery", "--consumer", "webhooks"];
        let Command::Refeed(args) = read(&refeed).unwrap().command else { panic!("another command") };
        assert_eq!(args.consumers, [ConsumerName::Delivery, ConsumerName::Webhooks]);
        assert_eq!(args.scan.segments, 4);
        assert!(read(&["refeed"]).is_err());
        assert!(read(&["refeed", "--since", "yesterday"]).unwrap_err().to_string().contains("--since"));
        assert!(read(&["rebuild", "--segments", "0"]).is_err());
        assert!(read(&["rotate-data-keys"]).is_ok());
        assert!(read(&["rotate-data-keys", "--account", "acc_00000000000000000000000001"]).is_ok());
        assert!(read(&["rotate-data-keys", "--account", "everybody"]).is_err());
    }
}
