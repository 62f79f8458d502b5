use jiff::{Timestamp, ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waxwing_app::queries::{USAGE_DAYS_MAX, UsageCounts, UsageDay, utc_day};

use crate::Problem;

/// Nothing was counted before.
const FIRST_YEAR: i16 = 2020;
/// Days that are told when nothing else is asked for, today included.
const DAYS_DEFAULT: i64 = 7;

/// Which days.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// The first day, in UTC; six days before the last one when absent.
    #[param(value_type = Option<String>, format = Date, example = "2026-11-01")]
    from: Option<String>,
    /// The last day, in UTC, at most 91 days behind the first one; today when absent.
    #[param(value_type = Option<String>, format = Date, example = "2026-11-22")]
    to: Option<String>,
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let wrong =
        || Problem::field(format!("/query/{name}"), "expected a day such as 2026-11-22, from 2020 on");
    let Some(text) = text else { return Ok(None) };
    let day: Date = text.parse().map_err(|_| wrong())?;
    match text == day.to_string() && day.year() >= FIRST_YEAR {
        true => Ok(Some(day)),
        false => Err(wrong()),
    }
}

impl UsageQuery {
    /// The first day and the last.
    pub(crate) fn days(&self, now: Timestamp) -> Result<(Date, Date), Problem> {
        let today = utc_day(now);
        let (from, to) =
            (day("from", self.from.as_deref())?, day("to", self.to.as_deref())?.unwrap_or(today));
        if to > today {
            return Err(Problem::field("/query/to", "expected today or a day before"));
        }
        let from = match from {
            Some(from) => from,
            None => to.saturating_sub((DAYS_DEFAULT - 1).days()),
        };
        let last = from.saturating_add((USAGE_DAYS_MAX as i64 - 1).days());
        match from <= to && to <= last {
            true => Ok((from, to)),
            false => Err(Problem::field("/query/from", "expected the last day or one of the 91 before it")),
        }
    }
}

/// What was used, day by day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageOut {
    /// Each day, the first one first.
    data: Vec<UsageDayOut>,
    /// False when some days are not counted to the end yet: ask again within a minute, and the count goes on where it stopped.
    #[schema(example = true)]
    complete: bool,
}

/// What was used on a day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageDay)]
pub(crate) struct UsageDayOut {
    /// The day in UTC: messages count on the day on which they were recorded here.
    #[schema(value_type = String, format = Date, example = "2026-11-22")]
    day: String,
    /// Messages that were accepted for sending, whatever became of them.
    #[schema(example = 120)]
    messages_out: u64,
    /// Messages that the owners sent from their phones, or from other linked devices.
    #[schema(example = 4)]
    messages_out_from_phone: u64,
    /// Messages that came in. What was imported of earlier conversations does not count.
    #[schema(example = 98)]
    messages_in: u64,
    /// Sessions with at least one of these messages.
    #[schema(example = 3)]
    active_sessions: u64,
    /// False while not all of the day was counted: the numbers may then be too low.
    #[schema(example = true)]
    complete: bool,
}

impl From<UsageDay> for UsageDayOut {
    fn from(UsageDay { day, counts, complete }: UsageDay) -> Self {
        let UsageCounts { sent, sent_from_phone, received, sessions } = counts;
        Self {
            day: day.to_string(),
            messages_out: sent,
            messages_out_from_phone: sent_from_phone,
            messages_in: received,
            active_sessions: sessions,
            complete,
        }
    }
}

impl From<Vec<UsageDay>> for UsageOut {
    fn from(days: Vec<UsageDay>) -> Self {
        let complete = days.iter().all(|day| day.complete);
        Self { data: days.into_iter().map(UsageDayOut::from).collect(), complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: Option<&str>, to: Option<&str>) -> Result<(String, String), String> {
        let query = UsageQuery { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        let days = query.days("2026-11-22T23:59:59Z".parse().unwrap());
        days.map(|(from, to)| (from.to_string(), to.to_string())).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn a_request_is_for_some_days_up_to_today() {
        let told = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(days(None, None), told("2026-11-16", "2026-11-22"));
        assert_eq!(days(None, Some("2026-03-01")), told("2026-02-23", "2026-03-01"));
        assert_eq!(days(Some("2026-11-22"), None), told("2026-11-22", "2026-11-22"));
        assert_eq!(days(Some("2026-08-23"), None), told("2026-08-23", "2026-11-22"), "92 days");
        for (from, to) in [
            (Some("2026-08-22"), None),
            (Some("2026-11-20"), Some("2026-11-19")),
            (None, Some("2026-11-23")),
            (Some("2019-12-31"), Some("2020-01-01")),
            (Some("yesterday"), None),
            (Some("2026-11-20T12:00:00"), None),
            (Some("20261120"), None),
        ] {
            assert_eq!(days(from, to), Err("validation_failed".to_owned()), "{from:?} {to:?}");
        }
    }
}
