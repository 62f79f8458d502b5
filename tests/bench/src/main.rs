//! Measures waxwing as a process, with a number of sessions, next to another build, many sessions at rest, a number of hand-overs between hosts, or the
//! functions in a folder:
//!
//! ```text
//! waxwing-tests-bench process 200
//! waxwing-tests-bench accept-against target/release/waxwing-before
//! waxwing-tests-bench sessions 1000
//! waxwing-tests-bench hand-over 100
//! waxwing-tests-bench functions target/release
//! ```
//!
//! Prints a table row for each line and nothing else on standard output.

mod cold_start;
mod end_to_end;
mod hand_over;
mod idle;
mod scale;
mod stub;

use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match arguments[..] {
            ["process", sessions] => {
                end_to_end::accept().await?;
                end_to_end::to_webhook().await?;
                idle::memory(sessions.parse()?).await
            },
            ["accept-against", program] => end_to_end::accept_against(Path::new(program)).await,
            ["sessions", sessions] => scale::measure(sessions.parse()?).await,
            ["hand-over", count] => hand_over::measure(count.parse()?).await,
            ["functions", folder] => cold_start::measure(Path::new(folder)).await,
            _ => bail!("usage: waxwing-tests-bench process SESSIONS | accept-against PROGRAM | sessions SESSIONS | hand-over COUNT | functions FOLDER"),
        }
    })
}

/// One line of the table.
fn row(what: &str, value: String, remark: &str) {
    println!("| {what} | {value} | {remark} |");
}
