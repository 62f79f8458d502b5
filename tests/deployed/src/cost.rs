//! What messages cost on AWS: everything that is billed is counted while messages pass a deployment on the emulator, and
//! priced.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_api::{Client, Receiver};

use crate::{
    logs::{self, Invocations},
    meter::Call,
    stack::Stack,
};

const OWNER: &str = "+15550001111";
/// People who are written to, and who write, in turn.
const FRIENDS: usize = 50;
/// Sessions that are added to see what one more costs when it is idle.
const IDLE_SESSIONS: usize = 10;
/// For how long nothing is done, to see what that costs.
const IDLE: Duration = Duration::from_secs(60);
/// More would measure this machine: functions, emulator, host and sandbox share it.
const SENDERS: usize = 2;
/// How long everything that follows from the messages may take.
const SETTLE: Duration = Duration::from_secs(600);
/// Told of each message out, and of each message in: as a customer would subscribe.
const EVENTS: [&str; 2] = ["message.received", "message.status"];
/// Webhooks for a message that is read: queued, sent, delivered, read.
const EVENTS_OUT: usize = 4;

const MINUTES_A_MONTH: f64 = 30.0 * 24.0 * 60.0;
/// US dollars, us-east-1, without free tiers.
const WRITE_UNIT: f64 = 0.625e-6;
const READ_UNIT: f64 = 0.125e-6;
const SQS_REQUEST: f64 = 0.40e-6;
const KMS_REQUEST: f64 = 3.0e-6;
const SECRET_REQUEST: f64 = 5.0e-6;
const INVOCATION: f64 = 0.20e-6;
const ARM_GB_S: f64 = 0.000_013_333_4;
const FUNCTION_GB: f64 = 0.25;
const HTTP_REQUEST: f64 = 1.0e-6;
const LOG_BYTE: f64 = 0.50e-9;

/// What happened during one part of the count.
struct Part {
    calls: Vec<Call>,
    functions: BTreeMap<String, Invocations>,
    host_log_bytes: u64,
    requests: usize,
    took: Duration,
}

/// Counts, and says it as Markdown.
pub async fn run(messages: usize) -> Result<String> {
    let stack = Stack::start("cost", 1).await?;
    let client = stack.tenant("cost")?;
    let receiver = Receiver::start().await?;
    let hook = client.post("/webhooks", json!({ "url": receiver.url(), "events": EVENTS })).await?;
    receiver.expect_secret(hook.body["secret"].as_str().context("a secret")?);
    for number in 0..FRIENDS {
        client.make_phone(&friend(number)).await?;
        let path = format!("/sandbox/phones/{}/behaviour", friend(number));
        client.put(&path, json!({ "read_after_ms": 1_000 })).await?;
    }
    let session = client.connected_session("shop", OWNER).await?;
    eprintln!("one session, idle for {IDLE:?}");
    let idle = part(&stack, 0, nothing).await?;
    eprintln!("{messages} messages out");
    let out = part(&stack, messages, async || {
        send_all(&client, &session, messages).await?;
        told(&receiver, messages * EVENTS_OUT).await
    })
    .await?;
    eprintln!("{messages} messages in");
    let before = receiver.count();
    let inbound = part(&stack, 0, async || {
        receive_all(&client, messages).await?;
        told(&receiver, before + messages).await
    })
    .await?;
    for number in 0..IDLE_SESSIONS {
        client.connected_session(&format!("idle-{number}"), &format!("+1555100{number:04}")).await?;
    }
    eprintln!("{} sessions, idle for {IDLE:?}", 1 + IDLE_SESSIONS);
    let idle_more = part(&stack, 0, nothing).await?;
    Ok(report(messages, &idle, &out, &inbound, &idle_more))
}

async fn nothing() -> Result<()> {
    tokio::time::sleep(IDLE).await;
    Ok(())
}

fn friend(number: usize) -> String {
    format!("+1555200{:04}", number % FRIENDS)
}

