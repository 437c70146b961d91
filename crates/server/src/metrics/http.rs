//! What the server answers.

use std::{sync::atomic::AtomicU32, time::Duration};

use axum::{
    extract::MatchedPath,
    http::{HeaderName, Method},
    response::Response,
};
use octopoid_api::events::IsStream;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::labels::{Answered, Route};

/// From a millisecond to ten seconds.
const TIMES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A response with it has waited because the client asked for that.
const WAITED: HeaderName = HeaderName::from_static("preference-applied");

/// The metrics of HTTP.
pub(crate) struct HttpMetrics {
    requests: Family<Answered, Counter>,
    times: Family<Route, Histogram>,
    connections: Gauge<u32, AtomicU32>,
}

/// An open connection.
pub(crate) struct OpenConnection(Gauge<u32, AtomicU32>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl HttpMetrics {
    /// Counters that no scrape shows.
    pub(crate) fn new() -> Self {
        Self {
            requests: Family::default(),
            times: Family::new_with_constructor(|| Histogram::new(TIMES)),
            connections: Gauge::default(),
        }
    }

    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::new();
        registry.register("http_requests", "Answered requests", metrics.requests.clone());
        let help = "Time from the head of a request to the head of its response, without event \
                    streams and requests that wait as their client asks";
        registry.register("http_request_duration_seconds", help, metrics.times.clone());
        registry.register("http_connections", "Open connections", metrics.connections.clone());
        metrics
    }

    /// Counts a connection until the result is dropped.
    pub(crate) fn connected(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Counts a response. The API says in it which route it came from.
    pub(crate) fn answered(&self, method: &'static str, response: &Response, time: Duration) {
        let route = response.extensions().get::<MatchedPath>();
        let route = route.map_or("", MatchedPath::as_str).to_owned();
        let waits = response.headers().contains_key(WAITED)
            || response.extensions().get::<IsStream>().is_some();
        if !waits {
            let route = Route { method, route: route.clone() };
            self.times.get_or_create(&route).observe(time.as_secs_f64());
        }
        let status = u32::from(response.status().as_u16());
        self.requests.get_or_create(&Answered { method, route, status }).inc();
    }
}

/// The name of a method. Clients can send others than the API has.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
