//! Counts what messages cost on AWS, and prints it as Markdown: `cargo xtask cost`.

use anyhow::{Context, Result};
use waxwing_tests_deployed::cost;

#[tokio::main]
async fn main() -> Result<()> {
    let messages = std::env::args().nth(1).context("how many messages?")?.parse()?;
    print!("{}", cost::run(messages).await?);
    Ok(())
}
