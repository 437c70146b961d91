//! What the tests of the engine's connections have in common.

use std::{sync::Arc, time::Duration};

use octopoid_store_postgres::{Options, Postgres};
use octopoid_testbed::database::Schema;
use tokio_postgres::{Client, NoTls};

/// Longer than anything takes on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// An engine on a schema of its own with two tables, and a connection to look at both.
pub(crate) struct World {
    pub(crate) engine: Arc<Postgres>,
    pub(crate) client: Client,
    /// The name by which the engine's connections are found.
    pub(crate) name: String,
    pub(crate) schema: Schema,
}

impl World {
    /// `None` if there is no server and the test is to be skipped.
    pub(crate) async fn start(test: &str, options: Options) -> Option<Self> {
        Self::with(test, "", options).await
    }

    /// The same with more options in the URL.
    pub(crate) async fn with(test: &str, more: &str, options: Options) -> Option<Self> {
        let schema = Schema::fresh().await?;
        let name = format!("{test}-{}", std::process::id());
        let location = format!("{}{more}&application_name={name}", schema.url());
        let engine = Arc::new(Postgres::open(&location.parse().unwrap(), options).unwrap());
        let client = connect(&schema).await;
        let tables = "CREATE TABLE one (id BIGINT PRIMARY KEY, value BIGINT CHECK (value >= 0)); \
             CREATE TABLE two (id BIGINT PRIMARY KEY, value BIGINT); \
             INSERT INTO one SELECT id, 0 FROM generate_series(1, 100) AS id; \
             INSERT INTO two SELECT id, 0 FROM generate_series(1, 100) AS id";
        client.batch_execute(tables).await.unwrap();
        Some(Self { engine, client, name, schema })
    }

    /// How many connections of the engine are in this state.
    pub(crate) async fn count(&self, condition: &str) -> i64 {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND ({condition})"
        );
        self.client.query_one(&sql, &[&self.name]).await.unwrap().get(0)
    }

    /// Waits until so many connections of the engine are in this state.
    pub(crate) async fn until(&self, count: i64, condition: &str) {
        let waiting = async {
            while self.count(condition).await != count {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "never {count} connections with {condition}");
    }

    pub(crate) async fn value(&self, id: i64) -> i64 {
        let row = self.client.query_one("SELECT value FROM one WHERE id = $1", &[&id]).await;
        row.unwrap().get(0)
    }
}

pub(crate) async fn connect(schema: &Schema) -> Client {
    let (client, connection) = tokio_postgres::connect(&schema.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
