use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SessionError;

/// Longest name of a linked device, in characters.
pub const DEVICE_NAME_CHARS_MAX: usize = 50;

/// How a session behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    /// The name under which the phone lists the linked device. Told when the phone links it.
    pub device_name: Option<String>,
    /// Through which proxy the session reaches WhatsApp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// Contacts see the account as online while the session is connected. Without it the phone goes on ringing for new
    /// messages: WhatsApp silences a phone whose owner is online elsewhere.
    #[serde(skip_serializing_if = "is_off")]
    pub always_online: bool,
    /// Each message that comes in is marked as read once it is recorded.
    #[serde(skip_serializing_if = "is_off")]
    pub auto_read: bool,
    /// Calls are declined.
    #[serde(skip_serializing_if = "is_off")]
    pub reject_calls: bool,
    /// Messages of groups are not recorded.
    #[serde(skip_serializing_if = "is_off")]
    pub ignore_groups: bool,
    /// Messages to broadcast lists, and status updates, are not recorded.
    #[serde(skip_serializing_if = "is_off")]
    pub ignore_broadcasts: bool,
    /// Messages of channels (newsletters) are not recorded.
    #[serde(skip_serializing_if = "is_off")]
    pub ignore_channels: bool,
    /// What the phone hands over of earlier conversations when it links the session is recorded, with the origin
    /// `history`.
    #[serde(skip_serializing_if = "is_off")]
    pub import_history: bool,
    /// Receivers are told of what was imported, too.
    #[serde(skip_serializing_if = "is_off")]
    pub history_webhooks: bool,
}

fn is_off(flag: &bool) -> bool {
    !flag
}

impl SessionSettings {
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let fits = |name: &String| (1..=DEVICE_NAME_CHARS_MAX).contains(&name.trim().chars().count());
        let hidden = |proxy: &ProxyUrl| proxy.login().is_some_and(|(_, password)| password == HIDDEN);
        match (&self.device_name, &self.proxy) {
            (Some(name), _) if !fits(name) => Err(SessionError::InvalidDeviceName),
            (_, Some(proxy)) if hidden(proxy) => Err(SessionError::HiddenProxyPassword),
            _ => Ok(()),
        }
    }

    /// The same without what nobody is shown: the proxy's password.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self { proxy: self.proxy.as_ref().map(ProxyUrl::shown), ..self.clone() }
    }
}

/// What should change in the settings; the rest stays as it is. Where there are two `Option`s, the inner `None` (`null`) goes
/// back to the default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the setting of the same name")]
pub struct SettingsChange {
    #[serde(deserialize_with = "given")]
    pub device_name: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    pub proxy: Option<Option<ProxyUrl>>,
    #[serde(deserialize_with = "said")]
    pub always_online: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub auto_read: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub reject_calls: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub ignore_groups: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub ignore_broadcasts: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub ignore_channels: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub import_history: Option<bool>,
    #[serde(deserialize_with = "said")]
    pub history_webhooks: Option<bool>,
}

/// A field that is there, whatever it says.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A field that is there and says something.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl SessionSettings {
    pub(super) fn changed(&self, change: SettingsChange) -> Self {
        Self {
            device_name: change.device_name.unwrap_or_else(|| self.device_name.clone()),
            proxy: match change.proxy {
                // What was shown comes back: it names no other one.
                Some(Some(proxy)) if Some(&proxy) == self.proxy.as_ref().map(ProxyUrl::shown).as_ref() => {
                    self.proxy.clone()
                },
                Some(proxy) => proxy,
                None => self.proxy.clone(),
            },
            always_online: change.always_online.unwrap_or(self.always_online),
            auto_read: change.auto_read.unwrap_or(self.auto_read),
            reject_calls: change.reject_calls.unwrap_or(self.reject_calls),
            ignore_groups: change.ignore_groups.unwrap_or(self.ignore_groups),
            ignore_broadcasts: change.ignore_broadcasts.unwrap_or(self.ignore_broadcasts),
            ignore_channels: change.ignore_channels.unwrap_or(self.ignore_channels),
            import_history: change.import_history.unwrap_or(self.import_history),
            history_webhooks: change.history_webhooks.unwrap_or(self.history_webhooks),
        }
    }
}

/// Longest address of a proxy, in bytes.
const PROXY_BYTES_MAX: usize = 1_024;
/// Longest name and password for a SOCKS proxy together, in bytes.
const SOCKS_LOGIN_BYTES_MAX: usize = 220;
/// What stands for a password.
const HIDDEN: &str = "***";

/// The address of a proxy: `http://` or `socks5://`, with name and password where it wants them (percent-encoded), host and
/// port. `Debug` hides the password; `Serialize` writes all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    kind: ProxyKind,
    login: Option<(String, String)>,
    host: String,
    port: u16,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// A tunnel through an HTTP proxy, by `CONNECT` (RFC 9110, 9.3.6).
    Http,
    /// SOCKS version 5 (RFC 1928); the proxy resolves names.
    Socks5,
}

