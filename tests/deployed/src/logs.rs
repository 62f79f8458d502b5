//! What the functions did, as the emulator's CloudWatch Logs have it.

use std::collections::BTreeMap;

use anyhow::Result;
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
    let mut functions = BTreeMap::new();
    for (function, group) in groups(stack).await? {
        let found: &mut Invocations = functions.entry(function.to_owned()).or_default();
        lines(stack, &group, |line| found.add(line)).await?;
    }
    Ok(functions)
}

/// True when a function has written this.
pub async fn mention(stack: &Stack, function: &str, text: &str) -> Result<bool> {
    let mut found = false;
    for (_, group) in groups(stack).await?.into_iter().filter(|(of, _)| *of == function) {
        lines(stack, &group, |line| found |= line.contains(text)).await?;
    }
    Ok(found)
}

/// The functions' log groups.
async fn groups(stack: &Stack) -> Result<Vec<(&'static str, String)>> {
    let groups = emulator::call(stack, "Logs_20140328.DescribeLogGroups", &json!({})).await?;
    let names = groups["logGroups"].as_array().into_iter().flatten();
    let names = names.filter_map(|group| group["logGroupName"].as_str());
    Ok(names.filter_map(|name| Some((function(name)?, name.to_owned()))).collect())
}

async fn lines(stack: &Stack, group: &str, mut read: impl FnMut(&str)) -> Result<()> {
    let mut request = json!({ "logGroupName": group, "limit": 10_000 });
    loop {
        let page = emulator::call(stack, "Logs_20140328.FilterLogEvents", &request).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            read(event["message"].as_str().unwrap_or_default());
        }
        match page["nextToken"].as_str() {
            Some(token) => request["nextToken"] = json!(token),
            None => return Ok(()),
        }
    }
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
    const NAMES: [(&str, &str); 6] = [
        ("ApiLogs", "api"),
        ("ProjectorLogs", "projector"),
        ("DeliveryLogs", "delivery"),
        ("WebhooksLogs", "webhooks"),
        ("MailerLogs", "mailer"),
        ("SchedulerLogs", "scheduler"),
    ];
    NAMES.into_iter().find(|(part, _)| group.contains(part)).map(|(_, function)| function)
}
