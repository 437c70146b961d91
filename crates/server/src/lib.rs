//! The Octopoid coordination server: one process, with its data in an SQLite file or in a PostgreSQL
//! database that several servers can share.
//!
//! This library has the commands of the server, with the options of each. The program
//! `octopoid-server` offers them by themselves, and the program `octopoid` beside those of a client.

pub mod backup;
mod config;
mod copy;
mod database;
pub mod doctor;
mod embedded;
mod export;
mod hidden;
mod host;
mod import;
mod jobs;
mod listen;
mod log_filter;
mod logging;
mod metrics;
mod new_file;
mod pool;
mod secret;
mod serve;
mod supervisor;
mod traces;
mod webhooks;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use octopoid_api::{Host, SERVER_VERSION, WIRE_VERSION};
use octopoid_store::{EngineError, Store, StoreError};
use octopoid_store_postgres::{Options as Pool, Postgres};
use octopoid_store_sqlite::{Location as File, Peek, Sqlite};

use crate::{
    backup::FolderOption,
    database::{Backend, Database},
    host::System,
};

pub use config::{Cli, Command, Configuration, Options, Report, Setting, duration};
pub use copy::Args as CopyArgs;
pub use embedded::{Embedded, EmbeddedOptions};
pub use export::Args as ExportArgs;
pub use hidden::{parse, without_urls};
pub use import::Args as ImportArgs;
pub use pool::{DatabaseOptions, PoolOptions, UrlOption};

/// Timeout for one batch of a migration, a copy or an import, and for waiting for another server's
/// migration. Building an index on a large table, or counting its rows, takes longer than the
/// timeout of a request.
const WORK_MAX: Duration = Duration::from_hours(1);

/// The maximum length of a printed error, in bytes: the text may quote input.
const ERROR_MAX: usize = 4_000;

/// The text of an error as it is printed: with its causes, and not longer than a screen.
pub fn error_text(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let shown = &text[..text.floor_char_boundary(ERROR_MAX)];
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown}{more}")
}

impl Cli {
    /// Runs the command, or serves if there is none.
    pub fn run(&self) -> anyhow::Result<()> {
        match self.command.as_ref().unwrap_or(&Command::Serve) {
            Command::Serve => serve(&self.options),
            Command::Migrate => migrate(&self.options.database, &self.options.backups.folder),
            Command::CheckConfig(configuration) => check_config(configuration),
            Command::Copy(args) => copy(args, &self.options.database.pool),
            Command::Export(args) => export(args, &self.options.database),
            Command::Import(args) => import(args, &self.options.database.pool),
            Command::Openapi => print_openapi(),
            Command::Version => print_version("octopoid-server"),
        }
    }
}

/// Serves the API until the process receives a stop signal.
pub fn serve(options: &Options) -> anyhow::Result<()> {
    let inherited = supervisor::inherited()?;
    let plan = options.plan_for(inherited.as_ref())?;
    let (_guard, log_filter) = logging::start(options.log_format, options.log_buffer);
    runtime()?.block_on(serve::serve(plan, inherited, log_filter))
}

/// Prints the settings with their origins and what is suspicious in them. Fails if `serve` would
/// reject them. Nothing is opened.
pub fn check_config(configuration: &Configuration) -> anyhow::Result<()> {
    configuration.report().print()
}

/// Migrates the database to the latest schema version, and prints both versions, and the file of
/// the snapshot before, if there is one.
pub fn migrate(options: &DatabaseOptions, backups: &FolderOption) -> anyhow::Result<()> {
    let database = &options.database()?;
    let opening = open_with_snapshot(database, options.pool.pool(), backups.of(database)?, plain);
    let Opened { versions: (from, to), snapshot, .. } = runtime()?.block_on(opening)?;
    print(&match to - from {
        0 => format!("{database} is up to date at schema version {to}\n"),
        _ => format!("{database} migrated from {from} to {to}\n"),
    })?;
    match snapshot {
        Some(file) => print(&format!("the database before is in {}\n", file.display())),
        None => Ok(()),
    }
}

