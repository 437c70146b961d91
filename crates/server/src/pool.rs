//! The options that say which database is used, and how connections to a PostgreSQL server are.

use std::time::Duration;

use anyhow::anyhow;
use octopoid_store_postgres::Options as Pool;

use crate::{config::period, database::Database, hidden::Hidden, secret};

/// The database, if none is configured.
const DEFAULT: &str = "sqlite:octopoid.db";

/// The options of a command that works on one database.
#[derive(Debug, clap::Args)]
pub struct DatabaseOptions {
    #[command(flatten)]
    url: UrlOption,
    #[command(flatten)]
    pub(crate) pool: PoolOptions,
}

impl DatabaseOptions {
    /// The database that is configured.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        self.url.database()
    }
}

/// The variable with the database's URL.
const VARIABLE: &str = "DATABASE_URL";

/// The option that says which database is used.
#[derive(Debug, clap::Args)]
pub struct UrlOption {
    /// Database URL: `sqlite:FILE`, `sqlite::memory:` (lost when the server stops), or
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME` (can be shared by several servers). Default: that
    /// in the file that `DATABASE_URL_FILE` names, or `sqlite:octopoid.db`.
    #[arg(
        long,
        global = true,
        env = VARIABLE,
        hide_env_values = true,
        value_name = "URL",
        value_parser = Hidden::<Database>::new()
    )]
    database: Option<Database>,
}

impl UrlOption {
    /// The option with this URL.
    #[cfg(test)]
    pub(crate) fn of(url: &str) -> Self {
        Self { database: Some(url.parse().expect("a test has a valid URL")) }
    }

    /// The database that is configured.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        secret::check(VARIABLE)?;
        if let Some(database) = &self.database {
            return Ok(database.clone());
        }
        let url = secret::read(VARIABLE)?;
        let url = url.as_ref().map_or(DEFAULT, |url| &url.0);
        url.parse().map_err(|error: String| anyhow!("{}: {error}", secret::origin(VARIABLE)))
    }
}

/// The options of connections to PostgreSQL.
#[derive(Debug, clap::Args)]
pub struct PoolOptions {
    /// Maximum number of PostgreSQL connections of this server.
    #[arg(
        long = "db-connections",
        global = true,
        env = "OCTOPOID_DB_CONNECTIONS",
        default_value_t = 16,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    connections: u16,

    /// Whether to use prepared statements on PostgreSQL connections. Set to `false` behind a
    /// transaction-mode pooler.
    #[arg(
        long = "db-prepare",
        global = true,
        env = "OCTOPOID_DB_PREPARE",
        default_value_t = true,
        value_name = "BOOLEAN",
        action = clap::ArgAction::Set
    )]
    prepare: bool,

    /// How long a request waits for a free PostgreSQL connection before it fails with 503.
    #[arg(
        long = "db-acquire-timeout",
        global = true,
        env = "OCTOPOID_DB_ACQUIRE_TIMEOUT",
        default_value = "5s",
        value_name = "DURATION",
        value_parser = period
    )]
    acquire_timeout: Duration,

    /// Timeout for the statements of one request on PostgreSQL.
    #[arg(
        long = "db-timeout",
        global = true,
        env = "OCTOPOID_DB_TIMEOUT",
        default_value = "30s",
        value_name = "DURATION",
        value_parser = period
    )]
    timeout: Duration,
}

impl PoolOptions {
    /// The options of the connection pool.
    pub(crate) fn pool(&self) -> Pool {
        Pool {
            connections: self.connections.into(),
            prepares: self.prepare,
            acquire_timeout: self.acquire_timeout,
            batch_timeout: self.timeout,
            ..Pool::default()
        }
    }
}
