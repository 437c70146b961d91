//! The command line and the environment. A flag wins over its variable.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use octopoid_api::{AuthMode, Settings, app::BODY_BYTES_MAX, auth};
use octopoid_store_sqlite::Location;

/// The coordination server for fleets of coding agents.
#[derive(Debug, Parser)]
#[command(name = "octopoid-server", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API. This is what happens without a command.
    Serve,
    /// Bring the database's schema up to date and stop.
    Migrate,
    /// Print the OpenAPI document.
    Openapi,
    /// Print the version.
    Version,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address to listen on. Without it, 127.0.0.1 and the port of PORT, or 8787.
    #[arg(long, global = true, env = "OCTOPOID_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    #[arg(long, global = true, env = "PORT", hide = true)]
    port: Option<u16>,

    /// Database: `sqlite:FILE`, or `sqlite::memory:` for one that is gone when the server stops.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        default_value = "sqlite:octopoid.db",
        value_name = "URL"
    )]
    pub(crate) database: Database,

    /// Whether a key is needed. Open by default on a loopback address; must be named on others.
    #[arg(long, global = true, env = "OCTOPOID_AUTH")]
    auth: Option<Auth>,

    /// How long a lease that has ended is left to the client's own reaper.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_LEASE_GRACE",
        default_value = "120s",
        value_name = "DURATION",
        value_parser = duration
    )]
    lease_grace: Duration,

    /// How often leases that have ended are looked for.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_REAP_INTERVAL",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = period
    )]
    reap_interval: Duration,

    /// An origin whose pages may call; may be repeated. Any, if none is given.
    #[arg(long, global = true, env = "OCTOPOID_CORS_ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<String>,

    /// The longest request body, in bytes.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_BODY_LIMIT",
        default_value_t = BODY_BYTES_MAX,
        value_name = "BYTES"
    )]
    body_limit: usize,

    /// How log lines look.
    #[arg(long, global = true, env = "OCTOPOID_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// The administrator's bearer token. Read from the environment only: a command line is visible
    /// to every user of the machine.
    #[arg(skip = std::env::var("API_SECRET_KEY").ok().map(Secret))]
    admin_key: Option<Secret>,
}

/// A text that is not shown.
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// A key is not needed; one that is presented is checked.
    Open,
    /// A key is needed for everything under /api/v1.
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A database's URL and what it names.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    url: String,
    pub(crate) location: Location,
}

impl FromStr for Database {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("sqlite:")
            .ok_or_else(|| format!("\"{url}\" does not begin with sqlite:"))?;
        let location = match rest {
            ":memory:" => Location::Memory,
            "" => return Err("the URL names no file".to_owned()),
            // sqlite:///absolute/path and sqlite://relative/path are in use as well.
            file => Location::File(PathBuf::from(file.strip_prefix("//").unwrap_or(file))),
        };
        Ok(Self { url: url.to_owned(), location })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

/// All that serving needs to know.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) listen: SocketAddr,
    pub(crate) database: Database,
    pub(crate) reap_interval: Duration,
    pub(crate) settings: Settings,
}

impl Options {
    /// Puts the options together and refuses what would be unsafe.
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let default = SocketAddr::from(([127, 0, 0, 1], self.port.unwrap_or(8787)));
        let listen = self.listen.unwrap_or(default);
        let auth = match self.auth {
            Some(Auth::Open) => AuthMode::Open,
            Some(Auth::Required) => AuthMode::Required,
            None if listen.ip().is_loopback() => AuthMode::Open,
            None => bail!(
                "{listen} can be reached by others: say --auth required, or --auth open to let \
                 anyone in"
            ),
        };
        let admin_key = self.admin_key.as_ref().map(|key| &*key.0).filter(|key| !key.is_empty());
        let settings = Settings {
            auth,
            admin_key_hash: admin_key.map(auth::hash),
            cors_origins: self.cors_origin.clone(),
            body_bytes_max: self.body_limit,
            lease_grace_ms: i64::try_from(self.lease_grace.as_millis())
                .context("the lease grace is too long")?,
            ..Settings::default()
        };
        let database = self.database.clone();
        Ok(Plan { listen, database, reap_interval: self.reap_interval, settings })
    }
}

/// Reads `90s`, `2m` or `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".to_owned())
}

fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("the interval must not be zero".to_owned()),
        period => Ok(period),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Database, Location, Secret, duration, period};
    use clap::Parser;
    use octopoid_api::AuthMode;

    fn auth(arguments: &[&str]) -> Result<AuthMode, String> {
        let arguments = ["octopoid-server"].iter().chain(arguments);
        let plan = Cli::try_parse_from(arguments).unwrap().options.plan();
        plan.map(|plan| plan.settings.auth).map_err(|error| error.to_string())
    }

    #[test]
    fn an_open_server_on_a_public_address_must_be_asked_for_by_name() {
        assert_eq!(auth(&[]), Ok(AuthMode::Open));
        assert_eq!(auth(&["--auth", "required"]), Ok(AuthMode::Required));
        assert_eq!(auth(&["--listen", "[::1]:1"]), Ok(AuthMode::Open));
        assert!(auth(&["--listen", "0.0.0.0:1"]).unwrap_err().contains("--auth required"));
        assert_eq!(auth(&["--listen", "0.0.0.0:1", "--auth", "open"]), Ok(AuthMode::Open));
        assert_eq!(
            auth(&["serve", "--listen", "0.0.0.0:1", "--auth", "required"]),
            Ok(AuthMode::Required)
        );
    }

    #[test]
    fn the_administrators_token_is_not_shown() {
        let mut cli = Cli::try_parse_from(["octopoid-server"]).unwrap();
        cli.options.admin_key = Some(Secret("hidden-token".to_owned()));
        assert!(!format!("{cli:?}").contains("hidden-token"));
        assert!(cli.options.plan().unwrap().settings.admin_key_hash.is_some());
    }

    #[test]
    fn a_database_is_a_file_or_memory() {
        let location = |url: &str| url.parse::<Database>().map(|database| database.location);
        assert_eq!(location("sqlite::memory:"), Ok(Location::Memory));
        assert_eq!(location("sqlite:a.db"), Ok(Location::File("a.db".into())));
        assert_eq!(location("sqlite:///var/a.db"), Ok(Location::File("/var/a.db".into())));
        assert!(location("sqlite:").is_err());
        assert!(location("mysql://x").is_err());
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(duration("90s").unwrap().as_secs(), 90);
        assert_eq!(duration("2m").unwrap().as_secs(), 120);
        assert_eq!(duration("0s").unwrap().as_secs(), 0);
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
        assert!(period("0s").is_err());
    }
}
