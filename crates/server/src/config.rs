//! The command line and the environment. A flag wins over its variable.

use std::{fmt, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use jiff::{Span, SpanRelativeTo};
use octopoid_api::{
    AuthMode, Authority, Origin, Settings,
    app::{BODY_BYTES_MAX, IN_FLIGHT_BYTES_MAX},
    auth::AdminKey,
};
use octopoid_store_postgres::Options as Pool;

use crate::{
    copy,
    database::Database,
    export, import,
    logging::{BUFFER_BYTES, BUFFER_BYTES_MIN, LogFormat},
    pool::DatabaseOptions,
};

/// The coordination server for fleets of coding agents.
#[derive(Debug, Parser)]
#[command(name = "octopoid-server", version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The commands of the server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API. This is the default command.
    Serve,
    /// Migrate the database to the latest schema version and exit.
    Migrate,
    /// Copy all data from one database into another, empty one, and compare the two.
    Copy(copy::Args),
    /// Write all data of a database as newline-delimited JSON, the same on every engine.
    Export(export::Args),
    /// Import an export, or the database of the first (TypeScript) server, into an empty database.
    Import(import::Args),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the version.
    Version,
}

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Address to listen on. Default: 127.0.0.1 with the port in PORT, or 8787.
    #[arg(long, global = true, env = "OCTOPOID_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    #[arg(long, global = true, env = "PORT", hide = true)]
    port: Option<u16>,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,

    /// Address of a listener that serves metrics at `/metrics` without a key. With `API_SECRET_KEY`,
    /// they are also at `/metrics` of the main address, for the holder of that token.
    #[arg(long, global = true, env = "OCTOPOID_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// Whether requests need an API key. Default on a loopback address: `open`. Required on others.
    #[arg(long, global = true, env = "OCTOPOID_AUTH")]
    auth: Option<Auth>,

    /// How many requests a key may send in a minute, in each server process; 0 is any number.
    /// Default: 12000, and 0 on a loopback address.
    #[arg(long, global = true, env = "OCTOPOID_RATE_LIMIT_KEY", value_name = "NUMBER")]
    rate_limit_key: Option<u32>,

    /// How many requests an address may send in a minute without a valid key; 0 is any number.
    /// Loopback addresses are not limited. Default: 600, and 0 on a loopback address.
    #[arg(long, global = true, env = "OCTOPOID_RATE_LIMIT_ADDRESS", value_name = "NUMBER")]
    rate_limit_address: Option<u32>,

    /// Grace period: how long after a lease has expired the server takes the task back.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_LEASE_GRACE",
        default_value = "120s",
        value_name = "DURATION",
        value_parser = duration
    )]
    lease_grace: Duration,

    /// How often the server checks for expired leases.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_REAP_INTERVAL",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = period
    )]
    reap_interval: Duration,

    /// How long events are kept. The history of a task is kept as long as the task.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_RETAIN_EVENTS",
        default_value = "30d",
        value_name = "DURATION",
        value_parser = period
    )]
    retain_events: Duration,

    /// How long the logs of a task's runs are kept after the task is over: done, failed or
    /// cancelled.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_RETAIN_LOGS",
        default_value = "14d",
        value_name = "DURATION",
        value_parser = period
    )]
    retain_logs: Duration,

    /// How long tasks are kept after they are over: done, failed or cancelled. Older ones are
    /// deleted. Default: forever.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_RETAIN_DONE",
        value_name = "DURATION",
        value_parser = period
    )]
    retain_done: Option<Duration>,

    /// Allowed CORS origin, such as `https://board.example`; may be repeated. If none is given,
    /// pages of other origins may send requests only with a key.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_CORS_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    cors_origin: Vec<String>,

    /// Host name that an open server accepts in addition to localhost and the loopback addresses;
    /// may be repeated.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_ALLOWED_HOST",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    allowed_host: Vec<String>,

    /// Maximum size of a request body, in bytes.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_BODY_LIMIT",
        default_value_t = BODY_BYTES_MAX,
        value_name = "BYTES"
    )]
    body_limit: usize,

    /// Maximum total size of request bodies and responses held in memory, in bytes. Beyond it,
    /// large requests fail with 503.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_MEMORY_BUDGET",
        default_value_t = IN_FLIGHT_BYTES_MAX,
        value_name = "BYTES"
    )]
    memory_budget: usize,

    /// Format of log lines.
    #[arg(long, global = true, env = "OCTOPOID_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Size of the log buffer, in bytes, at least 65536. When it is full, further lines are
    /// dropped.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_LOG_BUFFER",
        default_value_t = BUFFER_BYTES,
        value_name = "BYTES",
        value_parser = log_buffer
    )]
    pub(crate) log_buffer: usize,

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
    /// Requests without a key are accepted. A key that is sent is checked.
    Open,
    /// Every request under /api/v1 needs a key.
    Required,
}

/// The validated configuration of `serve`.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) database: Database,
    pub(crate) pool: Pool,
    pub(crate) reap_interval: Duration,
    /// Whether the administrator's token is so short that it can be guessed.
    pub(crate) has_short_admin_key: bool,
    pub(crate) settings: Settings,
}

