use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
};

use async_trait::async_trait;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::Host;
use waxwing_app::ports::{WebhookPost, WebhookPostError, WebhookRequest};

use crate::is_public;

/// Posts webhooks, and only to addresses that may be reached. The address is looked at twice: as it stands in the URL, and
/// as it was resolved for this very connection, so that a name cannot change its mind in between.
pub struct GuardedPost {
    client: Client,
    allow_loopback: bool,
}

impl GuardedPost {
    /// `allow_loopback` is for sandbox builds, whose receivers run on the developer's machine.
    pub fn new(allow_loopback: bool) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("Waxwing/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(GuardedResolver { allow_loopback }))
            .pool_max_idle_per_host(64)
            .connect_timeout(std::time::Duration::from_secs(5))
            .build()?;
        Ok(Self { client, allow_loopback })
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
        post.send().await.map(|answer| answer.status().as_u16()).map_err(|error| {
            let mut cause: &dyn Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            match cause.downcast_ref::<Forbidden>() {
                Some(forbidden) => WebhookPostError::Forbidden(forbidden.to_string()),
                None => WebhookPostError::NoAnswer(cause.to_string()),
            }
        })
    }

    fn check(&self, url: &str) -> Result<(), WebhookPostError> {
        let forbidden = |reason: &str| Err(WebhookPostError::Forbidden(reason.to_owned()));
        let Ok(url) = Url::parse(url) else { return forbidden("it is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return forbidden("only http and https are allowed");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return forbidden("a URL with a user name or a password is not allowed");
        }
        let address = match url.host() {
            None => return forbidden("it has no host"),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        match allowed(address, self.allow_loopback) {
            true => Ok(()),
            false => forbidden("private, loopback, link-local and reserved addresses are not allowed"),
        }
    }
}

fn allowed(address: IpAddr, allow_loopback: bool) -> bool {
    is_public(address) || (allow_loopback && address.is_loopback())
}

#[derive(Debug)]
struct Forbidden;

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name resolves to addresses that are not allowed")
    }
}

impl Error for Forbidden {}

struct GuardedResolver {
    allow_loopback: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|found| allowed(found.ip(), allow_loopback)).collect();
            match good.is_empty() {
                true => Err(Box::new(Forbidden) as Box<dyn Error + Send + Sync>),
                false => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
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
