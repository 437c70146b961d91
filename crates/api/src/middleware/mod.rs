//! What runs around every handler. On the way in, in this order: the host name that was called
//! ([`host`]), the page that sends the request ([`origin`]), preflights ([`cors`]), which time it is
//! ([`clock`](crate::clock)), and who calls ([`auth`](crate::auth)). On the way out: whether so much
//! may be held ([`in_flight`]), the time on failures of the server, and the headers of [`cors`] and
//! [`protect`].
//!
//! A further layer is a file here, and a line in [`answer`] or in [`run`].

mod authority;
mod cors;
mod host;
mod in_flight;
mod origin;
mod protect;

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use self::{cors::Cors, origin::Sender};
use crate::{app::App, auth::authenticate, problem::Undated};

pub use authority::{Authority, AuthorityError, Origin, OriginError};
pub(crate) use in_flight::Overloaded;

/// Answers a request, and completes the answer.
pub(crate) async fn run(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_page = origin::PAGES.contains(&request.uri().path());
    let (mut response, cors) = answer(&app, request, next).await;
    if let Some(Undated(problem)) = response.extensions_mut().remove::<Undated>() {
        response = problem.at(app.now().to_iso()).into_response();
    }
    cors.complete(response.headers_mut());
    protect::complete(is_page, response.headers_mut());
    response
}

async fn answer(app: &App, request: Request, next: Next) -> (Response, Cors) {
    if let Some(allowed) = &app.settings.allowed_hosts
        && let Err(problem) = host::check(&request, allowed)
    {
        app.refusals.hosts.note(app.now());
        return (problem.into_response(), Cors::refused());
    }
    let sender = Sender::of(&request, &app.settings.cors_origins);
    if let Err(problem) = origin::check(app, &request, sender) {
        app.refusals.origins.note(app.now());
        return (problem.into_response(), Cors::refused());
    }
    let cors = Cors::of(app, &request, sender);
    let response = if request.method() == Method::OPTIONS {
        cors::preflight(request.headers())
    } else {
        if app.is_clock_doubtful() && request.uri().path().starts_with("/api/v1/") {
            // Without its database the request fails, and says so itself.
            app.check_clock().await.ok();
        }
        let (in_flight, request) = in_flight::enter(app, request);
        in_flight.leave(app, authenticate(app, request, next).await)
    };
    (response, cors)
}
