//! Which web page made a browser send a request, and whether it may.
//!
//! Any page can make any browser send requests to any address: forms and images need no permission,
//! and a text is taken as JSON whatever its content type says. Browsers tell in `Origin` and in
//! `Sec-Fetch-Site` where a request comes from, and pages cannot change these headers. Programs
//! send neither.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

use super::host;
use crate::{
    app::{App, AuthMode},
    auth,
    authority::Origin,
    pages::is_page,
    problem::Problem,
};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

const TEXT: &str = "Web pages of other origins may not call this server: allow the page's origin \
                    with --cors-origin or OCTOPOID_CORS_ORIGIN";

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A program, a typed address, or a page of this server itself.
    Own,
    /// A page whose origin the settings name.
    Listed,
    /// Another page.
    Foreign,
}

impl Sender {
    pub(super) fn of(request: &Request, listed: &[Origin]) -> Self {
        let headers = request.headers();
        let is_listed =
            |origin: &HeaderValue| read(origin).is_some_and(|origin| listed.contains(&origin));
        let sites = || headers.get_all(SITE).iter().map(HeaderValue::as_bytes);
        let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
        if origins.peek().is_none() {
            // Browsers name no origin in what only reads and is not shown to the page.
            // Another port of the same machine is the same site, but not the same origin.
            let is_own = sites().all(|site| site == b"same-origin" || site == b"none");
            return if is_own { Self::Own } else { Self::Foreign };
        }
        let origins: Vec<_> = origins.collect();
        if origins.iter().all(|origin| is_listed(origin)) {
            return Self::Listed;
        }
        let is_own = |origin: &&HeaderValue| is_listed(origin) || is_called(origin, request);
        if origins.iter().all(is_own) && sites().all(|site| site != b"cross-site") {
            Self::Own
        } else {
            Self::Foreign
        }
    }
}

/// Whether an origin is the address that was called. Behind a proxy with TLS the server does not
/// know under which scheme it was called, so a port that `Host` leaves out is that of the origin's
/// scheme.
fn is_called(origin: &HeaderValue, request: &Request) -> bool {
    let Some(origin) = read(origin) else {
        return false;
    };
    let mut called = host::called(request).peekable();
    called.peek().is_some()
        && called.all(|called| called.is_some_and(|called| origin.is_at(&called)))
}

fn read(origin: &HeaderValue) -> Option<Origin> {
    origin.to_str().ok()?.parse().ok()
}

/// Refuses what a foreign page may not ask for. Where origins are listed, that is everything. Where
/// none are, a page may come with a key: a browser does not add one by itself, as it does with
/// cookies. Without a key it may do what does not depend on where the server can be reached from,
/// which is nothing on a server that needs no keys.
pub(super) fn check(app: &App, request: &Request, sender: Sender) -> Result<(), Problem> {
    let is_open = app.settings.auth == AuthMode::Open;
    let is_limited = is_open || !app.settings.cors_origins.is_empty();
    if sender != Sender::Foreign || !is_limited || is_visit(request) {
        return Ok(());
    }
    if app.settings.cors_origins.is_empty() && has_key(request) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", TEXT))
}

/// Whether a request comes with a key that will be checked, or asks whether it may.
fn has_key(request: &Request) -> bool {
    if !auth::is_guarded(request.uri().path()) {
        return false;
    }
    if request.method() == Method::OPTIONS {
        let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let mut names = asked.and_then(|asked| asked.to_str().ok()).unwrap_or_default().split(',');
        return names.any(|name| name.trim().eq_ignore_ascii_case("authorization"));
    }
    auth::presented(request.headers()).is_some()
}

/// Whether this is a top-level navigation to a page.
fn is_visit(request: &Request) -> bool {
    let headers = request.headers();
    let is = |name, value: &str, default| all_are(headers, name, value).unwrap_or(default);
    [Method::GET, Method::HEAD].contains(request.method())
        && is_page(request)
        && headers.get(header::ORIGIN).is_none()
        && is(MODE, "navigate", false)
        && is(DESTINATION, "document", true)
}

/// Whether all values of a header are this one; `None` if there are none.
fn all_are(headers: &HeaderMap, name: HeaderName, value: &str) -> Option<bool> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    Some(values.all(|found| found.as_bytes() == value.as_bytes()))
}
