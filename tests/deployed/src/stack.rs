//! A deployment on an emulator, with a proxy between it and its processes.

#![expect(
    clippy::disallowed_methods,
    reason = "the task runner says by the environment where the emulator is"
)]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use waxwing_tests_api::{Client, Credentials, eventually, program};

use crate::proxy::Proxy;

const PROGRAMS: [&str; 9] = [
    "api",
    "projector",
    "delivery",
    "webhooks",
    "mailer",
    "scheduler",
    "waxwing",
    "waxwing-session-host",
    "waxwing-admin",
];

/// How often a deployment is tried.
const START_TRIES: usize = 3;

/// Whom mails come from.
pub const MAIL_FROM: &str = "waxwing@mail.example";

/// A deployment with everything that runs in it.
pub struct Stack {
    /// Its standard input is open as long as this program runs; then the deployment ends.
    _process: Child,
    folder: PathBuf,
    /// What stands between its processes and the emulator.
    pub proxy: Arc<Proxy>,
}

impl Stack {
    /// Deploys with so many session hosts, and waits until all of it is ready. `name` is that of the folder with its files,
    /// under the target folder.
    ///
    /// A start that fails is tried again, and its log told: the emulator's port is drawn before the emulator takes it, and
    /// another program may be faster.
    pub async fn start(name: &str, hosts: usize) -> Result<Self> {
        for _ in 1..START_TRIES {
            match Self::try_start(name, hosts).await {
                Ok(stack) => return Ok(stack),
                Err(error) => eprintln!("the deployment is tried again: {error:#}"),
            }
        }
        Self::try_start(name, hosts).await
    }

    async fn try_start(name: &str, hosts: usize) -> Result<Self> {
        let python = std::env::var("WAXWING_AWS_PYTHON")
            .context("no Python with the emulator: run `cargo xtask test aws`, which installs it")?;
        for name in PROGRAMS {
            program(name)?;
        }
        let binaries = program("api")?.parent().context("a folder")?.to_owned();
        let folder = fresh_folder(&binaries.with_file_name("tmp"), name)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let proxy = Proxy::start(format!("http://127.0.0.1:{port}"))?;
        let log = fs::File::create(folder.join("stack.log"))?;
        let process = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/local/stack.py"))
            .args(["--listen", "127.0.0.1:0", "--until-stdin-closes", "--via", proxy.url()])
            .args(["--mail-from", MAIL_FROM])
            .args(["--emulator-port", &port.to_string(), "--hosts", &hosts.to_string(), "--bin-dir"])
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
        ready.with_context(|| log_of(&folder))?;
        if !folder.join("credentials.json").exists() {
            bail!("the deployment ended: {}", log_of(&folder));
        }
        Ok(Self { _process: process, folder, proxy })
    }

    /// What `stack.json` says now.
    pub fn facts(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.folder.join("stack.json"))?)?)
    }

    /// The ends of the logs.
    pub fn logs(&self) -> String {
        log_of(&self.folder)
    }

    /// How much the session hosts have written.
    pub fn host_log_bytes(&self) -> u64 {
        fs::metadata(self.folder.join("session-host.log")).map_or(0, |log| log.len())
    }

    /// What the session hosts have written, all of them into one file.
    pub fn host_log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join("session-host.log"))?)
    }

    /// The settings of its processes.
    pub fn environment(&self) -> Result<Vec<(String, String)>> {
        let facts = self.facts()?;
        let environment = facts["environment"].as_object().context("the environment")?;
        let setting = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Ok(environment.iter().filter_map(setting).collect())
    }

    /// Runs `waxwing-admin` on it.
    pub fn admin(&self, arguments: &[&str]) -> Result<Output> {
        let mut admin = Command::new(program("waxwing-admin")?);
        Ok(admin.args(arguments).envs(self.environment()?).output()?)
    }

    /// A client of a new account.
    pub fn tenant(&self, name: &str) -> Result<Client> {
        let email = format!("{name}@example.com");
        let made = self.admin(&["account", "create", "--name", name, "--email", &email])?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        Client::new(&Credentials {
            base_url: text(&self.facts()?["base_url"])?,
            account_id: text(&made["account_id"])?,
            api_key: text(&made["api_key"])?,
        })
    }
}

/// A folder of this process, in place of those of processes that have ended.
fn fresh_folder(parent: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(parent)?;
    for entry in fs::read_dir(parent)?.flatten() {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let pid = file_name.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = parent.join(format!("{name}-{}", std::process::id()));
    // Of a try before this one.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn ended(folder: &Path) -> bool {
    fs::read_to_string(folder.join("stack.log")).is_ok_and(|log| log.contains("Traceback"))
}

fn log_of(folder: &Path) -> String {
    ["stack.log", "session-host.log", "sandbox.log"]
        .map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default())
        .map(|text| {
            text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        })
        .join("\n---\n")
}
