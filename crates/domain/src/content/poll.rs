//! Polls.

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use super::{InvalidContent, check_line, invalid};
use crate::Text;

/// How many options a poll has.
pub const POLL_OPTIONS: RangeInclusive<usize> = 2..=12;

/// A question with options to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// What is asked.
    pub question: Text,
    /// Different ones: votes name them by their hash.
    pub options: Vec<Text>,
    /// Most options that one person may choose; 0 for any number.
    pub max_choices: u32,
}

impl Poll {
    pub(super) fn check(&self) -> Result<(), InvalidContent> {
        check_line("/question", &self.question)?;
        if !POLL_OPTIONS.contains(&self.options.len()) {
            let (least, most) = (POLL_OPTIONS.start(), POLL_OPTIONS.end());
            return invalid("/options", format!("expected {least} to {most} options"));
        }
        let mut known = BTreeSet::new();
        for (index, option) in self.options.iter().enumerate() {
            check_line(&format!("/options/{index}"), option)?;
            if !known.insert(&option.0) {
                return invalid(format!("/options/{index}"), "expected different options");
            }
        }
        match usize::try_from(self.max_choices).is_ok_and(|choices| choices <= self.options.len()) {
            true => Ok(()),
            false => {
                invalid("/max_choices", "expected at most as many as there are options; 0 for any number")
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(options: &[&str], max_choices: u32) -> Poll {
        let options = options.iter().map(|option| Text((*option).to_owned())).collect();
        Poll { question: Text("Red or white?".into()), options, max_choices }
    }

    #[test]
    fn options_are_two_to_twelve_and_different() {
        let field = |poll: Poll| poll.check().err().map(|error| error.field);
        assert_eq!(field(poll(&["Red", "White"], 1)), None);
        assert_eq!(field(poll(&["Red", "White"], 0)), None);
        assert_eq!(field(poll(&["Red"], 1)).as_deref(), Some("/options"));
        assert_eq!(field(poll(&["x"; 13], 1)).as_deref(), Some("/options"));
        assert_eq!(field(poll(&["Red", "Red"], 1)).as_deref(), Some("/options/1"));
        assert_eq!(field(poll(&["Red", " "], 1)).as_deref(), Some("/options/1"));
        assert_eq!(field(poll(&["Red", "White"], 3)).as_deref(), Some("/max_choices"));
    }
}