/// Counts from a quiet moment to a quiet moment.
async fn part(stack: &Stack, requests: usize, run: impl AsyncFnOnce() -> Result<()>) -> Result<Part> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    stack.proxy.counted();
    let (logs_before, host_before) = (logs::invocations(stack).await?, stack.host_log_bytes());
    let began = Instant::now();
    run().await?;
    // What follows from the last message, and the writing of logs.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let took = began.elapsed();
    let functions = logs::since(logs::invocations(stack).await?, &logs_before);
    let host_log_bytes = stack.host_log_bytes() - host_before;
    Ok(Part { calls: stack.proxy.counted(), functions, host_log_bytes, requests, took })
}

async fn send_all(client: &Client, session: &str, messages: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    let senders = (0..SENDERS).map(|_| async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= messages {
                return Ok::<_, anyhow::Error>(());
            }
            let text =
                format!("Your order {number:05} is on its way and will be with you on Tuesday. Thank you!");
            let body = json!({ "session_id": session, "to": friend(number), "type": "text", "text": text });
            let sent = client.post("/messages", body).await?;
            ensure!(sent.status == 202, "{sent:?}");
        }
    });
    futures::future::try_join_all(senders).await.map(drop)
}

async fn receive_all(client: &Client, messages: usize) -> Result<()> {
    for number in 0..messages {
        let body = json!({ "to": OWNER, "type": "text", "text": format!("Where is my order {number:05}?") });
        let sent = client.post(&format!("/sandbox/phones/{}/messages", friend(number)), body).await?;
        ensure!(sent.status == 202, "{sent:?}");
    }
    Ok(())
}

/// Waits for webhooks only: a look at the API would be counted.
async fn told(receiver: &Receiver, wanted: usize) -> Result<()> {
    let until = Instant::now() + SETTLE;
    while receiver.count() < wanted {
        ensure!(Instant::now() < until, "{} of {wanted} webhooks came", receiver.count());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// One line of a table.
struct Line {
    what: String,
    count: f64,
    write_units: f64,
    read_units: f64,
    /// Dollars for a million messages.
    dollars: f64,
}

fn report(messages: usize, idle: &Part, out: &Part, inbound: &Part, idle_more: &Part) -> String {
    let mut text = String::new();
    for (title, part) in [("out", out), ("in", inbound)] {
        let lines = lines(messages, idle, part);
        let total: f64 = lines.iter().map(|line| line.dollars).sum();
        let _ = write!(text, "\n### {messages} messages {title}\n\n{}", table(&lines));
        let _ = writeln!(text, "| **in all** | | | | **{total:.2}** |");
    }
    // What belongs to sessions, and what to the host, is known by the operation: two short measurements differ by chance.
    let (sessions, host): (Vec<Line>, Vec<Line>) =
        idle_more.calls.iter().map(|call| per_minute(call, idle_more)).partition(is_of_a_session);
    let sum = |lines: &[Line]| lines.iter().map(|line| line.dollars).sum::<f64>();
    let (host_sum, each) = (sum(&host), sum(&sessions) / (1 + IDLE_SESSIONS) as f64);
    let _ = write!(
        text,
        "\n### Idle: a host with {} sessions, counts of a minute, dollars of a month\n\n{}",
        1 + IDLE_SESSIONS,
        table(&host.into_iter().chain(sessions).collect::<Vec<_>>())
    );
    let _ = writeln!(text, "\nA host: ${host_sum:.2} of requests a month. A session: ${each:.3}.");
    text
}

fn table(lines: &[Line]) -> String {
    let mut text =
        "| what | times | write units | read units | $ |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for Line { what, count, write_units, read_units, dollars } in lines {
        let _ = writeln!(text, "| {what} | {count:.2} | {write_units:.2} | {read_units:.2} | {dollars:.2} |");
    }
    text
}

/// What one message costs, times a million. What would have happened without messages is taken off.
fn lines(messages: usize, idle: &Part, part: &Part) -> Vec<Line> {
    let each = 1.0 / messages as f64;
    let background = part.took.as_secs_f64() / idle.took.as_secs_f64();
    let mut lines = Vec::new();
    if part.requests > 0 {
        let count = part.requests as f64 * each;
        lines.push(Line::of("API Gateway: requests", count, HTTP_REQUEST));
    }
    for (name, Invocations { count, ms, bytes, .. }) in &part.functions {
        // The sandbox is told through the API what its phones send: WhatsApp's users do not.
        if name == "api" && part.requests == 0 {
            continue;
        }
        let count = *count as f64 * each;
        let gb_s = ms / 1_000.0 * each * FUNCTION_GB;
        let dollars = (count * INVOCATION + gb_s * ARM_GB_S) * 1e6;
        let what = format!("Lambda: {name}, {:.1} ms each", ms * each / count.max(f64::MIN_POSITIVE));
        lines.push(Line { what, count, write_units: 0.0, read_units: 0.0, dollars });
        let bytes = *bytes as f64 * each;
        lines.push(Line::of(&format!("logs of {name}, bytes"), bytes, LOG_BYTE));
    }
    lines.push(Line::of("logs of the host, bytes", part.host_log_bytes as f64 * each, LOG_BYTE));
    for call in &part.calls {
        let same = |other: &&Call| {
            (&other.service, &other.operation, &other.subject)
                == (&call.service, &call.operation, &call.subject)
        };
        let quiet = idle.calls.iter().find(same);
        let less = |here: f64, quiet: f64| (here - quiet * background).max(0.0) * each;
        let count = less(call.calls as f64, quiet.map_or(0.0, |quiet| quiet.calls as f64));
        let write_units = less(call.write_units, quiet.map_or(0.0, |quiet| quiet.write_units));
        let read_units = less(call.read_units, quiet.map_or(0.0, |quiet| quiet.read_units));
        let dollars = price(call, count, write_units, read_units) * 1e6;
        lines.push(Line { what: name(call), count, write_units, read_units, dollars });
    }
    let (signal, others): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.what.contains("records: signal/"));
    lines = others;
    lines.extend(signal.into_iter().reduce(Line::plus).map(|sum| {
        let what = "dynamodb: TransactWriteItems, Signal state with the check of its fence".to_owned();
        Line { what, ..sum }
    }));
    // The mapping between queue and function works inside AWS.
    let jobs = part.functions.get("webhooks").map_or(0, |webhooks| webhooks.count) as f64 * each;
    lines.push(Line::of("SQS: Lambda receives and deletes a batch", 2.0 * jobs, SQS_REQUEST));
    lines.retain(|line| line.count >= 0.005);
    lines
}

