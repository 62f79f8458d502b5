//! `waxwing up` and `waxwing sandbox` as processes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{Client, DEADLINE};

/// A program that was built with this test: it is two folders up from it.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.exists());
    found.with_context(|| format!("{name} is not built: run `cargo xtask test`, which builds it first"))
}

/// The standalone shape.
pub fn binary() -> Result<PathBuf> {
    program("waxwing")
}

/// What `credentials.json` says.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Where the API is.
    pub base_url: String,
    /// The first account.
    pub account_id: String,
    /// A key with all scopes.
    pub api_key: String,
}

fn credentials(folder: &Path) -> Option<Credentials> {
    let value: Value = serde_json::from_slice(&fs::read(folder.join("credentials.json")).ok()?).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Credentials {
        base_url: text("base_url")?,
        account_id: text("account_id")?,
        api_key: text("api_key")?,
    })
}

/// A running `waxwing up`. Dropping it kills it.
pub struct Waxwing {
    child: Child,
    folder: PathBuf,
    /// What it wrote when it became ready.
    pub credentials: Credentials,
}

impl Waxwing {
    /// Starts on a folder and waits until it is ready.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &[]).await
    }

    /// [`Self::start`] with more flags.
    pub async fn start_with(folder: &Path, flags: &[&str]) -> Result<Self> {
        Self::start_as(folder, flags, None).await
    }

    /// [`Self::start`] with another filter of what is logged.
    pub async fn start_logging(folder: &Path, filter: &str) -> Result<Self> {
        Self::start_as(folder, &[], Some(filter)).await
    }

    /// [`Self::start`] of another build.
    pub async fn start_program(program: &Path, folder: &Path) -> Result<Self> {
        Self::start_from(program, folder, &[], None).await
    }

    async fn start_as(folder: &Path, flags: &[&str], filter: Option<&str>) -> Result<Self> {
        Self::start_from(&binary()?, folder, flags, filter).await
    }

    async fn start_from(program: &Path, folder: &Path, flags: &[&str], filter: Option<&str>) -> Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join("waxwing.log"))?;
        let mut child = Command::new(program)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .args(flags)
            .envs(filter.map(|filter| ("WAXWING_LOG", filter)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("waxwing ended with {status}: {}", tail(&folder.join("waxwing.log")));
            }
            // A file from before names another port, so the answer decides.
            if let Some(credentials) = credentials(folder)
                && Client::new(&credentials)?.is_ready().await
            {
                return Ok(Self { child, folder: folder.to_owned(), credentials });
            }
            if Instant::now() > until {
                let _ = child.kill();
                bail!("waxwing was not ready in time: {}", tail(&folder.join("waxwing.log")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A client with the first key.
    pub fn client(&self) -> Result<Client> {
        Client::new(&self.credentials)
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and its exit; fails when it does not end well within the deadline.
    pub async fn stop(mut self) -> Result<Duration> {
        let began = Instant::now();
        terminate(self.child.id())?;
        while began.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(
                    status.success(),
                    "waxwing ended with {status}: {}",
                    tail(&self.folder.join("waxwing.log"))
                );
                return Ok(began.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("waxwing did not stop")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        tail(&self.folder.join("waxwing.log"))
    }
}

impl Drop for Waxwing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(pid: u32) -> Result<()> {
    let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
    ensure!(status.success(), "process {pid} cannot be told to stop");
    Ok(())
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// A running `waxwing sandbox`. Dropping it kills it.
pub struct Sandbox {
    child: Child,
    /// Where it listens.
    pub url: String,
    /// Its key file.
    pub key_file: PathBuf,
}

impl Sandbox {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts on a folder.
    pub async fn start(folder: &Path) -> Result<Self> {
        let log_path = folder.join("sandbox.log");
        let log = File::create(&log_path)?;
        let child = Command::new(binary()?)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut this = Self { child, url: String::new(), key_file: folder.join("internal.key") };
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            let text = fs::read_to_string(&log_path).unwrap_or_default();
            if let Some(url) = text.lines().find_map(|line| line.strip_prefix("sandbox network: ")) {
                url.trim().clone_into(&mut this.url);
                return Ok(this);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the sandbox did not start: {}", tail(&log_path))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
