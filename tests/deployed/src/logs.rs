//! What the functions did, as the emulator's CloudWatch Logs have it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;

use crate::{emulator, stack::Stack};

/// What one function did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Invocations {
    /// How often it was called.
    pub count: u64,
    /// How long it ran in all, in milliseconds.
    pub ms: f64,
    /// How much it wrote.
    pub bytes: u64,
}

/// By function, since the deployment began.
pub async fn invocations(stack: &Stack) -> Result<BTreeMap<String, Invocations>> {
    let groups = emulator::call(stack, "Logs_20140328.DescribeLogGroups", &json!({})).await?;
    let mut functions = BTreeMap::new();
    for group in groups["logGroups"].as_array().into_iter().flatten() {
        let name = group["logGroupName"].as_str().context("a name")?;
        let Some(function) = function(name) else { continue };
        let found: &mut Invocations = functions.entry(function.to_owned()).or_default();
        let mut request = json!({ "logGroupName": name, "limit": 10_000 });
        loop {
            let page = emulator::call(stack, "Logs_20140328.FilterLogEvents", &request).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                found.add(event["message"].as_str().unwrap_or_default());
            }
            match page["nextToken"].as_str() {
                Some(token) => request["nextToken"] = json!(token),
                None => break,
            }
        }
    }
    Ok(functions)
}

/// What came since then.
pub fn since(
    now: BTreeMap<String, Invocations>,
    before: &BTreeMap<String, Invocations>,
) -> BTreeMap<String, Invocations> {
    let less = |(name, now): (String, Invocations)| {
        let before = before.get(&name).copied().unwrap_or_default();
        let Invocations { count, ms, bytes } = now;
        let since =
            Invocations { count: count - before.count, ms: ms - before.ms, bytes: bytes - before.bytes };
        (name, since)
    };
    now.into_iter().map(less).collect()
}

impl Invocations {
    fn add(&mut self, line: &str) {
        self.bytes += line.len() as u64;
        if !line.starts_with("REPORT ") {
            return;
        }
        self.count += 1;
        let duration =
            line.split_once("Duration: ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
        self.ms += duration.unwrap_or_default();
    }
}

/// Of which function the log is: CloudFormation makes its name of ours.
fn function(group: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 5] = [
        ("ApiLogs", "api"),
        ("ProjectorLogs", "projector"),
        ("DeliveryLogs", "delivery"),
        ("WebhooksLogs", "webhooks"),
        ("SchedulerLogs", "scheduler"),
    ];
    NAMES.into_iter().find(|(part, _)| group.contains(part)).map(|(_, function)| function)
}
