//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use waxwing_api::{CorsOrigin, TrustedProxy};
use waxwing_app::rotation::key_owner;
use waxwing_domain::AccountId;
use waxwing_runtime::{LogFormat, raise_descriptor_limit, start_telemetry};

/// WhatsApp, programmable: REST API, webhooks and sessions in one process.
#[derive(Debug, Parser)]
#[command(name = "waxwing", version, about)]
struct Cli {
    /// Write logs as JSON lines.
    #[arg(long, global = true, env = "WAXWING_LOG_JSON")]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything: API, webhooks, session host and, in a sandbox build, the sandbox network.
    Up(UpArgs),
    /// Run the sandbox network alone, for others to connect to.
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Look after an installation. Talks to the running server, or opens its files when none runs.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Print which role may do what.
    Authorisation,
    /// Print the reference of limits.
    #[command(hide = true)]
    Limits,
}

/// What `waxwing up` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Where everything is kept.
    #[arg(long, env = "WAXWING_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    /// Where the API listens; port 0 takes a free one.
    #[arg(long, env = "WAXWING_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Use a sandbox network in a process of its own (`waxwing sandbox`), at this address.
    #[cfg(feature = "sandbox")]
    #[arg(long, env = "WAXWING_SANDBOX", value_name = "URL", requires = "sandbox_key_file")]
    pub(crate) sandbox: Option<String>,
    /// The file with that network's key: `internal.key` in its data folder.
    #[cfg(feature = "sandbox")]
    #[arg(long, env = "WAXWING_SANDBOX_KEY_FILE", value_name = "FILE")]
    pub(crate) sandbox_key_file: Option<PathBuf>,
    /// Connects to WhatsApp that are begun each second.
    #[arg(long, env = "WAXWING_CONNECTS_PER_S", default_value_t = 50)]
    pub(crate) connects_per_s: u32,
    /// Sessions may use proxies on private addresses: for a server whose customers are all trusted.
    #[arg(long, env = "WAXWING_PRIVATE_PROXIES")]
    pub(crate) private_proxies: bool,
    /// Whether strangers may make accounts.
    #[arg(long, env = "WAXWING_REGISTRATION", value_enum, default_value_t = Registration::Open)]
    pub(crate) registration: Registration,
    /// Addresses of proxies whose `X-Forwarded-For` is believed, in CIDR notation, separated by commas. Nobody's unless set.
    #[arg(long, env = "WAXWING_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<TrustedProxy>,
    /// Sites whose pages may call the API from a browser, such as `https://app.example.com`, separated by commas; `*` for all.
    /// None unless set.
    #[arg(long = "cors-origin", env = "WAXWING_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origins: Vec<CorsOrigin>,
    /// The mail server, with user and password: `smtps://user:password@host`. Better told by the environment, since others
    /// may see a command line. Without one, mails are kept and shown at `GET /admin/mail`.
    #[arg(
        long,
        env = "WAXWING_SMTP_URL",
        value_name = "URL",
        requires = "mail_from",
        hide_env_values = true
    )]
    pub(crate) smtp_url: Option<String>,
    /// From whom mails are: `Waxwing <waxwing@example.com>`.
    #[arg(long, env = "WAXWING_MAIL_FROM", value_name = "ADDRESS")]
    pub(crate) mail_from: Option<String>,
    /// Most sessions that one account may have, up to 10,000.
    #[arg(long, env = "WAXWING_SESSIONS_MAX", value_name = "COUNT", default_value_t = 10_000)]
    pub(crate) sessions_max: usize,
    /// Most webhooks that one account may have, up to 100.
    #[arg(long, env = "WAXWING_WEBHOOKS_MAX", value_name = "COUNT", default_value_t = 100)]
    pub(crate) webhooks_max: usize,
    /// Most pages of the database file, 4 KiB each: a limit on disk use.
    #[arg(long, env = "WAXWING_MAX_PAGE_COUNT")]
    pub(crate) max_page_count: Option<u32>,
}

