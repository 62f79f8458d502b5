//! The public HTTP API: axum routes, request and response types, extractors that authorise, problems, OpenAPI.
//!
//! A handler's extractors check; then there is one call into `app`, and `?` into [`Problem`]. Only this crate knows HTTP
//! status codes. The OpenAPI document is made from the same registrations as the routes.

mod authorisation;
mod client_address;
mod cursor;
mod docs;
mod edge;
mod extract;
mod guesses;
mod limits;
mod openapi;
mod problem;
mod rate_limit;
mod request_id;
mod routes;
mod shapes;
mod state;

pub use authorisation::authorisation;
pub use client_address::{PeerAddress, TrustedProxy};
pub use edge::{ByTls, CorsOrigin, InvalidOrigin};
pub use limits::limits;
pub use openapi::document;
pub use problem::Problem;
pub use rate_limit::RateLimits;
pub use routes::router;
pub use state::Api;
