//! The functions of the serverless shape: how large they are, and how long they take from nothing to an answer.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use waxwing_tests_api::{DEADLINE, figures::status_kb};

use crate::{
    row,
    stub::{Seen, Stub},
};

/// Starts of each function.
const RUNS: usize = 15;
/// All certificate authorities in one file, as on Lambda. Elsewhere a folder has each in a file of its own besides, and a
/// start would read them all.
const AUTHORITIES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// Where a start got to, and when.
struct Start {
    /// Until it asked for an event.
    asked: Duration,
    /// Until it answered the first.
    answered: Duration,
    peak_kb: u64,
}

/// Each function and an event that needs no row.
fn functions() -> [(&'static str, Value); 6] {
    let none = json!({ "Records": [] });
    [
        ("api", health()),
        ("projector", none.clone()),
        ("delivery", none.clone()),
        ("webhooks", none.clone()),
        ("mailer", none),
        ("scheduler", json!({})),
    ]
}

/// `GET /health` as API Gateway's HTTP API hands it over (payload format 2.0).
fn health() -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/health", "rawQueryString": "",
        "headers": { "host": "bench", "accept": "application/json" }, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "000000000000", "apiId": "bench", "domainName": "bench", "domainPrefix": "bench",
            "http": {
                "method": "GET", "path": "/health", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench",
            },
            "requestId": "1", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2030:00:00:00 +0000", "timeEpoch": 1_893_456_000_000_u64,
        },
    })
}

/// What Lambda and the template set.
fn environment(name: &str, address: &str) -> Vec<(&'static str, String)> {
    let url = format!("http://{address}");
    let queue = format!("{url}/000000000000/bench");
    let text = str::to_owned;
    let mut variables = vec![
        ("AWS_LAMBDA_RUNTIME_API", text(address)),
        ("AWS_LAMBDA_FUNCTION_NAME", text(name)),
        ("AWS_LAMBDA_FUNCTION_VERSION", text("$LATEST")),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", text("256")),
        ("AWS_LAMBDA_LOG_GROUP_NAME", text("bench")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", text("bench")),
        ("AWS_REGION", text("eu-central-1")),
        ("AWS_ACCESS_KEY_ID", text("bench")),
        ("AWS_SECRET_ACCESS_KEY", text("bench")),
        ("AWS_SESSION_TOKEN", text("bench")),
        ("AWS_ENDPOINT_URL", url.clone()),
        ("WAXWING_NETWORK", text("sandbox")),
        ("WAXWING_SANDBOX_URL", url),
        ("WAXWING_JOURNAL_TABLE", text("journal")),
        ("WAXWING_CLAIMS_TABLE", text("claims")),
        ("WAXWING_RECORDS_TABLE", text("records")),
        ("WAXWING_KMS_KEY_ID", text("alias/bench")),
        ("WAXWING_HASH_KEY_SECRET_ID", text("hash-key")),
        ("WAXWING_INTERNAL_KEY_SECRET_ID", text("internal-key")),
        ("WAXWING_WEBHOOKS_QUEUE_URL", queue.clone()),
        ("WAXWING_WEBHOOKS_DEAD_QUEUE_URL", queue.clone()),
        ("WAXWING_RECEIPTS_QUEUE_URL", queue.clone()),
        ("WAXWING_RECEIPTS_DEAD_QUEUE_URL", queue),
    ];
    let authorities = AUTHORITIES.into_iter().find(|file| Path::new(file).exists());
    variables.extend(authorities.map(|file| ("SSL_CERT_FILE", text(file))));
    variables
}

/// Measures the functions that were built into this folder.
pub(crate) async fn measure(folder: &Path) -> Result<()> {
    let secret = random_secret()?;
    for (name, event) in functions() {
        let program = folder.join(name);
        let (size, zipped) = sizes(&program).with_context(|| format!("{}", program.display()))?;
        let mut starts = Vec::new();
        for _ in 0..RUNS {
            starts.push(start(name, &program, &event, &secret).await.with_context(|| name.to_owned())?);
        }
        row(&format!("function {name}: size"), format!("{size:.1} MB"), &format!("{zipped:.1} MB zipped"));
        let of = |what: fn(&Start) -> Duration| milliseconds(starts.iter().map(what).collect());
        let ((asked, ..), (answered, least, most)) = (of(|start| start.asked), of(|start| start.answered));
        let peak_kb = starts.iter().map(|start| start.peak_kb).max().unwrap_or_default();
        let remark = format!(
            "asks for it after {asked:.1} ms; medians of {RUNS} starts that took {least:.1} to {most:.1} ms, and {:.1} MB of memory at most",
            peak_kb as f64 / 1_024.0
        );
        row(&format!("function {name}: first event answered after"), format!("{answered:.1} ms"), &remark);
    }
    Ok(())
}

/// Median, least and most.
fn milliseconds(mut times: Vec<Duration>) -> (f64, f64, f64) {
    times.sort_unstable();
    let at = |index: usize| times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (at(times.len() / 2), at(0), at(times.len().saturating_sub(1)))
}

async fn start(name: &str, program: &Path, event: &Value, secret: &str) -> Result<Start> {
    let mut stub = Stub::start(event.clone(), secret.to_owned()).await?;
    let began = Instant::now();
    let mut function = Command::new(program)
        .env_clear()
        .envs(environment(name, &stub.address.to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let (asked, answered, answer) =
        timeout(DEADLINE, watch(&mut function, &mut stub)).await.context("it does not answer")??;
    let peak_kb = status_kb(function.id().context("it ended")?, "VmHWM")?;
    function.kill().await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    ensure!(name != "api" || answer["statusCode"] == 200, "{answer}");
    Ok(Start { asked: asked.duration_since(began), answered: answered.duration_since(began), peak_kb })
}

/// When it asked, when it answered, and what.
async fn watch(function: &mut Child, stub: &mut Stub) -> Result<(Instant, Instant, Vec<u8>)> {
    let mut asked = None;
    loop {
        let seen = tokio::select! {
            seen = stub.seen.recv() => seen.context("the stub ended")?,
            status = function.wait() => bail!("it ended with {}", status?),
        };
        match seen {
            Seen::Next(at) => asked = Some(at),
            Seen::Answer(at, answer) => return Ok((asked.context("it answered unasked")?, at, answer)),
            Seen::Fault(fault) => bail!(fault),
        }
    }
}

/// Megabytes, as they are and in the archive that Lambda takes.
fn sizes(program: &Path) -> Result<(f64, f64)> {
    let mut zipped = DeflateEncoder::new(Vec::new(), Compression::default());
    let size = io::copy(&mut File::open(program)?, &mut zipped)?;
    Ok((size as f64 / 1e6, zipped.finish()?.len() as f64 / 1e6))
}

/// As random as the operating system's.
fn random_secret() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
