//! The Octopoid coordination server: one binary, one process, its data in an SQLite file
//! or in a PostgreSQL database that it shares with others of its kind.

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

/// How long a batch of a migration, a copy or an import may take, or the wait for another server's
/// migration: an index over a large table is not made, nor its rows counted, in the time that a
/// request has.
const WORK_MAX: Duration = Duration::from_hours(1);

/// The most bytes of an error's text that are shown: it may quote what others have written.
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
        Command::Copy(args) => runtime()?.block_on(copy::run(args, patient(&cli.options.pool()))),
        Command::Import(args) => {
            runtime()?.block_on(import::run(args, patient(&cli.options.pool())))
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

/// Time limits for work that is no request, such as migrations and copies.
fn patient(pool: &Pool) -> Pool {
    Pool { batch_timeout: WORK_MAX, read_time_max: WORK_MAX, ..*pool }
}

/// Opens the database as it is. A file that another program has made is refused untouched.
async fn connect(database: &Database, pool: Pool) -> anyhow::Result<Store> {
    let engine: SharedEngine = match database {
        Database::Sqlite { location, .. } => {
            if let File::File(path) = location
                && path.exists()
            {
                match Store::new(Arc::new(Peek::open(path)?)).check_ours().await {
                    // What a reader cannot mend, the writer can, or says why not.
                    Err(StoreError::Engine(EngineError::Unavailable(_))) => {}
                    looked => looked?,
                }
            }
            Arc::new(Sqlite::open_with_limit(location, pool.read_time_max)?)
        }
        Database::Postgres(server) => Arc::new(Postgres::open(server, pool)?),
    };
    Ok(Store::new(engine))
}

/// Opens the database and brings its schema up to date.
async fn open(database: &Database, pool: Pool) -> anyhow::Result<(Store, (i64, i64))> {
    let store = connect(database, pool.clone()).await?;
    let versions = match database {
        Database::Sqlite { .. } => store.migrate(System.now()).await?,
        Database::Postgres(_) => {
            let pool = Pool { connections: 1, lock_wait: WORK_MAX, ..patient(&pool) };
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
