//! Empty databases for tests.
//!
//! On PostgreSQL, each test has a schema of its own on the server that `OCTOPOID_TEST_POSTGRES`
//! names. Where nobody names one, its tests are skipped, loudly; in continuous integration that is
//! a failure.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use octopoid_store::engine::SharedEngine;
use octopoid_store_postgres::{Options, Postgres};
use octopoid_store_sqlite::{Location, Sqlite};
use tempfile::TempDir;

use crate::{DATABASE_VARIABLE as KIND, POSTGRES_VARIABLE as SERVER, skip};

/// How many connections each server of [`Database::shared`] has. The server's own limit is shared
/// by all tests that run at the same time.
const FEW: usize = 8;

/// A schema of its own on a PostgreSQL server; dropped with this value.
#[derive(Debug)]
pub struct Schema {
    server: String,
    name: String,
}

/// An empty database for one test.
pub struct Database {
    /// The engine on it.
    pub engine: SharedEngine,
    schema: Option<Schema>,
    /// Where the file is, if there is one; deleted with this value.
    _directory: Option<TempDir>,
}

impl Schema {
    /// A new schema, or `None` if there is no server and the test is to be skipped.
    pub async fn fresh() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("octopoid_test_{}_{count}", std::process::id());
        // A process of an earlier run may have had the same number.
        execute(&server, &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"))
            .await;
        Some(Self { server, name })
    }

    /// The URL of a database in which this schema is all there is.
    pub fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{separator}options=-csearch_path%3D{}", self.server, self.name)
    }

    /// An engine on it.
    pub fn engine(&self, options: Options) -> Postgres {
        let location = self.url().parse().expect("the server's URL was read before");
        Postgres::open(&location, options).expect("the options make sense")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (server, drop) =
            (self.server.clone(), format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
        // The test's own runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a thread can have a runtime").block_on(execute(&server, &drop));
        });
        // A leftover schema is harmless; the failure that left it was reported.
        let _ = dropping.join();
    }
}

impl Database {
    /// An empty database on the engine that the environment asks for: SQLite, unless it asks for
    /// PostgreSQL.
    pub async fn fresh() -> Self {
        if is_postgres() {
            let schema = Schema::fresh().await.expect("who asks for PostgreSQL names a server");
            return Self::on(schema, Options::default());
        }
        let engine = Sqlite::open(&Location::Memory).expect("memory can be opened");
        Self { engine: Arc::new(engine), schema: None, _directory: None }
    }

    /// The same for many at once. On SQLite it is a file, whose readers and whose writer run side
    /// by side; on PostgreSQL it has few connections, because each of its servers has as many.
    pub async fn shared() -> Self {
        if is_postgres() {
            let schema = Schema::fresh().await.expect("who asks for PostgreSQL names a server");
            return Self::on(schema, few());
        }
        let directory = tempfile::tempdir().expect("a directory for the test");
        let engine = Sqlite::open(&Location::File(directory.path().join("octopoid.db")));
        let engine = Arc::new(engine.expect("no other process has the file open"));
        Self { engine, schema: None, _directory: Some(directory) }
    }

    /// The engine of another server on this database. SQLite has one server, and so one engine.
    pub fn another_server(&self) -> SharedEngine {
        match &self.schema {
            Some(schema) => Arc::new(schema.engine(few())),
            None => SharedEngine::clone(&self.engine),
        }
    }

    fn on(schema: Schema, options: Options) -> Self {
        let engine = Arc::new(schema.engine(options));
        Self { engine, schema: Some(schema), _directory: None }
    }
}

fn few() -> Options {
    Options { connections: FEW, ..Options::default() }
}

/// Whether the environment asks for PostgreSQL.
pub fn is_postgres() -> bool {
    match env::var(KIND).as_deref() {
        Ok("postgres") => true,
        Ok("sqlite" | "") | Err(_) => false,
        Ok(other) => panic!("{KIND} is {other}, and must be sqlite or postgres"),
    }
}

/// The server for tests. Without one, it says so; in continuous integration it panics.
pub fn server() -> Option<String> {
    let named = env::var(SERVER).ok().filter(|url| !url.is_empty());
    if named.is_none() {
        skip(&format!("{SERVER} names no PostgreSQL server (cargo xtask test starts one)"));
    }
    named
}

async fn execute(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
        .await
        .expect("the server for tests can be reached");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("schemas can be made and dropped");
    drop(client);
    let _ = connection.await;
}
