//! CORS: which pages a browser lets read an answer.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::origin::Sender;
use crate::app::{App, AuthMode};

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,POST,DELETE,PATCH");
const ANY: HeaderValue = HeaderValue::from_static("*");
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// What an answer says about the pages that may read it.
pub(super) struct Cors {
    allowed: Option<HeaderValue>,
    varies: bool,
}

impl Cors {
    /// What the answer to a request says that was not refused because of its origin.
    pub(super) fn of(app: &App, request: &Request, sender: Sender) -> Self {
        let origin = request.headers().get(header::ORIGIN);
        let has_list = !app.settings.cors_origins.is_empty();
        let allowed = match (has_list, app.settings.auth, origin) {
            (true, ..) => origin.filter(|_| sender == Sender::Listed).cloned(),
            // What a page needs a key for, any page may ask for that has one. Without an origin the
            // first server says the same, and to browsers it says nothing: they name the origin of
            // every request whose answer a page may read.
            (false, AuthMode::Required, _) | (false, AuthMode::Open, None) => Some(ANY),
            (false, AuthMode::Open, Some(origin)) => {
                (sender == Sender::Foreign).then(|| origin.clone())
            }
        };
        // No cache may give a page what it kept of an answer to another caller. Preflights are kept
        // for each origin anyway.
        let is_preflight = request.method() == Method::OPTIONS;
        let is_open = app.settings.auth == AuthMode::Open;
        let varies = has_list || is_open && (origin.is_some() || !is_preflight);
        Self { allowed, varies }
    }

    /// What an answer says that refuses a request because of its origin.
    pub(super) fn refused() -> Self {
        Self { allowed: None, varies: true }
    }

    /// Adds the headers.
    pub(super) fn complete(self, headers: &mut HeaderMap) {
        if let Some(allowed) = self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        if self.varies {
            headers.append(header::VARY, ORIGIN);
        }
    }
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