impl Options {
    /// Validates the options and rejects unsafe combinations.
    pub(crate) fn plan(&self) -> anyhow::Result<ServeConfig> {
        let default = SocketAddr::from(([127, 0, 0, 1], self.port.unwrap_or(8787)));
        let listen = self.listen.unwrap_or(default);
        let auth = match self.auth {
            Some(Auth::Open) => AuthMode::Open,
            Some(Auth::Required) => AuthMode::Required,
            None if listen.ip().is_loopback() => AuthMode::Open,
            None => bail!(
                "{listen} is not a loopback address: set --auth required, or --auth open to accept \
                 requests without a key"
            ),
        };
        let admin_key = self.admin_key.as_ref().and_then(|key| AdminKey::read(&key.0));
        let settings = Settings {
            auth,
            admin_key_hash: admin_key.map(|key| key.hash),
            cors_origins: self.cors_origins()?,
            allowed_hosts: self.allowed_hosts(auth, listen)?,
            body_bytes_max: self.body_limit,
            in_flight_bytes_max: self.memory_budget,
            lease_grace_ms: i64::try_from(self.lease_grace.as_millis())
                .context("the lease grace is too long")?,
            retain_logs_ms: i64::try_from(self.retain_logs.as_millis())
                .context("logs are retained for too long")?,
            retain_done_ms: self
                .retain_done
                .map(|kept| i64::try_from(kept.as_millis()))
                .transpose()
                .context("finished tasks are retained for too long")?,
            shares_database: matches!(self.database.database, Database::Postgres(_)),
            jobs_period_ms: i64::try_from(self.reap_interval.as_millis())
                .context("the reap interval is too long")?,
            retain_events_ms: i64::try_from(self.retain_events.as_millis())
                .context("the retention of events is too long")?,
            key_rate_max: rate(self.rate_limit_key, listen, KEY_RATE),
            address_rate_max: rate(self.rate_limit_address, listen, ADDRESS_RATE),
            ..Settings::default()
        };
        Ok(ServeConfig {
            listen,
            metrics_listen: self.metrics_listen,
            database: self.database.database.clone(),
            pool: self.database.pool.pool(),
            reap_interval: self.reap_interval,
            has_short_admin_key: admin_key.is_some_and(|key| key.is_short),
            settings,
        })
    }

    fn cors_origins(&self) -> anyhow::Result<Vec<Origin>> {
        let read = |origin: &str| {
            origin.parse().with_context(|| format!("--cors-origin {origin:?} is invalid"))
        };
        non_empty(&self.cors_origin).map(read).collect()
    }

    /// The accepted values of `Host`. With required keys, a page that
    /// uses DNS rebinding has no key; on a public address, only the operator
    /// knows the server's names.
    fn allowed_hosts(
        &self,
        auth: AuthMode,
        listen: SocketAddr,
    ) -> anyhow::Result<Option<Vec<Authority>>> {
        let read = |host: &str| {
            host.parse().with_context(|| format!("--allowed-host {host:?} is invalid"))
        };
        let hosts = non_empty(&self.allowed_host).map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let is_checked = auth == AuthMode::Open && (listen.ip().is_loopback() || !hosts.is_empty());
        Ok(is_checked.then_some(hosts))
    }
}

/// Requests per minute of a key, if nothing is configured: more than a fleet needs, and less than one
/// client can send that has lost its pause.
const KEY_RATE: u32 = 12_000;
/// Requests per minute of an address without a valid key.
const ADDRESS_RATE: u32 = 600;

/// The rate that is configured, or the default; 0 is no limit.
fn rate(configured: Option<u32>, listen: SocketAddr, default: u32) -> Option<u32> {
    let default = if listen.ip().is_loopback() { 0 } else { default };
    Some(configured.unwrap_or(default)).filter(|rate| *rate > 0)
}

