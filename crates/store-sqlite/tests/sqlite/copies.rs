//! Copies where rows are large.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use octopoid_domain::Millis;
use octopoid_store::{
    Engine, EngineError, Store,
    copy::{CopyError, ndjson::ExportError, table},
    engine::{Row, Rows, Statement, Value, text_bytes},
};
use octopoid_store_sqlite::{Location, Sqlite};

/// The most bytes of text that one read may return.
const TEXT_MAX: usize = 10_000;

/// Refuses reads of much text, as every engine does at some size or after some time.
struct Narrow {
    engine: Sqlite,
    /// What it says of a read of more.
    refusal: EngineError,
    /// The number of rows of each page that passed.
    pages: Mutex<Vec<usize>>,
}

impl Engine for Narrow {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async move {
            let answers = self.engine.read(batch).await?;
            if answers.iter().flatten().map(|row| text_bytes(row)).sum::<usize>() > TEXT_MAX {
                return Err(self.refusal.clone());
            }
            self.pages.lock().unwrap().extend(answers.iter().map(Vec::len));
            Ok(answers)
        })
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.engine.write(batch)
    }
}

fn in_memory() -> Sqlite {
    Sqlite::open(&Location::Memory).unwrap()
}

/// A source with this many messages, the longest in the middle.
async fn source(
    refusal: EngineError,
    lengths: impl Iterator<Item = usize>,
) -> (Store, Arc<Narrow>) {
    let narrow = Arc::new(Narrow { engine: in_memory(), refusal, pages: Mutex::default() });
    let store = Store::new(narrow.clone());
    store.migrate(Millis(0)).await.unwrap();
    let messages = table("messages").unwrap();
    for (number, length) in (1_i64..).zip(lengths) {
        store.insert_rows(messages, vec![message(number, length)]).await.unwrap();
    }
    (store, narrow)
}

fn message(number: i64, length: usize) -> Row {
    let text = |text: &str| Value::from(text);
    vec![
        Value::Int(number),
        Value::Text(format!("m{number}")),
        text("t"),
        text("me"),
        Value::Null,
        text("info"),
        Value::Text("x".repeat(length)),
        Value::Int(0),
        text("s"),
        Value::Null,
        Value::Int(0),
    ]
}

/// Adds a message to a database as soon as something is written here.
struct Meddling(Option<Store>);

impl std::io::Write for Meddling {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(store) = self.0.take() {
            let adding = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let row = message(1_000, 10);
                runtime.block_on(store.insert_rows(table("messages").unwrap(), vec![row])).unwrap();
            };
            std::thread::spawn(adding).join().unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn target() -> Store {
    let target = Store::new(Arc::new(in_memory()));
    target.migrate(Millis(0)).await.unwrap();
    target
}

#[tokio::test]
async fn pages_that_are_too_large_or_too_slow_become_shorter_and_grow_again() {
    for refusal in [EngineError::TooLarge, EngineError::TooSlow] {
        let lengths = (0..300).map(|number| if (100..110).contains(&number) { 6_000 } else { 10 });
        let (source, narrow) = source(refusal, lengths).await;
        let target = target().await;
        source.copy_to(&target, |_| ()).await.unwrap();
        let pages = std::mem::take(&mut *narrow.pages.lock().unwrap());
        let after_one = pages.iter().skip_while(|rows| **rows != 1).skip(1);
        assert!(after_one.clone().count() > 0, "{pages:?}");
        assert!(after_one.clone().any(|rows| *rows >= 32), "{pages:?}");
        let (here, there) = (source.checksums(|_| ()).await, target.checksums(|_| ()).await);
        assert_eq!(here.unwrap(), there.unwrap());
    }
}

#[tokio::test]
async fn a_row_that_no_read_may_return_ends_the_copy() {
    let (source, _) = source(EngineError::TooLarge, [10, TEXT_MAX, 10].into_iter()).await;
    let error = source.copy_to(&target().await, |_| ()).await.unwrap_err();
    let CopyError::Table { table: "messages", why: EngineError::TooLarge } = error else {
        panic!("{error}");
    };
}

#[tokio::test]
async fn an_export_during_which_rows_are_added_fails() {
    let store = target().await;
    let out = Meddling(Some(store.clone()));
    let error = store.export(out, |_| (), async |_| Ok(())).await.unwrap_err();
    assert!(matches!(error, ExportError::Changed("messages")), "{error}");
}
