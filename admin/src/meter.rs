//! Progress on standard error: one line that changes on a terminal, else a line now and then.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use waxwing_admin::Standing;

const TERMINAL_INTERVAL: Duration = Duration::from_millis(500);
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Shows how far a work has come, and how fast.
pub(crate) struct Meter {
    is_terminal: bool,
    shown: Mutex<Option<Shown>>,
}

struct Shown {
    /// Which work, since when, and with how many it began.
    done: &'static str,
    began: Instant,
    count: u64,
    last: Instant,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), shown: Mutex::default() }
    }

    pub(crate) fn show(&self, standing: Standing) {
        let now = Instant::now();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(shown) = shown.as_mut().filter(|shown| shown.done == standing.done) else {
            let (done, count) = (standing.done, standing.count);
            *shown = Some(Shown { done, began: now, count, last: now });
            return self.print(&standing, None);
        };
        let interval = if self.is_terminal { TERMINAL_INTERVAL } else { LOG_INTERVAL };
        let is_end =
            standing.of == Some(standing.count) || standing.parts.is_some_and(|(done, parts)| done == parts);
        if is_end || now.duration_since(shown.last) >= interval {
            shown.last = now;
            let seconds = now.duration_since(shown.began).as_secs_f64().max(0.001);
            let rate = standing.count.saturating_sub(shown.count) as f64 / seconds;
            self.print(&standing, Some(rate));
        }
    }

    /// What comes next begins on a line of its own.
    pub(crate) fn end(&self) {
        if self.is_terminal && self.shown.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            eprintln!();
        }
    }

    fn print(&self, standing: &Standing, rate: Option<f64>) {
        let Standing { done, count, of, parts } = standing;
        let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
        let parts = parts
            .map(|(ended, parts)| format!(", {ended} of {parts} parts of the journal"))
            .unwrap_or_default();
        let rate = rate.map(|rate| format!(", {rate:.0} a second")).unwrap_or_default();
        let line = format!("{count}{of} {done}{parts}{rate}");
        match self.is_terminal {
            // Back to the beginning, and what is left of a longer line is wiped.
            true => {
                eprint!("\r{line}\u{1b}[K");
                let _ = std::io::stderr().flush();
            },
            false => eprintln!("{line}"),
        }
    }
}