/// The non-empty entries of a list. An empty variable has none.
fn non_empty(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Parses `90s`, `2m`, `1h 30m` or `30d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: Result<Span, _> = text.parse();
    let parsed = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let parsed = parsed.map_err(|error| error.to_string())?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".to_owned())
}

pub(crate) fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must not be zero".to_owned()),
        period => Ok(period),
    }
}

fn log_buffer(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes >= BUFFER_BYTES_MIN => Ok(bytes),
        Ok(_) => Err(format!("it must be at least {BUFFER_BYTES_MIN} bytes, or lines do not fit")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Secret, duration, log_buffer, period};
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
    fn rates_are_limited_except_on_loopback_addresses() {
        let rates = |arguments: &[&str]| {
            let arguments = ["octopoid-server"].iter().chain(arguments);
            let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
            (plan.settings.key_rate_max, plan.settings.address_rate_max)
        };
        assert_eq!(rates(&[]), (None, None));
        let public = ["--listen", "0.0.0.0:1", "--auth", "required"];
        assert_eq!(rates(&public), (Some(12_000), Some(600)));
        let off = ["--rate-limit-key", "0", "--rate-limit-address", "9"];
        assert_eq!(rates(&[&public[..], &off].concat()), (None, Some(9)));
        assert_eq!(rates(&["--rate-limit-key", "7"]), (Some(7), None));
    }

    #[test]
    fn the_administrators_token_is_not_shown() {
        let mut cli = Cli::try_parse_from(["octopoid-server"]).unwrap();
        cli.options.admin_key = Some(Secret("hidden-token".to_owned()));
        assert!(!format!("{cli:?}").contains("hidden-token"));
        assert!(cli.options.plan().unwrap().settings.admin_key_hash.is_some());
    }

    fn hosts(arguments: &[&str]) -> Result<Option<usize>, String> {
        let arguments = ["octopoid-server"].iter().chain(arguments);
        let plan = Cli::try_parse_from(arguments).unwrap().options.plan();
        let plan = plan.map_err(|error| format!("{error:#}"))?;
        Ok(plan.settings.allowed_hosts.map(|hosts| hosts.len()))
    }

    #[test]
    fn an_open_server_on_loopback_is_called_by_names_of_this_machine_and_those_allowed() {
        assert_eq!(hosts(&[]), Ok(Some(0)));
        assert_eq!(hosts(&["--listen", "[::1]:1", "--allowed-host", ""]), Ok(Some(0)));
        let three = ["--allowed-host", "a.example, b:1", "--allowed-host", "c"];
        assert_eq!(hosts(&three), Ok(Some(3)));
        assert_eq!(hosts(&["--auth", "required"]), Ok(None));
        let open = ["--listen", "0.0.0.0:1", "--auth", "open"];
        assert_eq!(hosts(&open), Ok(None));
        assert_eq!(hosts(&[&open[..], &["--allowed-host", "a"]].concat()), Ok(Some(1)));
        let error = hosts(&["--allowed-host", "http://a"]).unwrap_err();
        assert!(error.contains("--allowed-host \"http://a\""), "{error}");
    }

    #[test]
    fn an_origin_that_is_empty_is_none() {
        let list = " https://a.example,,https://b.example";
        let arguments = ["octopoid-server", "--cors-origin", list];
        let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
        let expected = ["https://a.example", "https://b.example"].map(|text| text.parse().unwrap());
        assert_eq!(plan.settings.cors_origins, expected);
        let plan = Cli::try_parse_from(["octopoid-server", "--cors-origin", ""]).unwrap();
        assert!(plan.options.plan().unwrap().settings.cors_origins.is_empty());
    }

    #[test]
    fn what_is_no_origin_is_refused_with_what_to_write() {
        for text in ["*", "board.example", "https://board.example/"] {
            let cli = Cli::try_parse_from(["octopoid-server", "--cors-origin", text]).unwrap();
            let error = format!("{:#}", cli.options.plan().unwrap_err());
            assert!(error.contains(&format!("--cors-origin {text:?}")), "{error}");
            assert!(error.contains("such as https://board.example"), "{error}");
        }
    }

    #[test]
    fn finished_tasks_are_kept_unless_a_time_is_given() {
        let kept = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["octopoid-server"], arguments].concat()).ok()?;
            Some(cli.options.plan().unwrap().settings.retain_done_ms)
        };
        assert_eq!(kept(&[]), Some(None));
        assert_eq!(kept(&["--retain-done", "90d"]), Some(Some(7_776_000_000)));
        assert_eq!(kept(&["--retain-done", "0s"]), None);
    }

    #[test]
    fn a_short_token_of_the_administrator_is_noticed() {
        for (text, is_short) in [("fifteen-letters", true), (" 0123456789abcdef\n", false)] {
            let mut cli = Cli::try_parse_from(["octopoid-server"]).unwrap();
            cli.options.admin_key = Some(Secret(text.to_owned()));
            let plan = cli.options.plan().unwrap();
            assert_eq!(plan.has_short_admin_key, is_short, "{text}");
            let hash = octopoid_api::auth::hash(text.trim());
            assert_eq!(plan.settings.admin_key_hash, Some(hash), "{text}");
        }
    }

    #[test]
    fn a_databases_password_is_not_shown() {
        let arguments = ["octopoid-server", "--database", "postgres://a:geheim@c/d"];
        let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
        assert_eq!(plan.database.to_string(), "postgres://a@c/d");
        assert!(!format!("{plan:?}").contains("geheim"));
        let wrong = Cli::try_parse_from(["o", "--db-connections", "0"]);
        assert!(wrong.is_err());
    }

    #[test]
    fn a_buffer_for_the_log_has_room_for_lines() {
        assert_eq!(log_buffer("65536"), Ok(65_536));
        for text in ["0", "65535"] {
            assert!(log_buffer(text).unwrap_err().contains("at least 65536 bytes"), "{text}");
        }
        assert!(log_buffer("-1").is_err() && log_buffer("8M").is_err());
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(duration("90s").unwrap().as_secs(), 90);
        assert_eq!(duration("2m").unwrap().as_secs(), 120);
        assert_eq!(duration("30d").unwrap().as_secs(), 2_592_000);
        assert!(duration("1mo").is_err(), "months differ in length");
        assert_eq!(duration("0s").unwrap().as_secs(), 0);
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
        assert!(period("0s").is_err());
    }
}
