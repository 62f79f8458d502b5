//! One deployment for all tests of this program; each test has an account of its own.

use anyhow::Result;
use tokio::sync::{Mutex, OnceCell, RwLock};
use waxwing_tests_deployed::stack::Stack;

/// Held to read by tests that nobody may disturb, to write by those that disturb.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// Held by tests that give commits to consumers once more: a deployment does that once at a time.
pub(crate) static REFEED: Mutex<()> = Mutex::const_new(());

static STACK: OnceCell<Stack> = OnceCell::const_new();

pub(crate) async fn stack() -> Result<&'static Stack> {
    STACK.get_or_try_init(|| Stack::start("deployed", 2)).await
}
