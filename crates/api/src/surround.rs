//! What stands around every handler: authentication before it, and what every response gets after
//! it, the CORS headers and the time on failures of the server.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, auth::authenticate, problem::Undated};

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,POST,DELETE,PATCH");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Answers preflights before anyone is asked for a key, and dresses every other response.
pub(crate) async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = allowed_origin(&app, request.headers().get(header::ORIGIN));
    let mut response = if request.method() == Method::OPTIONS {
        preflight(request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS))
    } else {
        authenticate(&app, request, next).await
    };
    if let Some(Undated(problem)) = response.extensions_mut().remove::<Undated>() {
        response = problem.at(app.now().to_iso()).into_response();
    }
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if !app.settings.cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// Any origin by default; of a configured list, the one that asks.
fn allowed_origin(app: &App, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    let allowed = &app.settings.cors_origins;
    if allowed.is_empty() {
        return Some(ANY);
    }
    let origin = origin?;
    allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn preflight(asked: Option<&HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(asked) = asked.and_then(|asked| asked.to_str().ok()) {
        let list: Vec<_> = asked.split(',').map(str::trim).collect();
        if let Ok(list) = HeaderValue::from_str(&list.join(",")) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, list);
        }
        let vary = HeaderValue::from_static("Access-Control-Request-Headers");
        headers.insert(header::VARY, vary);
    }
    response
}
