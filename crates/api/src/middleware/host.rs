//! Under which host names the server may be called.
//!
//! A page whose own name is made to resolve to this machine (DNS rebinding) is of the same origin
//! as the server, and the browser lets it do everything. Its requests are known by their `Host`, which
//! is the page's name.

use axum::{
    extract::Request,
    http::{StatusCode, header},
};

use crate::authority::Authority;
use crate::problem::Problem;

const TEXT: &str = "This server is not called by that host name: use localhost or 127.0.0.1, or \
                    allow the name with --allowed-host or OCTOPOID_ALLOWED_HOST";

/// Lets requests pass that call this machine, or one of the allowed names. A request that names no
/// host at all is by no browser.
pub(super) fn check(request: &Request, allowed: &[Authority]) -> Result<(), Problem> {
    let is_known = |called: Option<Authority>| {
        called.is_some_and(|called| {
            called.is_local() || allowed.iter().any(|allowed| allowed.covers(&called))
        })
    };
    if called(request).all(is_known) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "unknown_host", TEXT))
}

/// All hosts that a request names, in its target and in `Host`; `None` for what names none.
pub(super) fn called(request: &Request) -> impl Iterator<Item = Option<Authority>> {
    let target = request.uri().authority().map(|authority| authority.as_str().parse().ok());
    let headers = request.headers().get_all(header::HOST).iter();
    target.into_iter().chain(headers.map(|host| host.to_str().ok()?.parse().ok()))
}
