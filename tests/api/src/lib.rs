//! What black-box tests and benches share: waxwing as a process, a client, and a receiver of webhooks.

mod client;
pub mod figures;
pub mod kinds;
mod mail_server;
mod process;
mod receiver;
pub mod traffic;
pub mod walk;

pub use client::{Answer, Client, http_client};
pub use http::Method;
pub use mail_server::{MailServer, ReceivedMail};
pub use process::{Credentials, Sandbox, Waxwing, binary, program};
pub use receiver::{Received, Receiver, Temper};

use std::{future::Future, time::Duration};

use anyhow::{Result, bail};

/// How long something that has to happen may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; fails past [`DEADLINE`].
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let until = tokio::time::Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if tokio::time::Instant::now() > until {
            bail!("{what} did not happen within {DEADLINE:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
