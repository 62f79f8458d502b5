use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use waxwing_app::ports::Queue;

use crate::{Api, Problem};

/// A queue in the address.
pub(crate) struct QueuePath(pub(crate) Queue);

/// A job in a queue.
pub(crate) struct DeadLetterPath {
    /// Which queue.
    pub(crate) queue: Queue,
    /// Which job.
    pub(crate) id: String,
}

fn queue(name: &str) -> Result<Queue, Problem> {
    Queue::ALL.into_iter().find(|queue| queue.0 == name).ok_or_else(|| Problem::not_found("queue"))
}

impl FromRequestParts<Api> for QueuePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        queue(&path.map_err(|_| Problem::not_found("queue"))?).map(Self)
    }
}

impl FromRequestParts<Api> for DeadLetterPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Path((name, id)) = path.map_err(|_| Problem::not_found("dead letter"))?;
        Ok(Self { queue: queue(&name)?, id })
    }
}
