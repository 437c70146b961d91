//! What streams cost while nothing happens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{FutureExt, future::BoxFuture};
use octopoid_api::Settings;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use octopoid_testbed::database::{Database, is_postgres};
use serde_json::json;

use crate::{common::TestApp, streams::open, waiting};

/// A database that counts how often it is asked.
struct Counting {
    database: Database,
    calls: AtomicUsize,
    writes: AtomicUsize,
    open: AtomicUsize,
}

type Answer<'a> = BoxFuture<'a, Result<Vec<Rows>, EngineError>>;

impl Counting {
    fn counted<'a>(&'a self, answer: Answer<'a>) -> Answer<'a> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            let answer = answer.await;
            self.open.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }

    /// Lets everything run that can, until it waits for time to pass. All tasks are on this thread.
    async fn settle(&self) {
        let mut idle = 0;
        while idle < 100 {
            tokio::task::yield_now().await;
            idle = if self.open.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        }
    }
}

impl Engine for Counting {
    fn read(&self, batch: Vec<Statement>) -> Answer<'_> {
        self.counted(self.database.engine.read(batch))
    }

    fn write(&self, batch: Vec<Statement>) -> Answer<'_> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.counted(self.database.engine.write(batch))
    }
}

async fn counting_app(settings: Settings) -> (TestApp, Arc<Counting>) {
    let engine = Arc::new(Counting {
        database: Database::fresh().await,
        calls: AtomicUsize::new(0),
        writes: AtomicUsize::new(0),
        open: AtomicUsize::new(0),
    });
    let app = waiting(TestApp::over(Arc::clone(&engine) as Arc<dyn Engine>, settings));
    app.app.store.migrate(app.app.now()).await.unwrap();
    (app, engine)
}

/// How often the database is asked within a minute in which a board is open and nothing is written.
async fn calls_of_an_idle_minute(settings: Settings) -> usize {
    let (app, engine) = counting_app(settings).await;
    let mut stream = open(&app, "scope=s").await;
    stream.start().await;
    app.task("a", json!({})).await;
    assert_eq!(stream.line().await, "task.created a");
    // The end of the write has hinted at more than was left to read.
    engine.settle().await;
    let before = engine.calls.load(Ordering::SeqCst);
    for second in 1..=60 {
        app.passes(1_000);
        engine.settle().await;
        if second % 15 == 0 {
            assert!(stream.block().await.unwrap().starts_with(':'), "a comment says it is alive");
        }
    }
    let calls = engine.calls.load(Ordering::SeqCst) - before;
    app.task("b", json!({})).await;
    assert_eq!(stream.line().await, "task.created b");
    calls
}

#[tokio::test]
async fn an_idle_board_reads_nothing_where_one_server_has_the_database() {
    assert_eq!(calls_of_an_idle_minute(Settings::default()).await, 0);
}

/// Hints of other servers may be lost.
#[tokio::test]
async fn servers_that_share_a_database_look_every_five_seconds() {
    let settings = Settings { shares_database: true, ..Settings::default() };
    assert_eq!(calls_of_an_idle_minute(settings).await, 12);
}

/// The write of a caller that disconnects goes on, and nothing hints at its event.
#[tokio::test]
async fn the_event_of_a_caller_that_has_gone_arrives_without_waiting() {
    // It needs an engine that keeps the order of writes. On PostgreSQL, the tail looks every few
    // seconds instead.
    if is_postgres() {
        return;
    }
    let (app, engine) = counting_app(Settings::default()).await;
    let mut stream = open(&app, "scope=s").await;
    stream.start().await;
    let writes = engine.writes.load(Ordering::SeqCst);
    let mut request = Box::pin(app.task("a", json!({})));
    while (&mut request).now_or_never().is_none() && engine.writes.load(Ordering::SeqCst) == writes
    {
        tokio::task::yield_now().await;
    }
    drop(request);
    assert_eq!(stream.line().await, "task.created a");
}