impl Line {
    fn plus(self, other: Self) -> Self {
        Self {
            what: self.what,
            count: self.count + other.count,
            write_units: self.write_units + other.write_units,
            read_units: self.read_units + other.read_units,
            dollars: self.dollars + other.dollars,
        }
    }

    fn of(what: &str, count: f64, price: f64) -> Self {
        Self { what: what.to_owned(), count, write_units: 0.0, read_units: 0.0, dollars: count * price * 1e6 }
    }
}

fn name(call: &Call) -> String {
    let Call { service, operation, subject, .. } = call;
    match subject.as_str() {
        "" => format!("{service}: {operation}"),
        subject => format!("{service}: {operation}, {subject}"),
    }
}

fn price(call: &Call, count: f64, write_units: f64, read_units: f64) -> f64 {
    let request = match call.service.as_str() {
        "sqs" => SQS_REQUEST,
        "kms" => KMS_REQUEST,
        "secretsmanager" => SECRET_REQUEST,
        _ => 0.0,
    };
    count * request + write_units * WRITE_UNIT + read_units * READ_UNIT
}

/// What a call costs in a month, with its counts for a minute.
fn per_minute(call: &Call, part: &Part) -> Line {
    let each = 60.0 / part.took.as_secs_f64();
    let (count, write_units, read_units) =
        (call.calls as f64 * each, call.write_units * each, call.read_units * each);
    let dollars = price(call, count, write_units, read_units) * MINUTES_A_MONTH;
    Line { what: name(call), count, write_units, read_units, dollars }
}

fn is_of_a_session(line: &Line) -> bool {
    ["GetItem, records: hosted", "records: live", "records: outbox", "signal"]
        .iter()
        .any(|part| line.what.contains(part))
}
