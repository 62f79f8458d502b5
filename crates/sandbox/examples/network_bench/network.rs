//! `waxwing sandbox` as a process, and its control API.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use waxwing_signed_http::{Client, SigningKey};

/// Starting takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(30);
/// Each is used once, whichever network is asked.
static NONCES: AtomicU64 = AtomicU64::new(0);

/// The process. Dropping it ends it.
pub struct Process {
    child: Child,
    folder: TempDir,
    url: String,
}

impl Process {
    /// Starts `waxwing sandbox`.
    pub async fn start(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("sandbox.log");
        let output = File::create(&log)?;
        let child = Command::new(program)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut this = Self { child, folder, url: String::new() };
        let until = Instant::now() + DEADLINE;
        loop {
            let text = fs::read_to_string(&log)?;
            if let Some(url) = text.lines().find_map(|line| line.strip_prefix("sandbox network: ")) {
                url.trim().clone_into(&mut this.url);
                return Ok(this);
            }
            ensure!(Instant::now() < until, "the sandbox did not start: {text}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The network of an account. Each has up to 10,000 phones.
    pub async fn network(&self, account: &'static str) -> Result<Network> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = fs::read_to_string(self.folder.path().join("internal.key"))?;
        let control = Client::new(
            &self.url,
            SigningKey::from_hex(&key)?,
            reqwest::Client::builder().no_proxy().build()?,
            Arc::new(unix_seconds),
            Arc::new(|| u128::from(NONCES.fetch_add(1, Ordering::Relaxed)).to_be_bytes()),
        );
        let address = self.url.trim_start_matches("http://").to_owned();
        let mut network = Network { control, account, address, path: String::new() };
        let info = network.call(Method::GET, "", None).await?;
        info["ws_path"].as_str().context("a path")?.clone_into(&mut network.path);
        Ok(network)
    }

    /// Resident memory.
    pub fn resident_kb(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Processor time since the start.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which may hold anything: user and system time, in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "requests are signed with the time, and nothing here decides by it"
)]
fn unix_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// One account's network. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    control: Client,
    account: &'static str,
    /// Host and port.
    pub address: String,
    /// Of the WebSocket.
    pub path: String,
}

impl Network {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let path = format!("/internal/networks/{}{path}", self.account);
        let answer = self.control.call(method, &path, body.as_ref(), &[]).await?;
        ensure!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// A phone of this number.
    pub async fn make_phone(&self, number: &str) -> Result<()> {
        self.call(Method::POST, "/phones", Some(json!({ "number": number }))).await.map(drop)
    }

    /// The phone scans a code.
    pub async fn scan(&self, number: &str, qr: &str) -> Result<()> {
        let path = format!("/phones/{number}/scan");
        self.call(Method::POST, &path, Some(json!({ "qr": qr }))).await.map(drop)
    }

    /// The phone writes.
    pub async fn write(&self, from: &str, to: &str, text: &str) -> Result<()> {
        let path = format!("/phones/{from}/messages");
        let body = json!({ "to": to, "type": "text", "text": text });
        self.call(Method::POST, &path, Some(body)).await.map(drop)
    }
}
