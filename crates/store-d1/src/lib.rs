//! The engine on Cloudflare D1: a batch of the store is a `batch()` of the binding, which D1 runs
//! in one transaction.
//!
//! D1 has one writer and no interactive transactions, so no locks are needed. This crate only
//! converts values, and rejects those that D1 would not store exactly.

mod cells;
mod failure;
mod statement;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Row, Rows, Statement, text_bytes},
};
use worker::{D1Database, D1Result, send::SendFuture};

use crate::{cells::Cells, failure::engine_error};

/// The maximum total text of the rows of one read, in bytes. An instance has 128 MB, and each text
/// is copied several times between D1 and the client.
const TEXT_MAX: usize = 16 << 20;

/// The D1 database of a Worker's binding.
#[derive(Debug)]
pub struct D1 {
    database: D1Database,
    counters: Option<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    statements: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

/// The usage counted by D1, which is limited or billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Statements that were run.
    pub statements: u64,
    /// Rows read, including those of indexes.
    pub read: u64,
    /// Rows written, including those of indexes.
    pub written: u64,
}

impl D1 {
    /// Creates an engine on this binding.
    pub fn new(database: D1Database) -> Self {
        Self { database, counters: None }
    }

    /// Creates an engine that records D1's usage, which takes time with every response.
    pub fn counting(database: D1Database) -> Self {
        Self { database, counters: Some(Counters::default()) }
    }

    /// The usage since the last call.
    pub fn take_counted(&self) -> Counted {
        let Some(counters) = &self.counters else { return Counted::default() };
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counted {
            statements: take(&counters.statements),
            read: take(&counters.read),
            written: take(&counters.written),
        }
    }

    /// Runs a batch. Statements that only other engines need return no rows.
    async fn run(&self, batch: Vec<Statement>, is_write: bool) -> Result<Vec<Rows>, EngineError> {
        let mut asked = Vec::with_capacity(batch.len());
        let mut prepared = Vec::with_capacity(batch.len());
        for statement in &batch {
            let statement = statement::prepare(&self.database, statement)?;
            asked.push(statement.is_some());
            prepared.extend(statement);
        }
        // D1 rejects an empty batch.
        if prepared.is_empty() {
            return Ok(asked.iter().map(|_| Rows::new()).collect());
        }
        let results = self.database.batch(prepared).await;
        let results = results.map_err(|error| engine_error(&error, is_write))?;
        let mut results = results.iter();
        // The result of a write is not limited.
        let mut left = if is_write { usize::MAX } else { TEXT_MAX };
        let mut answer = |is_asked: bool| match is_asked.then(|| results.next()) {
            Some(Some(result)) => self.rows(result, &mut left),
            Some(None) => Err(EngineError::Statement("D1 returned too few results".to_owned())),
            None => Ok(Rows::new()),
        };
        asked.into_iter().map(&mut answer).collect()
    }

    /// The rows of a result. `left` is the remaining text limit, and is reduced by their text.
    fn rows(&self, result: &D1Result, left: &mut usize) -> Result<Rows, EngineError> {
        if let Some(counters) = &self.counters {
            counters.add(result);
        }
        let rows = result.results().map_err(|error| EngineError::Statement(error.to_string()))?;
        let rows: Rows = rows.into_iter().map(|cells: Cells| Row::from(cells)).collect();
        let bytes = rows.iter().map(|row| text_bytes(row)).sum();
        *left = left.checked_sub(bytes).ok_or(EngineError::TooLarge)?;
        Ok(rows)
    }
}

impl Counters {
    fn add(&self, result: &D1Result) {
        let add = |counter: &AtomicU64, rows: Option<usize>| {
            let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
            counter.fetch_add(rows, Ordering::Relaxed);
        };
        add(&self.statements, Some(1));
        let Ok(Some(meta)) = result.meta() else { return };
        add(&self.read, meta.rows_read);
        add(&self.written, meta.rows_written);
    }
}

// `SendFuture`: JavaScript promises must stay on their thread, and a Worker has only one. No other code
// relies on that.
impl Engine for D1 {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(SendFuture::new(self.run(batch, false)))
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(SendFuture::new(self.run(batch, true)))
    }
}
