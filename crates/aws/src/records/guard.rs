//! Guards as conditions.

use jiff::Timestamp;
use waxwing_app::ports::Guard;

use crate::item::{Item, number};

/// What a write depends on, in DynamoDB's words.
#[derive(Default)]
pub(super) struct Condition {
    pub(super) expression: Option<String>,
    pub(super) values: Option<Item>,
}

/// A row whose time is over counts as none.
const IS_NONE: &str = "attribute_not_exists(pk) OR exp < :now";

impl Condition {
    /// `version` is the one that the write brings.
    pub(super) fn new(guard: Guard, version: Option<u64>, now: Timestamp) -> Self {
        let now = (":now".to_owned(), number(now.as_millisecond()));
        let compared = |version: u64| (":v".to_owned(), number(version));
        let (expression, values) = match (guard, version) {
            (Guard::Always, _) => return Self::default(),
            // What brings no version of its own is newer than nothing only.
            (Guard::Absent, _) | (Guard::Newer, None) => (IS_NONE.to_owned(), Item::from([now])),
            (Guard::Newer, Some(version)) => {
                (format!("{IS_NONE} OR v < :v"), Item::from([now, compared(version)]))
            },
            (Guard::Exactly(version), _) => (
                "v = :v AND (attribute_not_exists(exp) OR exp >= :now)".to_owned(),
                Item::from([now, compared(version)]),
            ),
        };
        Self { expression: Some(expression), values: Some(values) }
    }
}
