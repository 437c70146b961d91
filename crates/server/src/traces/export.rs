//! Sending spans to the collector.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use async_trait::async_trait;
use axum::{
    body::Bytes,
    http::{Request, Response},
};
use octopoid_domain::causes::joined;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use reqwest::{Client, redirect::Policy};
use tokio::runtime::Handle;

use super::config::{Endpoint, TracesConfig};

/// What exports the spans. It needs a runtime, on which the requests run.
pub(super) fn exporter(config: &TracesConfig) -> anyhow::Result<SpanExporter> {
    let TracesConfig { endpoint, timeout, .. } = config;
    let http = octopoid_client::http(&endpoint.0)
        .timeout(*timeout)
        // The headers may have a key, which is meant for this collector.
        .redirect(Policy::none())
        .build()
        .context("cannot make an HTTP client for traces")?;
    let collector = Collector {
        http,
        runtime: Handle::current(),
        endpoint: endpoint.clone(),
        is_failing: AtomicBool::new(false),
    };
    SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(&endpoint.0)
        .with_timeout(*timeout)
        .build()
        .context("cannot export traces")
}

/// The collector. Its failures are logged when they begin and when they end.
#[derive(Debug)]
struct Collector {
    http: Client,
    /// The SDK exports on a thread of its own, outside of the runtime that the client needs.
    runtime: Handle,
    endpoint: Endpoint,
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self.runtime.spawn(send(self.http.clone(), request));
        // A runtime that has ended sends nothing, and logs nothing.
        let answer = sending.await?;
        match &answer {
            Ok(answer) if answer.status().is_success() => self.succeeded(),
            Ok(answer) => self.failed(&format!("it answers {}", answer.status())),
            Err(error) => self.failed(&joined(&**error)),
        }
        answer
    }
}

impl Collector {
    fn succeeded(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("traces are exported again to {}", self.endpoint);
        }
    }

    fn failed(&self, why: &str) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "cannot export traces to {}: {why}; until it takes them, spans are dropped",
                self.endpoint
            );
        }
    }
}

async fn send(http: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer =
        http.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        std::mem::swap(headers, answer.headers_mut());
    }
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    Ok(response.body(body)?)
}
