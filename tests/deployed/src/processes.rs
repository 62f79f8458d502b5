//! Ends processes of a deployment.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use waxwing_tests_api::eventually;

use crate::stack::Stack;

impl Stack {
    /// Ends one of the hosts by this signal (`-KILL`, `-TERM`), and waits until a new one runs in its place.
    pub async fn end_a_host(&self, place: usize, signal: &str) -> Result<()> {
        let hosts = self.hosts()?;
        let place = place % hosts.len();
        end(hosts[place], signal)?;
        eventually("a new session host", || async {
            Ok((self.hosts()?[place] != hosts[place]).then_some(()))
        })
        .await
    }

    fn hosts(&self) -> Result<Vec<u64>> {
        let facts = self.facts()?;
        let hosts = facts["pids"]["hosts"].as_array().context("hosts")?;
        Ok(hosts.iter().filter_map(serde_json::Value::as_u64).collect())
    }

    /// SIGKILL for every function process that is there, whatever it does at the moment.
    pub fn kill_functions(&self) -> Result<()> {
        let emulator = self.facts()?["pids"]["emulator"].as_u64().context("an emulator")?;
        for process in fs::read_dir("/proc")?.flatten() {
            let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            let parent =
                stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u64>().ok());
            let pid = process.file_name().to_string_lossy().parse::<u64>();
            if let (Some(parent), Ok(pid)) = (parent, pid)
                && parent == emulator
            {
                end(pid, "-KILL")?;
            }
        }
        Ok(())
    }
}

fn end(pid: u64, signal: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status()?;
    ensure!(status.success(), "process {pid} cannot be ended");
    Ok(())
}
