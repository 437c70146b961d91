//! The host and port that a URL or a `Host` header names, and the origin of a web page.

use std::{error::Error, fmt, net::IpAddr, str::FromStr};

/// A host and perhaps a port, as in `board.example:8080`. Hosts are compared without regard to case
/// and to a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a text is not a valid host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityError;

impl fmt::Display for AuthorityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it is not a host such as board.example, with or without a port")
    }
}

impl Error for AuthorityError {}

impl FromStr for Authority {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or(AuthorityError)?;
            let address = address.parse().map_err(|_| AuthorityError)?;
            let port =
                if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or(AuthorityError)? };
            (Host::Address(IpAddr::V6(address)), port)
        } else {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            (name_or_address(host)?, port)
        };
        Ok(Self { host, port: read_port(port)? })
    }
}

/// A host contains no user names, paths or whitespace.
fn name_or_address(text: &str) -> Result<Host, AuthorityError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || !text.bytes().all(is_plain) {
        return Err(AuthorityError);
    }
    Ok(match text.parse() {
        Ok(address) => Host::Address(address),
        Err(_) => Host::Name(text.to_ascii_lowercase()),
    })
}

/// A port that is left out is the scheme's.
fn read_port(text: &str) -> Result<Option<u16>, AuthorityError> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AuthorityError);
    }
    text.parse().map(Some).map_err(|_| AuthorityError)
}

impl Authority {
    /// Whether it names this machine, as no other machine can name its own: `localhost` and the
    /// loopback addresses.
    pub(super) fn is_local(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::Address(address) => address.to_canonical().is_loopback(),
        }
    }

    /// Whether it names the same host, and the same port if it names one.
    pub(super) fn covers(&self, called: &Self) -> bool {
        self.host == called.host && (self.port.is_none() || self.port == called.port)
    }

    /// Whether both name the same host and port, where this is the port that is left out.
    pub(super) fn is_same(&self, other: &Self, default: u16) -> bool {
        self.host == other.host && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

/// The origin of a web page, as in `https://board.example`. A port that is left out is the
/// scheme's.
#[derive(Clone, Debug)]
pub struct Origin {
    scheme: String,
    authority: Authority,
}

/// Why a text is not a valid origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginError;

impl fmt::Display for OriginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "it is not an origin: write a scheme, a host and perhaps a port, such as \
             https://board.example or http://localhost:3000, with nothing behind them. There is no \
             sign for all origins",
        )
    }
}

impl Error for OriginError {}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginError)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(is_plain) {
            return Err(OriginError);
        }
        let authority = authority.parse().map_err(|_| OriginError)?;
        Ok(Self { scheme: scheme.to_ascii_lowercase(), authority })
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        let default = self.default_port().unwrap_or_default();
        self.scheme == other.scheme && self.authority.is_same(&other.authority, default)
    }
}

impl Eq for Origin {}

impl Origin {
    /// Whether it is this address, as far as the address tells: it has no scheme.
    pub(super) fn is_at(&self, called: &Authority) -> bool {
        self.default_port().is_some_and(|default| self.authority.is_same(called, default))
    }

    /// The port of a scheme by which the server may be called.
    fn default_port(&self) -> Option<u16> {
        match &*self.scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Authority, Origin};

    #[test]
    fn origins_are_the_same_if_scheme_host_and_port_are() {
        let origin = |text: &str| text.parse::<Origin>().unwrap_or_else(|_| panic!("{text}"));
        let board = origin("https://board.example");
        for same in ["https://Board.example", "HTTPS://board.example:443"] {
            assert_eq!(origin(same), board, "{same}");
        }
        for other in ["http://board.example", "https://board.example:80", "https://a.board.example"]
        {
            assert_ne!(origin(other), board, "{other}");
        }
        assert_eq!(origin("http://[::1]"), origin("http://[0:0::1]:80"));
        assert_eq!(origin("moz-extension://a-b"), origin("moz-extension://a-b"));
        assert_ne!(origin("moz-extension://a-b"), origin("chrome-extension://a-b"));
    }

    #[test]
    fn what_is_no_origin_is_not_read() {
        for bad in [
            "",
            "*",
            "null",
            "board.example",
            "board.example:443",
            "//board.example",
            "://board.example",
            "https:board.example",
            "https://",
            "https://board.example/",
            "https://board.example/app",
            "https://board.example?x",
            "https://*.board.example",
            "https://a@board.example",
            "https://board.example https://b.example",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    fn read(text: &str) -> Authority {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn this_machine_has_few_names() {
        for local in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "localhost:8787",
            "localhost.:1",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:8787",
            "127.255.255.254",
            "127.0.0.1.",
            "[::1]",
            "[::1]:8787",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(read(local).is_local(), "{local}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil-localhost",
            "a.localhost",
            "128.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "[::2]",
            "127.1",
            "2130706433",
        ] {
            assert!(!read(other).is_local(), "{other}");
        }
    }

    #[test]
    fn what_is_no_host_is_not_read() {
        for bad in [
            "",
            ".",
            ":8787",
            "::1",
            "[::1",
            "[::1]8787",
            "[::1]x",
            "[localhost]",
            "a@localhost",
            "localhost@evil.example",
            "localhost/x",
            "localhost:8787/x",
            "localhost:80:80",
            "localhost:99999",
            "localhost:-1",
            "localhost:+1",
            "localhost:x",
            "local host",
            " localhost",
            "localhost,evil.example",
            "localhost\0",
            "löcal",
            "http://localhost",
            "[fe80::1%lo]",
        ] {
            assert!(bad.parse::<Authority>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_port_that_is_left_out_is_any_where_allowed_and_the_schemes_where_compared() {
        assert!(read("Board.example").covers(&read("board.example:1")));
        assert!(read("board.example:1").covers(&read("board.example.:1")));
        assert!(!read("board.example:1").covers(&read("board.example")));
        assert!(!read("board.example").covers(&read("a.board.example")));
        assert!(read("a").is_same(&read("a:443"), 443));
        assert!(!read("a").is_same(&read("a:80"), 443));
        assert!(!read("localhost").is_same(&read("127.0.0.1"), 80));
    }
}
