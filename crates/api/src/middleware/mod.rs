//! What runs around every handler, in this order: [`cors`] and then authentication on the way in,
//! and on the way out the time on failures of the server and the CORS headers.
//!
//! A further layer is a file here, and a line in [`run`].

mod cors;

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, auth::authenticate, problem::Undated};

/// Answers preflights before anyone is asked for a key, and completes every other response.
pub(crate) async fn run(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = cors::allowed_origin(&app, request.headers());
    let mut response = if request.method() == Method::OPTIONS {
        cors::preflight(request.headers())
    } else {
        authenticate(&app, request, next).await
    };
    if let Some(Undated(problem)) = response.extensions_mut().remove::<Undated>() {
        response = problem.at(app.now().to_iso()).into_response();
    }
    cors::complete(&app, origin, response.headers_mut());
    response
}
