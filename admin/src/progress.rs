/// How far a work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What was done, and to what: `streams rebuilt`.
    pub done: &'static str,
    /// To how many, also before an interruption.
    pub count: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
    /// How many parts of the journal were walked through, and how many there are.
    pub parts: Option<(u32, u32)>,
}

/// Who hears of it: after every page of the journal, and every batch.
pub type Report<'a> = &'a (dyn Fn(Standing) + Sync);
