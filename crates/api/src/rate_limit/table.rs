//! What is counted, and how much of it is allowed: the one table. `docs/reference/limits.md` is written from it.

/// One kind of bucket.
#[derive(Debug)]
pub(crate) struct Limit {
    /// In keys of rows, so it stays.
    pub(crate) name: &'static str,
    /// How much a bucket holds; 0 where each holder has a figure of its own.
    pub(crate) burst: u32,
    /// In how many seconds an empty bucket is full again.
    pub(crate) window_s: u32,
    /// Who has a bucket.
    pub(crate) holder: &'static str,
    /// What takes a token out of it.
    pub(crate) counts: &'static str,
}

/// Protects the process itself, and is all that is counted of requests without a valid credential.
pub(crate) const PROCESS: Limit = Limit {
    name: "process",
    burst: 20_000,
    window_s: 1,
    holder: "process",
    counts: "every request but `/health` and `/ready`",
};
pub(crate) const ACCOUNT: Limit = Limit {
    name: "account",
    burst: 10_000,
    window_s: 1,
    holder: "account",
    counts: "requests with a valid credential",
};
pub(crate) const READS: Limit =
    Limit { name: "reads", burst: 8_000, window_s: 1, holder: "account", counts: "`GET`" };
pub(crate) const SENDS: Limit = Limit {
    name: "sends",
    burst: 8_000,
    window_s: 1,
    holder: "account",
    counts: "`POST` to messages, also of the sandbox's phones",
};
pub(crate) const WRITES: Limit = Limit {
    name: "writes",
    burst: 4_000,
    window_s: 1,
    holder: "account",
    counts: "everything else that changes something",
};
pub(crate) const API_KEY: Limit = Limit {
    name: "api-key",
    burst: 0,
    window_s: 60,
    holder: "API key with `rate_limit_per_min`",
    counts: "its requests; the figure is the key's",
};
/// Each may cost hundreds of queries, which no other read does.
pub(crate) const USAGE: Limit = Limit {
    name: "usage",
    burst: 120,
    window_s: 60,
    holder: "account",
    counts: "`GET /usage`, `GET /admin/accounts/{id}/usage`",
};
pub(crate) const REGISTRATIONS: Limit = Limit {
    name: "registrations",
    burst: 20,
    window_s: 60,
    holder: "client address",
    counts: "`POST /auth/register`",
};
pub(crate) const MAILS: Limit = Limit {
    name: "mails",
    burst: 20,
    window_s: 60,
    holder: "client address",
    counts: "`POST /auth/forgot-password`, `POST /auth/resend-verification`, `POST /me/email`",
};
pub(crate) const GUESSES_OF_USER_HERE: Limit = Limit {
    name: "guesses-of-user-here",
    burst: 20,
    window_s: 1_200,
    holder: "user and client address",
    counts: "wrong passwords and codes",
};
pub(crate) const GUESSES_OF_USER: Limit = Limit {
    name: "guesses-of-user",
    burst: 100,
    window_s: 6_000,
    holder: "user, over all client addresses that are new to the user",
    counts: "wrong passwords and codes",
};
pub(crate) const GUESSES_HERE: Limit = Limit {
    name: "guesses-here",
    burst: 100,
    window_s: 600,
    holder: "client address, over all users to whom it is new",
    counts: "wrong passwords, codes and tokens",
};

/// All of them, in the order of the reference.
pub(crate) const LIMITS: &[&Limit] = &[
    &PROCESS,
    &ACCOUNT,
    &READS,
    &SENDS,
    &WRITES,
    &API_KEY,
    &USAGE,
    &REGISTRATIONS,
    &MAILS,
    &GUESSES_OF_USER_HERE,
    &GUESSES_OF_USER,
    &GUESSES_HERE,
];
