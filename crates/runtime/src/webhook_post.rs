use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use waxwing_app::ports::{WebhookPost, WebhookPostError, WebhookRequest};

use crate::guard::{Failure, Guard};

/// Posts webhooks, and only to addresses that may be reached, whatever their names resolve to.
pub struct GuardedPost {
    client: Client,
    guard: Guard,
}

impl GuardedPost {
    /// `allow_loopback` is for sandbox builds, whose receivers run on the developer's machine.
    pub fn new(allow_loopback: bool) -> Result<Self, reqwest::Error> {
        let guard = Guard { allow_loopback };
        let client = guard.client(Duration::from_secs(5)).pool_max_idle_per_host(64).build()?;
        Ok(Self { client, guard })
    }
}

#[async_trait]
impl WebhookPost for GuardedPost {
    async fn post(&self, request: WebhookRequest) -> Result<u16, WebhookPostError> {
        self.check(&request.url)?;
        let mut post = self.client.post(&request.url).timeout(request.timeout).body(request.body);
        post = post.header("content-type", "application/json");
        for (name, value) in request.headers {
            post = post.header(name, value);
        }
        if let Some(traceparent) = request.traceparent {
            post = post.header("traceparent", traceparent);
        }
        // The answer's body is not read: it is the receiver's, and may be endless.
        post.send().await.map(|answer| answer.status().as_u16()).map_err(|error| match Failure::from(error) {
            Failure::Forbidden(reason) => WebhookPostError::Forbidden(reason),
            Failure::NoAnswer(reason) => WebhookPostError::NoAnswer(reason),
        })
    }

    fn check(&self, url: &str) -> Result<(), WebhookPostError> {
        let checked = self.guard.check(url);
        checked.map(|_| ()).map_err(|reason| WebhookPostError::Forbidden(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(allow_loopback: bool) -> GuardedPost {
        crate::install_tls();
        GuardedPost::new(allow_loopback).unwrap()
    }

    fn request(url: &str) -> WebhookRequest {
        WebhookRequest {
            url: url.to_owned(),
            headers: [
                ("webhook-id", "x".into()),
                ("webhook-timestamp", "1".into()),
                ("webhook-signature", "v1,".into()),
            ],
            traceparent: None,
            body: b"{}".to_vec(),
            timeout: std::time::Duration::from_secs(5),
        }
    }

    #[test]
    fn addresses_out_of_bounds_are_refused() {
        let (strict, sandbox) = (post(false), post(true));
        assert!(strict.check("https://example.com/hook").is_ok());
        for url in [
            "ftp://example.com",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://u:p@example.com",
            "x",
        ] {
            assert!(strict.check(url).is_err() && sandbox.check(url).is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://2130706433/"] {
            assert!(strict.check(url).is_err() && sandbox.check(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_out_of_bounds_is_refused_at_the_connection() {
        let refused = post(false).post(request("http://localhost:9/")).await;
        assert!(matches!(refused, Err(WebhookPostError::Forbidden(_))), "{refused:?}");
        let tried = post(true).post(request("http://localhost:9/")).await;
        assert!(matches!(tried, Err(WebhookPostError::NoAnswer(_))), "{tried:?}");
    }
}
