//! CORS: which pages a browser lets read an answer.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::app::App;

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,POST,DELETE,PATCH");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Any origin by default; of a configured list, the one that asks.
pub(super) fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let allowed = &app.settings.cors_origins;
    if allowed.is_empty() {
        return Some(ANY);
    }
    let origin = headers.get(header::ORIGIN)?;
    allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// The answer to a preflight request.
pub(super) fn preflight(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
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

/// Adds the headers that every response gets.
pub(super) fn complete(app: &App, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if !app.settings.cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}
