//! The engine on Cloudflare D1: a batch of the store is a `batch()` of the binding, which D1 runs in
//! one transaction.
//!
//! D1 has one writer and knows no transaction that stays open, so there is nothing to hold and
//! nothing to wait for: this crate only translates, and refuses what D1 would not keep exactly.

mod cells;
mod failure;
mod statement;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Row, Rows, Statement},
};
use worker::{D1Database, D1Result, send::SendFuture};

use crate::{cells::Cells, failure::engine_error};

/// A D1 database, as a Worker is bound to it.
#[derive(Debug)]
pub struct D1 {
    database: D1Database,
    read: AtomicU64,
    written: AtomicU64,
}

/// Rows that D1 counts, and puts on the bill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Rows that statements looked at, those of indexes included.
    pub read: u64,
    /// Rows that statements changed, those of indexes included.
    pub written: u64,
}

impl D1 {
    /// The engine on this binding.
    pub fn new(database: D1Database) -> Self {
        Self { database, read: AtomicU64::default(), written: AtomicU64::default() }
    }

    /// What D1 has counted since the last time somebody asked.
    pub fn take_counted(&self) -> Counted {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counted { read: take(&self.read), written: take(&self.written) }
    }

    /// Runs a batch. What D1 is not asked, because another backend alone needs it, answers no rows.
    async fn run(&self, batch: Vec<Statement>) -> Result<Vec<Rows>, EngineError> {
        let mut asked = Vec::with_capacity(batch.len());
        let mut prepared = Vec::with_capacity(batch.len());
        for statement in &batch {
            let statement = statement::prepare(&self.database, statement)?;
            asked.push(statement.is_some());
            prepared.extend(statement);
        }
        // D1 refuses a batch of nothing.
        if prepared.is_empty() {
            return Ok(asked.iter().map(|_| Rows::new()).collect());
        }
        let results = self.database.batch(prepared).await.map_err(|error| engine_error(&error))?;
        let mut results = results.iter();
        let mut answer = |is_asked: bool| match is_asked.then(|| results.next()) {
            Some(Some(result)) => self.rows(result),
            Some(None) => Err(EngineError::Unavailable("D1 left out an answer".to_owned())),
            None => Ok(Rows::new()),
        };
        asked.into_iter().map(&mut answer).collect()
    }

    fn rows(&self, result: &D1Result) -> Result<Rows, EngineError> {
        self.count(result);
        let rows: Vec<Cells> = result.results().map_err(|error| engine_error(&error))?;
        Ok(rows.into_iter().map(Row::from).collect())
    }

    fn count(&self, result: &D1Result) {
        let Ok(Some(meta)) = result.meta() else { return };
        let add = |counter: &AtomicU64, rows: Option<usize>| {
            let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
            counter.fetch_add(rows, Ordering::Relaxed);
        };
        add(&self.read, meta.rows_read);
        add(&self.written, meta.rows_written);
    }
}

impl Engine for D1 {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.write(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        // JavaScript's promises must stay on their thread, and a Worker has but one. No other place
        // rests on that.
        Box::pin(SendFuture::new(self.run(batch)))
    }
}
