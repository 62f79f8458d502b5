//! Each suite passes a correct engine in memory, and names the promise that a faulty one breaks.

mod erasure;
mod journal_and_feed;
mod records;
mod search;
mod secret_box;
mod work;

use std::{any::Any, fmt::Debug, panic::AssertUnwindSafe};

use futures::{FutureExt as _, future::join_all};

/// Runs the suite once with each fault. It has to panic with a text that contains the promise beside the fault.
async fn all_break<F: Debug + Copy, S: Future<Output = ()>, const N: usize>(
    cases: [(F, &str); N],
    suite: impl Fn(F) -> S,
) {
    let surprises = join_all(cases.map(|(fault, promise)| surprise(fault, promise, suite(fault)))).await;
    let surprises: Vec<String> = surprises.into_iter().flatten().collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

async fn surprise(fault: impl Debug, promise: &str, suite: impl Future<Output = ()>) -> Option<String> {
    let Err(panic) = AssertUnwindSafe(suite).catch_unwind().await else {
        return Some(format!("the suite passed an engine with the fault {fault:?}"));
    };
    let told = text(&*panic);
    (!told.contains(promise))
        .then(|| format!("{fault:?} should break {promise:?}, and the suite said: {told}"))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    owned.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
