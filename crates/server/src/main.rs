//! The Octopoid coordination server: one binary, one process, with its data in an SQLite file
//! or in a PostgreSQL database that several servers can share.

mod config;
mod copy;
mod database;
mod hidden;
mod host;
mod import;
mod jobs;
mod listen;
mod logging;
mod serve;

use std::{io::Write, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use octopoid_api::{Host, SERVER_VERSION, WIRE_VERSION};
use octopoid_store::{EngineError, Store, StoreError, engine::SharedEngine};
use octopoid_store_postgres::{Options as Pool, Postgres};
use octopoid_store_sqlite::{Location as File, Peek, Sqlite};

use crate::{
    config::{Cli, Command, Options},
    database::Database,
    host::System,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Timeout for one batch of a migration, a copy or an import, and for waiting for another server's
/// migration. Building an index on a large table, or counting its rows, takes longer than the
/// timeout of a request.
const WORK_MAX: Duration = Duration::from_hours(1);

/// The maximum length of a printed error, in bytes: the text may quote input.
const ERROR_MAX: usize = 4_000;

fn main() -> ExitCode {
    let cli: Cli = hidden::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}");
            let shown = &text[..text.floor_char_boundary(ERROR_MAX)];
            let more = if shown.len() < text.len() { "…" } else { "" };
            let _ = writeln!(std::io::stderr(), "octopoid-server: {shown}{more}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    match cli.command.as_ref().unwrap_or(&Command::Serve) {
        Command::Serve => {
            let plan = cli.options.plan()?;
            let _logging = logging::start(cli.options.log_format, cli.options.log_buffer);
            runtime()?.block_on(serve::serve(plan))
        }
        Command::Migrate => {
            let (from, to) = runtime()?.block_on(migrate(&cli.options))?;
            print(&match to - from {
                0 => format!("{} is up to date at schema version {to}\n", cli.options.database),
                _ => format!("{} migrated from {from} to {to}\n", cli.options.database),
            })
        }
        Command::Copy(args) => {
            runtime()?.block_on(copy::run(args, with_work_timeouts(&cli.options.pool())))
        }
        Command::Import(args) => {
            runtime()?.block_on(import::run(args, with_work_timeouts(&cli.options.pool())))
        }
        Command::Openapi => print(octopoid_api::openapi::document()),
        Command::Version => {
            print(&format!("octopoid-server {SERVER_VERSION} (wire contract {WIRE_VERSION})\n"))
        }
    }
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

/// Opens the database without migrating it. A file of another program is rejected unchanged.
async fn connect(database: &Database, pool: Pool) -> anyhow::Result<Store> {
    let engine: SharedEngine = match database {
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
            Arc::new(Sqlite::open_with_limit(location, pool.read_time_max)?)
        }
        Database::Postgres(server) => Arc::new(Postgres::open(server, pool)?),
    };
    Ok(Store::new(engine))
}

/// Opens the database and migrates it to the latest schema version.
async fn open(database: &Database, pool: Pool) -> anyhow::Result<(Store, (i64, i64))> {
    let store = connect(database, pool.clone()).await?;
    let versions = match database {
        Database::Sqlite { .. } => store.migrate(System.now()).await?,
        Database::Postgres(_) => {
            let pool = Pool { connections: 1, lock_wait: WORK_MAX, ..with_work_timeouts(&pool) };
            connect(database, pool).await?.migrate(System.now()).await?
        }
    };
    Ok((store, versions))
}

async fn migrate(options: &Options) -> anyhow::Result<(i64, i64)> {
    let (_, versions) = open(&options.database, options.pool()).await?;
    Ok(versions)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
