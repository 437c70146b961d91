//! Health and information.

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, json::Json, pages::page_or};

/// The version of the wire contract. The clients were written against a server of this version.
pub const WIRE_VERSION: &str = "2.0.0";

/// The version of this server.
pub const SERVER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The health of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// The version of the wire contract.
    version: &'static str,
    /// The version of this server.
    server_version: &'static str,
    /// The server's time.
    timestamp: String,
    /// `connected` or `disconnected`.
    database: &'static str,
}

/// Check the health of the server and its database.
#[utoipa::path(get, path = "/api/health", tag = "service", responses(
    (status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn get_health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let is_ready = is_ready(&app).await;
    let (code, status, database) = if is_ready {
        (StatusCode::OK, "healthy", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "disconnected")
    };
    let health = Health {
        status,
        version: WIRE_VERSION,
        server_version: SERVER_VERSION,
        timestamp: app.now().to_iso(),
        database,
    };
    (code, Json(health))
}

/// Information about the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Info {
    name: &'static str,
    /// The version of the wire contract.
    version: &'static str,
    /// The version of this server.
    server_version: &'static str,
    /// The operations, as `METHOD path`.
    endpoints: &'static [String],
}

/// Get information about the server.
///
/// A request whose `Accept` prefers `text/html` gets the board.
#[utoipa::path(get, path = "/", tag = "service", responses((status = 200, body = Info)))]
pub(crate) async fn get_info(headers: HeaderMap) -> Response {
    page_or(&headers, || {
        let info = Info {
            name: "Octopoid Server",
            version: WIRE_VERSION,
            server_version: SERVER_VERSION,
            endpoints: endpoints(),
        };
        Json(info).into_response()
    })
}

/// The operations of the document, which is read once.
fn endpoints() -> &'static [String] {
    static ENDPOINTS: OnceLock<Vec<String>> = OnceLock::new();
    ENDPOINTS.get_or_init(|| {
        let document: serde_json::Value =
            serde_json::from_str(crate::openapi::document()).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        paths
            .flat_map(|(path, item)| {
                let methods = item.as_object().into_iter().flat_map(serde_json::Map::keys);
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect()
    })
}

/// Liveness probe: the process is running.
#[utoipa::path(get, path = "/livez", tag = "service", responses((status = 200, body = String)))]
pub(crate) async fn get_livez() -> &'static str {
    "ok"
}

/// Readiness probe: the server accepts requests.
#[utoipa::path(get, path = "/readyz", tag = "service", responses(
    (status = 200, body = String), (status = 503, body = String)))]
pub(crate) async fn get_readyz(State(app): State<App>) -> Response {
    if app.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    if is_ready(&app).await {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database is not available").into_response()
    }
}

async fn is_ready(app: &App) -> bool {
    let outcome = app.store.check_ready().await;
    if let Err(error) = &outcome {
        tracing::warn!(%error, "the database is not ready");
    }
    outcome.is_ok()
}

#[cfg(test)]
mod tests {
    use super::endpoints;

    #[test]
    fn the_document_is_read_once() {
        assert!(!endpoints().is_empty());
        assert!(std::ptr::eq(endpoints(), endpoints()));
    }
}
