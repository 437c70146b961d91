//! Parses the URL of a PostgreSQL database.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use thiserror::Error;
use tokio_postgres::config::SslMode;

/// The connect timeout, unless the URL has a `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(5);
/// The idle time before TCP keepalive probes, and how long a peer may leave them unanswered.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A database's URL: `postgres://user:password@host:port/database?sslmode=…`.
///
/// The parameters are those of libpq that the Rust driver supports, all values of `sslmode`, and
/// `sslrootcert`.
#[derive(Clone)]
pub struct Location {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) mode: Mode,
    pub(crate) root_certificates: Option<PathBuf>,
    /// The URL without its password.
    shown: String,
}

/// The values of `sslmode`, as defined by libpq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No encryption.
    Disable,
    /// Encryption if the server supports it.
    Prefer,
    /// Encryption without verification.
    Require,
    /// Encryption with a trusted certificate.
    VerifyCa,
    /// Encryption with a trusted certificate for the server's host name.
    VerifyFull,
}

/// Why a URL is invalid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct LocationError(String);

impl FromStr for Mode {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        Ok(match text {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            // The value is not shown: a password with a question mark is parsed as parameters.
            _ => {
                let text = "the sslmode is not disable, allow, prefer, require, verify-ca or \
                            verify-full";
                return Err(LocationError(text.to_owned()));
            }
        })
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(url: &str) -> Result<Self, LocationError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root_certificates, mut rest) = (Mode::Prefer, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = value.parse()?,
                // libpq's name for the system's trust store.
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => root_certificates = Some(PathBuf::from(file)),
                _ => rest.push(parameter),
            }
        }
        let known = format!("{address}?{}", rest.join("&"));
        // The driver's error may contain the URL and the password.
        let mut config: tokio_postgres::Config =
            known.parse().map_err(|_| LocationError("it is not a valid PostgreSQL URL".into()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(LocationError("the URL has no host".to_owned()));
        }
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("octopoid-server");
        }
        config.keepalives(true).keepalives_idle(KEEPALIVE);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(KEEPALIVE);
        }
        Ok(Self { config, mode, root_certificates, shown: without_password(url) })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// A URL for the log. A password may be before the host, with any characters in it, or among the
/// parameters.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres".to_owned() };
    let (credentials, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => (Some(credentials), place),
        None => (None, rest),
    };
    let place = place.split('?').next().unwrap_or_default();
    // The end of the password is ambiguous, but its start is not.
    match credentials.map(|credentials| credentials.split([':', '/', '?']).next()) {
        Some(Some(user)) => format!("{scheme}://{user}@{place}"),
        Some(None) | None => format!("{scheme}://{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, Mode};

    fn read(url: &str) -> Result<Location, String> {
        url.parse::<Location>().map_err(|error| error.to_string())
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = |url: &str| read(url).unwrap().to_string();
        assert_eq!(shown("postgres://a:geheim@h:1/db?sslmode=disable"), "postgres://a@h:1/db");
        assert_eq!(shown("postgres://h/db?password=geheim"), "postgres://h/db");
        assert_eq!(shown("postgres://a:ge@heim@h/db"), "postgres://a@h/db");
        for url in [
            "postgres://a:geheim@h:port/db",
            "postgres://a:geheim@h/db?sslmode=geheim",
            "postgres://a:x?sslmode=geheim@h/db",
            "postgres://a:geheim@h/db?geheim=geheim",
            "postgres://a:geheim",
        ] {
            let error = read(url).map(|location| location.to_string()).unwrap_err();
            assert!(!error.contains("geheim"), "{error}");
        }
        // However the driver parses these.
        for url in [
            "postgres://a:ge?geheim@h/db",
            "postgres://a:ge/geheim@h/db",
            "postgres://a:ge#geheim@h/db",
            "postgres://a:%ZZgeheim@h/db",
            "postgres://a:geheim@[h/db",
            "postgres://a:x@geheim?geheim@h/db",
            "postgres://a:geheim@x@h/db?application_name=b@c",
        ] {
            let shown = read(url).map_or_else(|error| error, |location| location.to_string());
            assert!(!shown.contains("geheim"), "{shown}");
        }
        assert!(!format!("{:?}", read("postgres://a:geheim@h/db")).contains("geheim"));
    }

    #[test]
    fn every_sslmode_is_known() {
        let mode = |url: &str| read(url).map(|location| location.mode);
        assert_eq!(mode("postgres://h/db"), Ok(Mode::Prefer));
        assert_eq!(mode("postgres://h/db?sslmode=disable"), Ok(Mode::Disable));
        assert_eq!(mode("postgres://h/db?sslmode=require&options=-cx%3Dy"), Ok(Mode::Require));
        assert_eq!(mode("postgres://h/db?sslmode=verify-ca"), Ok(Mode::VerifyCa));
        assert_eq!(mode("postgres://h/db?sslmode=verify-full"), Ok(Mode::VerifyFull));
        assert!(mode("postgres://h/db?sslmode=some").unwrap_err().contains("sslmode"));
        assert!(mode("postgres:///db").unwrap_err().contains("host"));
        assert!(mode("postgres://h/db?nonsense=1").is_err());
    }
}
