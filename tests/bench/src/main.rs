//! Measures waxwing as a process. Prints a table row for each line and nothing else on standard output.

mod end_to_end;
mod idle;

use anyhow::Result;

fn main() -> Result<()> {
    let sessions = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        end_to_end::accept().await?;
        end_to_end::to_webhook().await?;
        idle::memory(sessions).await
    })
}

/// One line of the table.
fn row(what: &str, value: String, remark: &str) {
    println!("| {what} | {value} | {remark} |");
}
