//! Copies where rows are large.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use octopoid_domain::Millis;
use octopoid_store::{
    Engine, EngineError, Store,
    copy::{CopyError, table},
    engine::{Rows, Statement, Value, text_bytes},
};
use octopoid_store_sqlite::{Location, Sqlite};

/// The most bytes of text that one read may return.
const TEXT_MAX: usize = 10_000;

/// Refuses reads of much text, as every engine does at some size.
struct Narrow {
    engine: Sqlite,
    /// The number of rows of each page that passed.
    pages: Mutex<Vec<usize>>,
}

impl Engine for Narrow {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async move {
            let answers = self.engine.read(batch).await?;
            if answers.iter().flatten().map(|row| text_bytes(row)).sum::<usize>() > TEXT_MAX {
                return Err(EngineError::TooLarge);
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
async fn source(lengths: impl Iterator<Item = usize>) -> (Store, Arc<Narrow>) {
    let narrow = Arc::new(Narrow { engine: in_memory(), pages: Mutex::default() });
    let store = Store::new(narrow.clone());
    store.migrate(Millis(0)).await.unwrap();
    let messages = table("messages").unwrap();
    for (number, length) in (1_i64..).zip(lengths) {
        let text = |text: &str| Value::from(text);
        let row = vec![
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
        ];
        store.insert_rows(messages, vec![row]).await.unwrap();
    }
    (store, narrow)
}

async fn target() -> Store {
    let target = Store::new(Arc::new(in_memory()));
    target.migrate(Millis(0)).await.unwrap();
    target
}

#[tokio::test]
async fn pages_of_large_rows_are_shorter_and_grow_again() {
    let lengths = (0..300).map(|number| if (100..110).contains(&number) { 6_000 } else { 10 });
    let (source, narrow) = source(lengths).await;
    let target = target().await;
    source.copy_to(&target, |_| ()).await.unwrap();
    let pages = std::mem::take(&mut *narrow.pages.lock().unwrap());
    let after_one = pages.iter().skip_while(|rows| **rows != 1).skip(1);
    assert!(after_one.clone().count() > 0, "{pages:?}");
    assert!(after_one.clone().any(|rows| *rows >= 32), "{pages:?}");
    assert_eq!(source.checksums(|_| ()).await.unwrap(), target.checksums(|_| ()).await.unwrap());
}

#[tokio::test]
async fn a_row_that_no_read_may_return_ends_the_copy() {
    let (source, _) = source([10, TEXT_MAX, 10].into_iter()).await;
    let error = source.copy_to(&target().await, |_| ()).await.unwrap_err();
    let CopyError::Table { table: "messages", why: EngineError::TooLarge } = error else {
        panic!("{error}");
    };
}
