//! The reference of limits, from the constants that hold them.

use std::fmt::Write as _;

use waxwing_app::{
    commands::{API_KEYS_MAX, KEY_OVERLAP_S_MAX, WEBHOOKS_MAX},
    kept_mail::MAILS_MAX,
    passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN},
    queries::{SESSIONS_MAX, USAGE_DAYS_MAX, USAGE_QUERIES_MAX},
    search::{INDEXED_WORDS_MAX, PREFIX_WORDS_MAX, TERM_WORDS_MAX, TERMS_MAX, WORD_CHARS_MAX},
};
use waxwing_domain::{
    account, api_key,
    content::{CONTACTS_MAX, LINE_CHARS_MAX, PHONES_MAX, POLL_OPTIONS, TEXT_CHARS_MAX, VCARD_BYTES_MAX},
    context::MENTIONS_MAX,
    message::{EMOJI_BYTES_MAX, PENDING_MAX},
    session, webhook_endpoint,
};

use crate::{extract, rate_limit, routes};

const RATES: &str = "\
# Limits

Written by `cargo xtask gen` from the constants in the code.

## Requests

Token buckets: each holds so many, and is full again after so many seconds. A request that finds one empty gets 429 `rate_limited`; `Retry-After` says when there is
one more. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` on every answer are of the bucket that is nearest to empty. A client address is an IPv4 address, or the 64
bits that a provider gives to one customer.

| bucket of each | holds | full again after | counts |
| --- | --- | --- | --- |
";

const SHARED: &str = "
Wrong guesses slow whoever guesses and lock nobody out: a token is taken before a secret is looked at, and given back unless it was wrong. A client address from which the user signed in,
or replaced a forgotten password, within 90 days is not new to the user.

On AWS the functions hold the limits together, but for the process's own. Each takes a tenth of a bucket at once out of a row, by a conditional write, and spends that
without asking. So a bucket costs at most 10 writes when it was full, and in each time that it fills 10 more, and 10 for each function that finds less than a tenth; what a function holds and
does not spend, a tenth at most, is lost to the others. Nobody gets more than the bucket held and what came into it, but for a tenth of a large bucket (1,000 and more) for each function that lost eight tries in a row to others. A holder that asks seldom costs one write for each tenth. Where
the row cannot be read, each function gives a tenth for every tenth of the time. Standalone writes nothing.

## Sizes

| what | most |
| --- | --- |
";

/// `docs/reference/limits.md`, as far as the API goes: Markdown that ends in an open table of two columns.
pub fn limits() -> String {
    let mut text = RATES.to_owned();
    for limit in rate_limit::LIMITS {
        let holds = if limit.burst == 0 { "its figure".to_owned() } else { grouped(limit.burst as usize) };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {holds} | {} s | {} |",
            limit.holder,
            grouped(limit.window_s as usize),
            limit.counts
        );
    }
    text.push_str(SHARED);
    for (what, most) in sizes() {
        let _ = writeln!(text, "| {what} | {most} |");
    }
    text
}

fn sizes() -> Vec<(&'static str, String)> {
    let count = |figure: usize| grouped(figure);
    let chars = |figure: usize| format!("{} characters", grouped(figure));
    let bytes = |figure: usize| match figure {
        figure if figure % (1 << 20) == 0 => format!("{} MiB", figure >> 20),
        figure if figure % (1 << 10) == 0 => format!("{} KiB", figure >> 10),
        figure => format!("{} bytes", grouped(figure)),
    };
    vec![
        ("a JSON body (413 beyond)", bytes(extract::BODY_BYTES_MAX)),
        ("a page of a list", count(extract::LIMIT_MAX)),
        ("`Idempotency-Key`, kept for 24 hours", chars(extract::IDEMPOTENCY_KEY_LEN_MAX)),
        ("sessions of an account (`--sessions-max` says less)", count(SESSIONS_MAX)),
        ("webhooks of an account (`--webhooks-max` says less)", count(WEBHOOKS_MAX)),
        ("API keys of an account", count(API_KEYS_MAX)),
        ("name of an account", chars(account::NAME_CHARS_MAX)),
        ("name of a session", chars(session::NAME_CHARS_MAX)),
        ("scopes of an API key", count(api_key::SCOPES_MAX)),
        ("sessions that an API key names", count(api_key::SESSIONS_MAX)),
        ("ranges of addresses of an API key", count(api_key::IP_RANGES_MAX)),
        ("`rate_limit_per_min` of an API key", count(api_key::RATE_LIMIT_PER_MIN_MAX as usize)),
        ("`overlap_s` of a rotated API key", count(KEY_OVERLAP_S_MAX as usize)),
        ("URL of a webhook", bytes(webhook_endpoint::URL_BYTES_MAX)),
        ("description of a webhook", chars(webhook_endpoint::DESCRIPTION_CHARS_MAX)),
        ("sessions that a webhook names", count(webhook_endpoint::SESSIONS_MAX)),
        ("text of a message", chars(TEXT_CHARS_MAX)),
        ("`metadata` of a message, as JSON", bytes(routes::METADATA_BYTES_MAX)),
        ("messages of one batch", count(routes::BATCH_MAX)),
        ("mentions of a message", count(MENTIONS_MAX)),
        ("a name, title, address, question or option in a message", chars(LINE_CHARS_MAX)),
        ("options of a poll", format!("{} to {}", POLL_OPTIONS.start(), POLL_OPTIONS.end())),
        ("cards of a message, and phone numbers of a card", format!("{CONTACTS_MAX}; {PHONES_MAX}")),
        ("a vCard", bytes(VCARD_BYTES_MAX)),
        ("a reaction", bytes(EMOJI_BYTES_MAX)),
        ("changes of a message that wait for WhatsApp", count(PENDING_MAX)),
        ("`q` of a list of messages", chars(routes::Q_CHARS_MAX)),
        ("words and phrases of one `q`; words of all of them", format!("{TERMS_MAX}; {TERM_WORDS_MAX}")),
        ("a word that is searched; the rest is left out", chars(WORD_CHARS_MAX)),
        ("words of a message that are indexed on AWS, different ones", count(INDEXED_WORDS_MAX)),
        ("words that `word*` stands for on AWS", count(PREFIX_WORDS_MAX)),
        ("a password", format!("{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")),
        ("days of one request for usage", count(USAGE_DAYS_MAX)),
        (
            "sessions times days that one request for usage counts, each with up to 1,000 messages, more or less",
            count(USAGE_QUERIES_MAX),
        ),
        ("mails that are kept for the operator, for a week", count(MAILS_MAX)),
    ]
}

/// With a comma at each thousand.
fn grouped(figure: usize) -> String {
    let digits = figure.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_bucket_and_groups_thousands() {
        let text = limits();
        for limit in rate_limit::LIMITS {
            assert!(text.contains(limit.counts), "{limit:?}");
        }
        assert_eq!(
            (grouped(7).as_str(), grouped(1_000).as_str(), grouped(1_234_567).as_str()),
            ("7", "1,000", "1,234,567")
        );
    }
}
