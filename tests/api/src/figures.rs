//! What the kernel says of a process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// A line of `/proc/PID/status` that is in kB, such as `VmHWM`.
pub fn status_kb(pid: u32, what: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    Ok(line.with_context(|| what.to_owned())?.trim().trim_end_matches("kB").trim().parse()?)
}

/// Resident memory.
pub fn resident_kb(pid: u32) -> Result<u64> {
    status_kb(pid, "VmRSS")
}

/// Processor time since the start of the process.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name, which may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().context("fields")?.split_whitespace().collect();
    // User and system time, in hundredths of a second.
    let ticks = fields.get(11..13).context("times")?.iter().map(|field| field.parse::<u64>());
    Ok(Duration::from_millis(ticks.sum::<Result<u64, _>>()? * 10))
}
