//! The command line and the environment. A flag wins over its variable.

mod checked;

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use jiff::{Span, SpanRelativeTo};
use octopoid_api::{
    AuthMode, Authority, Origin, Settings,
    app::{BODY_BYTES_MAX, IN_FLIGHT_BYTES_MAX},
    auth::AdminKey,
    rate_limit::RATE_MAX,
};
use octopoid_domain::webhook;
use octopoid_store_postgres::Options as Pool;

use crate::{
    backup::{Schedule, ScheduleOptions},
    copy,
    database::Database,
    error_text, export, import,
    logging::{BUFFER_BYTES, BUFFER_BYTES_MIN, LogFormat},
    pool::DatabaseOptions,
    secret::{self, Secret},
    traces::TracesConfig,
};

pub use checked::{Configuration, Report, Setting};

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
    /// Print the settings of `serve` with their origins, and check them. Nothing is opened.
    CheckConfig(Box<Configuration>),
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
// Without it, clap would make a group of this name, which another one beside it may have.
#[group(skip)]
pub struct Options {
    /// Address to listen on. Default: 127.0.0.1 with the port in PORT, or 8787. A socket that a
    /// service manager passes is used instead.
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

    #[command(flatten)]
    pub(crate) backups: ScheduleOptions,

    /// Whether requests need an API key. Default on a loopback address: `open`. Required on others.
    #[arg(long, global = true, env = "OCTOPOID_AUTH")]
    auth: Option<Auth>,

    /// How many requests a key may send in a minute, in each server process; 0 turns the limit off.
    /// Default: 12000, and 0 on a loopback address.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_RATE_LIMIT_KEY",
        value_name = "NUMBER",
        value_parser = rates()
    )]
    rate_limit_key: Option<u32>,

    /// How many requests an address may send in a minute without a valid key; 0 turns the limit off.
    /// Loopback addresses are not limited. Default: 600, and 0 on a loopback address.
    #[arg(
        long,
        global = true,
        env = "OCTOPOID_RATE_LIMIT_ADDRESS",
        value_name = "NUMBER",
        value_parser = rates()
    )]
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

    /// Let webhooks call addresses inside: those of this machine, of private networks, and others that
    /// are not on the internet.
    #[arg(long, global = true, env = "OCTOPOID_WEBHOOK_ALLOW_PRIVATE")]
    webhook_allow_private: bool,

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

    /// The administrator's bearer token, or why it cannot be read. It comes from the environment
    /// only: a command line is visible to every user of the machine.
    #[arg(skip = secret::read("API_SECRET_KEY").map_err(|error| error_text(&error)))]
    admin_key: Result<Option<Secret>, String>,
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
    pub(crate) backups: Option<Schedule>,
    /// Whether the administrator's token is so short that it can be guessed.
    pub(crate) has_short_admin_key: bool,
    pub(crate) settings: Settings,
    pub(crate) traces: Option<TracesConfig>,
}

impl Options {
    /// Validates the options and rejects unsafe combinations.
    pub(crate) fn plan(&self) -> anyhow::Result<ServeConfig> {
        let default = SocketAddr::from(([127, 0, 0, 1], self.port.unwrap_or(8787)));
        self.plan_at(self.listen.unwrap_or(default))
    }

    /// The same for a server that uses this socket, if there is one.
    pub(crate) fn plan_for(&self, inherited: Option<&TcpListener>) -> anyhow::Result<ServeConfig> {
        match inherited {
            Some(listener) => {
                let address = listener.local_addr();
                self.plan_at(address.context("cannot determine the address of the socket")?)
            }
            None => self.plan(),
        }
    }

    fn plan_at(&self, listen: SocketAddr) -> anyhow::Result<ServeConfig> {
        let auth = match self.auth {
            Some(Auth::Open) => AuthMode::Open,
            Some(Auth::Required) => AuthMode::Required,
            None if listen.ip().is_loopback() => AuthMode::Open,
            None => bail!(
                "{listen} is not a loopback address: set --auth required, or --auth open to accept \
                 requests without a key"
            ),
        };
        let admin_key = self.admin_key.clone().map_err(anyhow::Error::msg)?;
        let admin_key = admin_key.and_then(|key| AdminKey::read(&key.0));
        let database = self.database.database()?;
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
            shares_database: matches!(database, Database::Postgres(_)),
            jobs_period_ms: i64::try_from(self.reap_interval.as_millis())
                .context("the reap interval is too long")?,
            retain_events_ms: i64::try_from(self.retain_events.as_millis())
                .context("the retention of events is too long")?,
            key_rate_max: rate(self.rate_limit_key, listen, KEY_RATE),
            address_rate_max: rate(self.rate_limit_address, listen, ADDRESS_RATE),
            webhooks: webhook::Rules {
                allows_private: self.webhook_allow_private,
                allows_http: true,
            },
            ..Settings::default()
        };
        Ok(ServeConfig {
            listen,
            metrics_listen: self.metrics_listen,
            pool: self.database.pool.pool(),
            reap_interval: self.reap_interval,
            backups: self.backups.schedule(&database)?,
            database,
            has_short_admin_key: admin_key.is_some_and(|key| key.is_short),
            settings,
            traces: TracesConfig::from_environment()?,
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

/// The rates that can be configured.
fn rates() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(RATE_MAX))
}

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
mod tests;
