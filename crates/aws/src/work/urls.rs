use waxwing_app::ports::Queue;

use crate::MissingSetting;

/// Where the jobs of a queue are on SQS. The template sets both URLs in the environment of every function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    /// Which jobs.
    pub queue: Queue,
    /// `WAXWING_…_QUEUE_URL`: the standard queue.
    pub url: String,
    /// `WAXWING_…_DEAD_QUEUE_URL`: the standard queue of its dead letters.
    pub dead_url: String,
}

impl QueueUrls {
    /// Reads those of all queues with `variable`, which finds a variable of the environment.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<Self>, MissingSetting> {
        let required = |name| variable(name).ok_or(MissingSetting(name));
        [
            (Queue::WEBHOOKS, "WAXWING_WEBHOOKS_QUEUE_URL", "WAXWING_WEBHOOKS_DEAD_QUEUE_URL"),
            (Queue::RECEIPTS, "WAXWING_RECEIPTS_QUEUE_URL", "WAXWING_RECEIPTS_DEAD_QUEUE_URL"),
            (Queue::MAILS, "WAXWING_MAILS_QUEUE_URL", "WAXWING_MAILS_DEAD_QUEUE_URL"),
        ]
        .into_iter()
        .map(|(queue, url, dead_url)| Ok(Self { queue, url: required(url)?, dead_url: required(dead_url)? }))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_url_is_named() {
        let all = QueueUrls::read(|name| Some(name.to_lowercase())).unwrap();
        assert_eq!(all[0].url, "waxwing_webhooks_queue_url");
        assert_eq!(all[1].dead_url, "waxwing_receipts_dead_queue_url");
        let missing = QueueUrls::read(|name| (!name.contains("DEAD")).then(String::new));
        assert_eq!(
            missing.unwrap_err().to_string(),
            "WAXWING_WEBHOOKS_DEAD_QUEUE_URL is not set in the environment"
        );
    }
}
