//! Figures for Prometheus, of this process as a whole: for its operator.

use std::fmt::Write as _;

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use waxwing_app::{ports::Census, queries};

use crate::{
    Api, Problem,
    extract::{Actor, MetricsRead},
};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/metrics", get(metrics))
}

/// Prometheus' text format, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4";

async fn metrics(State(api): State<Api>, actor: Actor<MetricsRead>) -> Result<Response, Problem> {
    if !queries::is_operator(&*api.records, actor.account()).await? {
        return Err(Problem::new(
            "forbidden",
            "Figures of the whole process are for its first account only.",
        ));
    }
    // On AWS the hosts print theirs for CloudWatch.
    let sessions = api.sessions.as_ref().ok_or_else(|| Problem::not_found("address"))?;
    let text = written(&sessions.census(), api.commands.ports.clock.now());
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

fn written(census: &Census, now: jiff::Timestamp) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, label: &str, values: Vec<(&str, f64)>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (value, figure) in values {
            let _ = match label {
                "" => writeln!(text, "{name} {figure}"),
                _ => writeln!(text, "{name}{{{label}=\"{value}\"}} {figure}"),
            };
        }
    };
    let counted = |counts: &std::collections::BTreeMap<&'static str, usize>| {
        let figure = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        counts.iter().map(|(name, count)| (*name, figure(*count))).collect()
    };
    family("waxwing_sessions", "Sessions by what they are doing.", "status", counted(&census.statuses));
    family(
        "waxwing_sessions_health",
        "Sessions by how they hear WhatsApp.",
        "state",
        counted(&census.health),
    );
    let age = census.oldest_frame_at.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
    family(
        "waxwing_session_frame_age_seconds_max",
        "Age of the last frame of the connected session that has heard nothing for the longest time.",
        "",
        vec![("", age)],
    );
    family(
        "waxwing_client_outdated",
        "1 while sessions wait because WhatsApp refuses the client's version: upgrade.",
        "",
        vec![("", if census.client_outdated { 1.0 } else { 0.0 })],
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let census = Census {
            statuses: [("connected", 2), ("pairing", 1)].into(),
            health: [("deaf", 1), ("healthy", 2)].into(),
            oldest_frame_at: Some(at),
            client_outdated: true,
        };
        let text = written(&census, at + jiff::SignedDuration::from_millis(1_500));
        for line in [
            "waxwing_sessions{status=\"connected\"} 2",
            "waxwing_sessions{status=\"pairing\"} 1",
            "waxwing_sessions_health{state=\"deaf\"} 1",
            "waxwing_session_frame_age_seconds_max 1.5",
            "waxwing_client_outdated 1",
            "# TYPE waxwing_sessions gauge",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in {text}");
        }
    }
}
