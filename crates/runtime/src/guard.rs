//! The way out to addresses that customers name. An address is looked at twice: as it stands in the URL, and as it was
//! resolved for this very connection, so that a name cannot change its mind in between.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::Host;

use crate::is_public;

/// Which addresses may be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// For sandbox builds, whose receivers and files are on the developer's machine.
    pub(crate) allow_loopback: bool,
}

impl Guard {
    /// A client that follows no redirect, takes no proxy and reaches allowed addresses only. What it is asked for has to be
    /// [checked](Self::check), too: an address that stands in a URL is not resolved.
    pub(crate) fn client(self, connect_timeout: Duration) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("Waxwing/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(self))
            .connect_timeout(connect_timeout)
    }

    /// Refuses a URL that could never be reached, and says why. Asks nobody.
    pub(crate) fn check(self, url: &str) -> Result<Url, &'static str> {
        let Ok(url) = Url::parse(url) else { return Err("it is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return Err("only http and https are allowed");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL with a user name or a password is not allowed");
        }
        let address = match url.host() {
            None => return Err("it has no host"),
            Some(Host::Domain(_)) => return Ok(url),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        match self.allows(address) {
            true => Ok(url),
            false => Err("private, loopback, link-local and reserved addresses are not allowed"),
        }
    }

    fn allows(self, address: IpAddr) -> bool {
        is_public(address) || (self.allow_loopback && address.is_loopback())
    }

    /// What a connection may be made to, of what a name resolves to.
    fn of_resolved(self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
        let good: Vec<SocketAddr> = found.filter(|found| self.allows(found.ip())).collect();
        match good.is_empty() {
            true => Err(Forbidden),
            false => Ok(good),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good = guard.of_resolved(found)?;
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// A name that resolves to nothing that may be reached.
#[derive(Debug)]
struct Forbidden;

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name resolves to addresses that are not allowed")
    }
}

impl Error for Forbidden {}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guard did not allow the connection.
    Forbidden(String),
    /// Anything else; worth a retry.
    NoAnswer(String),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let mut cause: &dyn Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        match cause.downcast_ref::<Forbidden>() {
            Some(forbidden) => Self::Forbidden(forbidden.to_string()),
            None => Self::NoAnswer(cause.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Guard = Guard { allow_loopback: false };
    const SANDBOX: Guard = Guard { allow_loopback: true };

    #[test]
    fn urls_out_of_bounds_are_refused() {
        for url in [
            "https://example.com/a",
            "http://8.8.8.8/",
            "http://[2606:4700::1111]:8080/",
            "HTTP://0x08080808/",
        ] {
            assert!(STRICT.check(url).is_ok() && SANDBOX.check(url).is_ok(), "{url}");
        }
        // Also what only another reader would take for an address: octal, hexadecimal, short and long forms, other digits.
        for url in [
            "x",
            "",
            "//example.com/",
            "ftp://example.com",
            "file:///etc/passwd",
            "gopher://example.com",
            "data:text/plain,x",
            "http://u:p@example.com",
            "http://u@8.8.8.8/",
            "http://0.0.0.0/",
            "http://0/",
            "http://10.0.0.1/",
            "http://10.1/",
            "http://012.0.0.1/",
            "http://0x0a.0.0.1/",
            "http://167772161/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.0.1/",
            "http://192.168.1/",
            "http://0xC0A80001/",
            "http://0300.0250.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://0xA9FEA9FE/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://169.254.169.254./",
            "http://169%2e254%2e169%2e254/",
            "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
            "http://169。254。169。254/",
            "http://169.254.170.2/v2/credentials",
            "http://100.64.0.1/",
            "http://100.100.100.200/",
            "http://100.127.255.255/",
            "http://192.0.0.192/",
            "http://198.18.0.1/",
            "http://192.0.2.1/",
            "http://203.0.113.1/",
            "http://192.88.99.1/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[fc00::1]/",
            "http://[fd00:ec2::254]/",
            "http://[ff02::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::169.254.169.254]/",
            "http://[::ffff:0:169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[64:ff9b:1::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::]/",
            "http://[2002:7f00:1::1]/",
            "http://[2001::a9fe:a9fe]/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
            "http://[100::1]/",
            "http://[5f00::1]/",
        ] {
            assert!(STRICT.check(url).is_err() && SANDBOX.check(url).is_err(), "{url}");
        }
        for url in [
            "http://127.0.0.1:1/",
            "http://127.1/",
            "http://127.255.255.254/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://[::1]:1/",
            "http://[0:0:0:0:0:0:0:1]/",
        ] {
            assert!(STRICT.check(url).is_err() && SANDBOX.check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_connection_goes_to_allowed_addresses_of_a_name_only() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect()
        };
        let cases: [(&[&str], &[&str]); 5] = [
            (&["8.8.8.8"], &["8.8.8.8"]),
            (&["169.254.169.254", "8.8.8.8", "::1", "2606:4700::1111"], &["8.8.8.8", "2606:4700::1111"]),
            (&["127.0.0.1", "::1", "10.0.0.1"], &[]),
            (&["::ffff:169.254.169.254", "64:ff9b::a00:1"], &[]),
            (&[], &[]),
        ];
        for (found, good) in cases {
            let allowed = STRICT.of_resolved(addresses(found).into_iter()).unwrap_or_default();
            assert_eq!(allowed, addresses(good), "{found:?}");
        }
    }
}
