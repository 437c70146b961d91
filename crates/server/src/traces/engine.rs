//! The spans of batches, by the stable semantic conventions for clients of databases.

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, SharedEngine, Statement},
};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _},
};
use opentelemetry_sdk::trace::SdkTracer;

use crate::database::Backend;

type Answer = Result<Vec<Rows>, EngineError>;

/// An engine whose batches are spans, as far as they belong to a request. The names of operations
/// are those of the metrics.
pub(super) struct Traced {
    tracer: SdkTracer,
    engine: SharedEngine,
    system: &'static str,
}

impl Traced {
    pub(super) fn new(tracer: SdkTracer, engine: SharedEngine, backend: &Backend) -> Self {
        let system = match backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgresql",
        };
        Self { tracer, engine, system }
    }

    async fn trace(
        &self,
        operation: &'static str,
        statements: usize,
        batch: BoxFuture<'_, Answer>,
    ) -> Answer {
        let request = Context::current();
        if !request.span().is_recording() {
            return batch.await;
        }
        let mut attributes = vec![
            KeyValue::new("db.system.name", self.system),
            KeyValue::new("db.operation.name", operation),
        ];
        // The conventions have no size for what is no batch.
        if let Some(size) = i64::try_from(statements).ok().filter(|size| *size > 1) {
            attributes.push(KeyValue::new("db.operation.batch.size", size));
        }
        let mut span = SpanBuilder::from_name(operation)
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &request);
        let answer = batch.await;
        if let Err(error) = &answer {
            span.set_attribute(KeyValue::new("error.type", kind(error)));
            // Without the text, which may quote what was stored.
            span.set_status(Status::error(""));
        }
        span.end();
        answer
    }
}

/// The kind of a failure.
fn kind(error: &EngineError) -> &'static str {
    match error {
        EngineError::Constraint(_) => "constraint",
        EngineError::Statement(_) => "statement",
        EngineError::Unavailable(_) => "unavailable",
        EngineError::Busy(_) => "busy",
        EngineError::Unconfirmed(_) => "unconfirmed",
        EngineError::Damaged(_) => "damaged",
        EngineError::Stopping => "stopping",
        EngineError::TooSlow => "too_slow",
        EngineError::TooLarge => "too_large",
        EngineError::RowTooLarge => "row_too_large",
    }
}

impl Engine for Traced {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.trace("read", batch.len(), self.engine.read(batch)))
    }

    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.trace("read_by_key", batch.len(), self.engine.read_by_key(batch)))
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.trace("write", batch.len(), self.engine.write(batch)))
    }

    fn write_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.trace("health", batch.len(), self.engine.write_for_health(batch)))
    }

    fn read_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.trace("health", batch.len(), self.engine.read_for_health(batch)))
    }

    fn readers(&self) -> usize {
        self.engine.readers()
    }

    fn is_exclusive(&self) -> bool {
        self.engine.is_exclusive()
    }

    fn stop_reads(&self) {
        self.engine.stop_reads();
    }
}
