//! The span of a request, by the stable semantic conventions for HTTP servers.

use std::{borrow::Cow, convert::Infallible, str::FromStr as _};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName},
    response::Response,
};
use octopoid_api::trace::{CreatedIn, caller};
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, TraceState},
};

use super::{Traces, remote};
use crate::metrics::method_name;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The span of a request that is being answered. It ends with the head of the response, like the
/// time in the metrics, because an event stream has no other end.
pub(crate) struct RequestSpan {
    context: Context,
    method: &'static str,
}

impl Traces {
    /// Begins the span of a request, as a child of the caller's if the request names one. What is
    /// known of it from the beginning is what a sampler can decide by.
    pub(crate) fn request<B>(&self, request: &Request<B>) -> RequestSpan {
        let method = match method_name(request.method()) {
            "other" => "_OTHER",
            known => known,
        };
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("url.path", request.uri().path().to_owned()),
        ];
        let builder = SpanBuilder::from_name(named(method, ""))
            .with_kind(SpanKind::Server)
            .with_attributes(attributes);
        let parent = parent(request.headers());
        let span = builder.start_with_context(&self.tracer, &parent);
        RequestSpan { context: parent.with_span(span), method }
    }
}

/// The caller's place in its trace.
fn parent(headers: &HeaderMap) -> Context {
    let Some(trace) = caller(headers) else { return Context::new() };
    let states = headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok());
    let states = states.collect::<Vec<_>>().join(",");
    let state = TraceState::from_str(&states).unwrap_or_default();
    Context::new().with_remote_span_context(remote(trace, state))
}

impl RequestSpan {
    /// Answers the request inside of the span.
    pub(crate) async fn around(
        self,
        answer: impl Future<Output = Result<Response, Infallible>>,
    ) -> Result<Response, Infallible> {
        let answer = answer.with_context(self.context.clone()).await?;
        self.end(&answer);
        Ok(answer)
    }

    fn end(&self, answer: &Response) {
        let span = self.context.span();
        let status = answer.status();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if let Some(route) = answer.extensions().get::<MatchedPath>() {
            span.update_name(named(self.method, route.as_str()));
            span.set_attribute(KeyValue::new("http.route", route.as_str().to_owned()));
        }
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        // A parent would have to last until the claim, which may be hours later.
        if let Some(CreatedIn(trace)) = answer.extensions().get() {
            span.add_link(remote(*trace, TraceState::default()), Vec::new());
        }
        span.end();
    }
}

/// The name of the span of a request.
fn named(method: &'static str, route: &str) -> Cow<'static, str> {
    let method = if method == "_OTHER" { "HTTP" } else { method };
    if route.is_empty() { method.into() } else { format!("{method} {route}").into() }
}
