//! From which address a request comes. A proxy's word on it is taken only where the operator trusts that proxy.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ipnet::IpNet;

use crate::Api;

/// Addresses of proxies that are believed.
pub type TrustedProxy = IpNet;

/// Most entries of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 32;

/// The other end of a request that came in another way than through a socket of ours. An extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// The client's address; `None` where the server does not know the other end.
pub(crate) fn of(api: &Api, parts: &Parts) -> Option<IpAddr> {
    Some(behind(&api.trusted_proxies, peer(parts)?, &parts.headers))
}

/// The other end.
fn peer(parts: &Parts) -> Option<IpAddr> {
    let told = parts.extensions.get::<PeerAddress>().map(|PeerAddress(address)| *address);
    let socket = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    told.or(socket).map(|address| address.to_canonical())
}

/// True when the other end is a proxy that is believed.
pub(crate) fn is_proxied(api: &Api, parts: &Parts) -> bool {
    peer(parts).is_some_and(|peer| api.trusted_proxies.iter().any(|range| range.contains(&peer)))
}

/// From the peer backwards through `X-Forwarded-For`, as long as who said it is trusted.
fn behind(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|range| range.contains(address));
    let values: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut address = peer;
    for hop in values.iter().flat_map(|value| value.split(',')).rev().take(HOPS_MAX) {
        if !is_trusted(&address) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

/// What is counted as one client: an address of IPv4, or the network of 64 bits that a provider gives to one customer.
fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// A client in the name of a bucket: nobody's address stands in a row.
pub(crate) fn hashed(api: &Api, address: Option<IpAddr>) -> String {
    let text = address.map_or_else(String::new, |address| prefix(address).to_string());
    let hash = api.commands.ports.secrets.keyed_hash("client_address", text.as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_on_what_it_saw() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let seen = |peer: &str, forwarded: &'static str| {
            let headers =
                HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), forwarded.parse().unwrap())]);
            behind(&trusted, peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(seen("203.0.113.9", "198.51.100.1"), "203.0.113.9", "nobody believes a stranger");
        assert_eq!(seen("10.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(
            seen("10.0.0.1", "1.1.1.1, 198.51.100.1"),
            "198.51.100.1",
            "what a client adds is its own"
        );
        assert_eq!(seen("10.0.0.1", "198.51.100.1, 10.0.0.2"), "198.51.100.1", "through two proxies");
        assert_eq!(seen("fd00::1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(behind(&[], "10.0.0.1".parse().unwrap(), &HeaderMap::new()).to_string(), "10.0.0.1");
    }

    #[test]
    fn one_customer_is_one_client() {
        let prefix = |address: &str| prefix(address.parse().unwrap()).to_string();
        assert_eq!(prefix("203.0.113.9"), "203.0.113.9");
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
