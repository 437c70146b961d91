//! Traces of requests, exported over OTLP if the standard variables of OpenTelemetry ask for it.
//!
//! A request is a span, and each of its batches in the database a child of it. The spans are made
//! with the API of OpenTelemetry and not from those of `tracing`, so that log lines and their filter
//! do not depend on them. Without the variables there is no [`Traces`], and nothing is done.

mod config;
mod engine;
mod export;
mod request;

use std::{sync::Arc, time::Duration};

use octopoid_api::SERVER_VERSION;
use octopoid_domain::Traceparent;
use octopoid_store::engine::SharedEngine;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceState, TracerProvider as _},
};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{SdkTracer, SdkTracerProvider},
};

use crate::database::Backend;

pub(crate) use self::config::TracesConfig;

/// The name of the service if no variable has one.
const SERVICE: &str = "octopoid";

/// How long a stopping server waits for the collector.
const FLUSH: Duration = Duration::from_secs(2);

/// What makes spans and exports them. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts the thread that exports. It needs the runtime.
    pub(crate) fn start(config: &TracesConfig) -> anyhow::Result<Self> {
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(export::exporter(config)?)
            .with_resource(resource())
            .build();
        let scope = InstrumentationScope::builder(SERVICE).with_version(SERVER_VERSION).build();
        tracing::info!("traces are exported to {config}");
        Ok(Self { tracer: provider.tracer_with_scope(scope), provider })
    }

    /// The engine, each of whose batches is a span while a request is traced.
    pub(crate) fn traced(&self, engine: SharedEngine, backend: &Backend) -> SharedEngine {
        Arc::new(engine::Traced::new(self.tracer.clone(), engine, backend))
    }

    /// Exports what is left, within a limit of time, and ends.
    pub(crate) async fn stop(self) {
        let stopping = move || self.provider.shutdown_with_timeout(FLUSH);
        // The failure of the collector has been logged.
        let _ = tokio::task::spawn_blocking(stopping).await;
    }
}

/// What is said of this process.
fn resource() -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name(SERVICE)
        .with_attribute(KeyValue::new("service.version", SERVER_VERSION))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// A span of another process.
fn remote(trace: Traceparent, state: TraceState) -> SpanContext {
    let Traceparent { trace_id, span_id, flags } = trace;
    let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(span_id));
    SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, state)
}
