//! What runs around every handler. On the way in, in this order: the host name that was called
//! ([`host`]), the page that sends the request ([`origin`]), preflights ([`cors`]), which time it is
//! ([`clock`](crate::clock)), and who calls ([`auth`](crate::auth)). On the way out: whether so much
//! may be held ([`in_flight`]), the time on failures of the server, and the headers of [`cors`] and
//! [`protect`].
//!
//! A further layer is a file here, and a line in [`check`], in [`answer`] or in [`run`].

mod cors;
mod host;
pub(crate) mod in_flight;
mod origin;
mod protect;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use self::{cors::Cors, origin::Sender};
use crate::{
    app::App,
    auth::{authenticate, is_guarded},
    pages::is_page,
    problem::{Problem, Undated},
};

/// Answers a request, and completes the answer.
pub(crate) async fn run(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_page = is_page(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (mut response, cors) = match check(&app, &request) {
        Ok(cors) => (answer(&app, request, next).await, cors),
        Err(problem) => (problem.into_response(), Cors::refused()),
    };
    if let Some(Undated(problem)) = response.extensions_mut().remove::<Undated>() {
        response = problem.at(app.now().to_iso()).into_response();
    }
    cors.complete(response.headers_mut());
    protect::complete(is_page, response.headers_mut());
    // For the metrics of the host.
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Refuses a request by the host name that it calls and by the page that sends it.
fn check(app: &App, request: &Request) -> Result<Cors, Problem> {
    if let Some(allowed) = &app.settings.allowed_hosts {
        host::check(request, allowed).inspect_err(|_| app.refusals.hosts.note(app.now()))?;
    }
    let sender = Sender::of(request, &app.settings.cors_origins);
    origin::check(app, request, sender).inspect_err(|_| app.refusals.origins.note(app.now()))?;
    Ok(Cors::of(app, request, sender))
}

async fn answer(app: &App, mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return cors::preflight(request.headers());
    }
    // Signing in, which stores times too, is a POST outside of what keys guard.
    let is_timed = is_guarded(request.uri().path()) || request.method() == Method::POST;
    if app.is_clock_doubtful() && is_timed {
        // Without its database the request fails, and says so itself.
        app.check_clock().await.ok();
    }
    let in_flight = in_flight::enter(app, &mut request);
    in_flight.leave(app, authenticate(app, request, next).await)
}