/// Whether strangers may make accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Registration {
    /// Everybody may.
    Open,
    /// The operator makes them.
    Closed,
}

/// What `waxwing sandbox` is told.
#[cfg(feature = "sandbox")]
#[derive(Debug, clap::Args)]
pub(crate) struct SandboxArgs {
    /// Where it is kept.
    #[arg(long, env = "WAXWING_DATA_DIR", default_value = "./sandbox-data")]
    pub(crate) data_dir: PathBuf,
    /// Where it listens; port 0 takes a free one.
    #[arg(long, env = "WAXWING_LISTEN", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
    /// Milliseconds between a client's handshake and the first stanza. Some clients lose a stanza that comes before they
    /// are ready; on a busy machine they need more.
    #[arg(long, env = "WAXWING_FIRST_STANZA_DELAY_MS", value_name = "MS", default_value_t = 15)]
    pub(crate) first_stanza_delay_ms: u16,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// The keys under which everything is stored.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Give accounts and users another data key for what is stored from now on, and print how many got one.
    ///
    /// What was stored before opens as before, with the keys from before. The server may run meanwhile and uses the other keys
    /// at once. Given again after an interruption, it begins anew: some get two keys, which harms nothing.
    RotateData(RotateDataArgs),
    /// Make another master key, and wrap every data key with it anew.
    ///
    /// Only while the server is stopped. An interruption at any instant is mended by the next start. Nobody is signed out; API
    /// keys and links in mails work on. The old key goes: backups of the database from before open with it only.
    RotateMaster(RotateMasterArgs),
}

/// What `waxwing admin keys rotate-data` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateDataArgs {
    /// The installation.
    #[arg(long, env = "WAXWING_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    /// One account's or user's only, by its id. Everybody's unless it is given.
    #[arg(long, value_name = "ID", value_parser = key_owner)]
    pub(crate) account: Option<AccountId>,
}

/// What `waxwing admin keys rotate-master` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateMasterArgs {
    /// The installation.
    #[arg(long, env = "WAXWING_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// Make an account with its owner and an API key, and print them as JSON. The secrets are shown this once.
    Create(CreateAccountArgs),
}

/// What `waxwing admin account create` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateAccountArgs {
    /// The installation.
    #[arg(long, env = "WAXWING_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    /// The account's name.
    #[arg(long)]
    pub(crate) name: String,
    /// The owner's e-mail address.
    #[arg(long)]
    pub(crate) email: String,
}

pub(crate) fn run() -> ExitCode {
    let Cli { log_json, command } = Cli::parse();
    start_telemetry(if log_json { LogFormat::Json } else { LogFormat::Text });
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("waxwing: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        },
    };
    let result = runtime.block_on(async {
        match command {
            Command::Up(args) => crate::up::run(args).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => crate::sandbox::run(args).await,
            Command::Admin(AdminCommand::Account(AccountCommand::Create(args))) => {
                crate::admin::create_account(args).await
            },
            Command::Admin(AdminCommand::Keys(KeysCommand::RotateData(args))) => {
                crate::keys::rotate_data(args).await
            },
            Command::Admin(AdminCommand::Keys(KeysCommand::RotateMaster(args))) => {
                crate::keys::rotate_master(&args)
            },
            Command::Openapi => {
                println!("{}", waxwing_api::document());
                Ok(())
            },
            Command::Authorisation => {
                print!("{}", waxwing_api::authorisation());
                Ok(())
            },
            Command::Limits => {
                print!("{}{}", waxwing_api::limits(), crate::serve::limits());
                #[cfg(feature = "sandbox")]
                println!("| phones of an account's sandbox network | {} |", waxwing_sandbox::limits::PHONES);
                Ok(())
            },
        }
    });
    // Whatever still blocks a thread must not keep the process: everything that matters is durable.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waxwing: {error:#}");
            ExitCode::FAILURE
        },
    }
}