/// Copies all data from one database into another, and prints rows and checksum of each table.
pub fn copy(args: &CopyArgs, pool: &PoolOptions) -> anyhow::Result<()> {
    runtime()?.block_on(copy::run(args, with_work_timeouts(&pool.pool())))
}

/// Exports all data of a database, and prints rows and checksum of each table.
pub fn export(args: &ExportArgs, options: &DatabaseOptions) -> anyhow::Result<()> {
    let pool = with_work_timeouts(&options.pool.pool());
    runtime()?.block_on(export::run(args, &options.database()?, pool))
}

/// Imports an export or the database of the first server, and prints a report.
pub fn import(args: &ImportArgs, pool: &PoolOptions) -> anyhow::Result<()> {
    runtime()?.block_on(import::run(args, with_work_timeouts(&pool.pool())))
}

/// Prints the OpenAPI document.
pub fn print_openapi() -> anyhow::Result<()> {
    print(octopoid_api::openapi::document())
}

/// Prints the version of the program with this name, and that of the wire.
pub fn print_version(program: &str) -> anyhow::Result<()> {
    print(&format!("{program} {SERVER_VERSION} (wire contract {WIRE_VERSION})\n"))
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Timeouts for work other than requests, such as migrations and copies.
fn with_work_timeouts(pool: &Pool) -> Pool {
    Pool { batch_timeout: WORK_MAX, read_time_max: WORK_MAX, ..*pool }
}

/// Opens the database without migrating it.
async fn connect(database: &Database, pool: Pool) -> anyhow::Result<Store> {
    Ok(plain(&backend(database, pool).await?))
}

/// Opens the engine of a database. A file of another program is rejected unchanged.
async fn backend(database: &Database, pool: Pool) -> anyhow::Result<Backend> {
    Ok(match database {
        Database::Sqlite { location, .. } => {
            if let File::File(path) = location
                && path.exists()
            {
                match Store::new(Arc::new(Peek::open(path)?)).check_ours().await {
                    // The read-only connection failed. The writer may recover the file, or reports
                    // why.
                    Err(StoreError::Engine(EngineError::Unavailable(_))) => {}
                    checked => checked?,
                }
            }
            Backend::Sqlite(Arc::new(Sqlite::open_with_limit(location, pool.read_time_max)?))
        }
        Database::Postgres(server) => Backend::Postgres(Arc::new(Postgres::open(server, pool)?)),
    })
}

/// Opens the database and migrates it to the latest schema version.
async fn open(database: &Database, pool: Pool) -> anyhow::Result<(Store, (i64, i64))> {
    let Opened { store, versions, .. } = open_with_snapshot(database, pool, None, plain).await?;
    Ok((store, versions))
}

/// A store that nothing measures.
fn plain(backend: &Backend) -> Store {
    Store::new(backend.engine())
}

/// A database that was opened and migrated.
struct Opened {
    store: Store,
    /// The schema versions before and after.
    versions: (i64, i64),
    /// The backup of the database before, if it is an SQLite file with data that was migrated.
    snapshot: Option<PathBuf>,
}

/// The same, with a store that is made over the engine in this way. The snapshot before a migration
/// is written to this folder, or beside the database.
async fn open_with_snapshot(
    database: &Database,
    pool: Pool,
    folder: Option<&Path>,
    store: impl FnOnce(&Backend) -> Store,
) -> anyhow::Result<Opened> {
    let store = store(&backend(database, pool.clone()).await?);
    match database {
        Database::Sqlite { location, .. } => {
            let snapshot = match location {
                File::File(path) => backup::before_migration(&store, path, folder).await?,
                File::Memory => None,
            };
            let versions = store.migrate(System.now()).await?;
            Ok(Opened { store, versions, snapshot })
        }
        Database::Postgres(_) => {
            let pool = Pool { connections: 1, lock_wait: WORK_MAX, ..with_work_timeouts(&pool) };
            let versions = connect(database, pool).await?.migrate(System.now()).await?;
            Ok(Opened { store, versions, snapshot: None })
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