/// Why a text is not the address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected http://host:port or socks5://host:port, with user:password@ before the host where the proxy wants it"
)]
pub struct ProxyUrlError;

impl ProxyUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyUrlError)?;
        let kind = match scheme {
            "http" => ProxyKind::Http,
            // The second form says aloud that the proxy resolves names; here it always does.
            "socks5" | "socks5h" => ProxyKind::Socks5,
            _ => return Err(ProxyUrlError),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest),
        };
        let login = login.map(|login| {
            let (name, password) = login.split_once(':').unwrap_or((login, ""));
            (name.to_owned(), password.to_owned())
        });
        let (host, port) = address.rsplit_once(':').ok_or(ProxyUrlError)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(ProxyUrlError)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_is_valid = match bracketed {
            Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
            None if looks_like_an_address(host) => host.parse::<std::net::Ipv4Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            },
        };
        let login_is_valid = login.as_ref().is_none_or(|(name, password)| {
            !name.is_empty() && [name, password].iter().all(|part| is_percent_encoded(part))
        });
        // The library sends a SOCKS login from one small buffer.
        let login_fits = login.as_ref().is_none_or(|(name, password)| {
            kind == ProxyKind::Http || decoded(name).len() + decoded(password).len() <= SOCKS_LOGIN_BYTES_MAX
        });
        let valid = host_is_valid && login_is_valid && login_fits && text.len() <= PROXY_BYTES_MAX;
        valid.then(|| Self { kind, login, host: host.to_owned(), port }).ok_or(ProxyUrlError)
    }

    /// How it is spoken to.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Name or address; a v6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Name and password, as they are.
    pub fn login(&self) -> Option<(String, String)> {
        self.login.as_ref().map(|(name, password)| (decoded(name), decoded(password)))
    }

    /// All of it, the password included.
    pub fn as_url(&self) -> String {
        self.written(|password| password)
    }

    /// The same with a password that says nothing.
    #[must_use]
    pub fn shown(&self) -> Self {
        let login = self.login.as_ref().map(|(name, _)| (name.clone(), HIDDEN.to_owned()));
        Self { login, ..self.clone() }
    }

    fn written<'a>(&'a self, password: impl FnOnce(&'a str) -> &'a str) -> String {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        let login = self
            .login
            .as_ref()
            .map_or_else(String::new, |(name, secret)| format!("{name}:{}@", password(secret)));
        format!("{scheme}://{login}{}:{}", self.host, self.port)
    }
}

/// True for a host that some readers take for an address: its last part is a number, as in `127.1` or `0x7f000001`, or it
/// ends with a dot.
fn looks_like_an_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    last.starts_with("0x") || last.starts_with("0X") || last.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for what may stand in the user part of an address (RFC 3986, 3.2.1), and for [`HIDDEN`].
fn is_percent_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|byte| byte.is_some_and(|byte| byte.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte),
        };
        if !valid {
            return false;
        }
    }
    true
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).unwrap_or(0) as u8;
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => (digit(rest.next()) << 4) | digit(rest.next()),
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProxyUrl({})", self.written(|_| HIDDEN))
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.as_url())
    }
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies_are_read_and_written() {
        for text in [
            "http://proxy.example:3128",
            "socks5://127.0.0.1:1080",
            "socks5://user:p%40ss@[2001:db8::1]:1080",
            "http://user:secret@10.0.0.1:8080",
        ] {
            assert_eq!(ProxyUrl::parse(text).unwrap().as_url(), text);
        }
        let login = ProxyUrl::parse("socks5://user:p%40%c3%a9@a:1080").unwrap().login();
        assert_eq!(login, Some(("user".to_owned(), "p@é".to_owned())));
        assert_eq!(ProxyUrl::parse("socks5h://a:1080/").unwrap().as_url(), "socks5://a:1080");
        for text in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "ftp://proxy:1",
            "http://proxy",
            "http://proxy:0",
            "http://proxy:65536",
            "http://:3128",
            "http://a b:3128",
            "http://proxy:3128/path",
            "http://user:p ss@proxy:3128",
            "http://user:%zz@proxy:3128",
            "http://:secret@proxy:3128",
            "http://[::zz]:3128",
            "http://2852039166:80",
            "http://0x7f.1:80",
            "http://0x7f000001:80",
            "http://127.1:80",
            "http://169.254.169.254.:80",
            "http://proxy.123:80",
        ] {
            assert_eq!(ProxyUrl::parse(text), Err(ProxyUrlError), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let proxy = ProxyUrl::parse("socks5://user:secret@proxy:1080").unwrap();
        assert_eq!(format!("{proxy:?}"), "ProxyUrl(socks5://user:***@proxy:1080)");
        assert_eq!(proxy.shown().as_url(), "socks5://user:***@proxy:1080");
        assert!(proxy.as_url().contains("secret"));
    }
}
