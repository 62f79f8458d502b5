//! One deployment for all tests of this program; each test has an account of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "the task runner says by the environment where the emulator is"
)]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::sync::{OnceCell, RwLock};
use waxwing_tests_api::{Client, Credentials, eventually, program};

struct Stack {
    /// Its standard input is open as long as this program runs; then the deployment ends.
    _process: Child,
    folder: PathBuf,
}

/// Held to read by tests that nobody may disturb, to write by those that disturb.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

static STACK: OnceCell<Stack> = OnceCell::const_new();

async fn start() -> Result<Stack> {
    let python = std::env::var("WAXWING_AWS_PYTHON")
        .context("no Python with the emulator: run `cargo xtask test aws`, which installs it")?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("deployed");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let binaries = program("api")?.parent().context("a folder")?.to_owned();
    for name in
        ["projector", "delivery", "webhooks", "scheduler", "waxwing", "waxwing-session-host", "waxwing-admin"]
    {
        program(name)?;
    }
    let log = fs::File::create(folder.join("stack.log"))?;
    let mut process = Command::new(python)
        .arg(root.join("infra/local/stack.py"))
        .args(["--listen", "127.0.0.1:0", "--until-stdin-closes", "--bin-dir"])
        .arg(&binaries)
        .arg("--data-dir")
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let ready = eventually("the deployment", || async {
        Ok((folder.join("credentials.json").exists() || ended(&folder)).then_some(()))
    })
    .await;
    if let Some(status) = process.try_wait()? {
        bail!("the deployment ended with {status}: {}", log_of(&folder));
    }
    ready.with_context(|| log_of(&folder))?;
    Ok(Stack { _process: process, folder })
}

fn ended(folder: &std::path::Path) -> bool {
    fs::read_to_string(folder.join("stack.log")).is_ok_and(|log| log.contains("Traceback"))
}

fn log_of(folder: &std::path::Path) -> String {
    ["stack.log", "session-host.log", "sandbox.log"]
        .map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default())
        .map(|text| {
            text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        })
        .join("\n---\n")
}

async fn stack() -> Result<&'static Stack> {
    STACK.get_or_try_init(start).await
}

/// What `stack.json` says now.
pub(crate) async fn facts() -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(stack().await?.folder.join("stack.json"))?)?)
}

/// The ends of the logs.
pub(crate) async fn logs() -> String {
    match stack().await {
        Ok(stack) => log_of(&stack.folder),
        Err(error) => error.to_string(),
    }
}

/// A client of a new account.
pub(crate) async fn tenant(name: &str) -> Result<Client> {
    let facts = facts().await?;
    let environment = facts["environment"].as_object().context("the environment")?;
    let made = Command::new(program("waxwing-admin")?)
        .args(["account", "create", "--name", name, "--email", &format!("{name}@example.com")])
        .envs(environment.iter().filter_map(|(name, value)| Some((name, value.as_str()?))))
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    Client::new(&Credentials {
        base_url: text(&facts["base_url"])?,
        account_id: text(&made["account_id"])?,
        api_key: text(&made["api_key"])?,
    })
}
