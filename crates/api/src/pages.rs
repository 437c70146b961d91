//! What browsers are shown: the board, the description of the API, and the files that both load.
//!
//! The board is one page for all of its paths; its script shows what the path says. Programs get no
//! page: at `/` they get information about the server, and the other paths are no endpoints to them.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use octopoid_board::{Asset, PAGE};

use crate::{
    app::App,
    auth::hash,
    negotiation::{has, prefers_page, takes_gzip},
    openapi,
    problem::Problem,
};

/// The paths of the board, beside `/`.
const VIEWS: [&str; 15] = [
    "/tasks",
    "/tasks/{id}",
    "/fleet",
    "/fleet/{id}",
    "/inbox",
    "/inbox/{id}",
    "/activity",
    "/activity/{id}",
    "/flows",
    "/flows/{name}",
    "/projects",
    "/projects/{id}",
    "/drafts",
    "/drafts/{id}",
    "/login",
];

/// The other paths that browsers are shown.
const OTHERS: [&str; 6] = ["/", "/docs", "/docs.css", "/docs.js", "/openapi.json", ASSETS];

/// The paths of the files that the board loads.
const ASSETS: &str = "/assets/{*name}";

/// Ask every time whether the page has changed.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// The name of a file changes with its content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Whether a request is for a page or one of its files. They show no tenant's data, so any site may
/// link to them.
pub(crate) fn is_page(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>();
    route.is_some_and(|route| {
        let route = route.as_str();
        VIEWS.contains(&route) || OTHERS.contains(&route)
    })
}

/// Adds the pages, without the files that the board loads.
pub(crate) fn add(mut router: Router<App>) -> Router<App> {
    for path in VIEWS {
        router = router.route(path, get(get_view));
    }
    router
        .route("/openapi.json", get(openapi::get_document))
        .route("/docs", get(openapi::get_page))
        .route("/docs.css", get(openapi::get_style))
        .route("/docs.js", get(openapi::get_script))
}

/// Adds the files that the board loads, on a host that does not serve them itself.
pub fn with_assets(router: Router<App>) -> Router<App> {
    router.route(ASSETS, get(get_asset))
}

/// The board for browsers, and for programs what `answer` makes.
pub(crate) fn page_or(headers: &HeaderMap, answer: impl FnOnce() -> Response) -> Response {
    let mut response = if prefers_page(headers) { page(headers) } else { answer() };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn page(headers: &HeaderMap) -> Response {
    static TAG: LazyLock<String> =
        LazyLock::new(|| format!("\"{}\"", hex::encode(&hash(PAGE)[..16])));
    let mut response = if has(headers, &TAG) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Html(PAGE).into_response()
    };
    let named = response.headers_mut();
    named.extend(HeaderValue::from_str(&TAG).ok().map(|tag| (header::ETAG, tag)));
    named.insert(header::CACHE_CONTROL, NO_CACHE);
    response
}

async fn get_view(State(app): State<App>, headers: HeaderMap) -> Response {
    page_or(&headers, || Problem::no_endpoint(app.now().to_iso()).into_response())
}

async fn get_asset(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(asset) = octopoid_board::asset(uri.path()) else {
        return Problem::no_endpoint(app.now().to_iso()).into_response();
    };
    let Asset { content_type, content, gzip } = asset;
    let gzip = gzip.filter(|_| takes_gzip(&headers));
    let mut response = gzip.unwrap_or(content).into_response();
    let named = response.headers_mut();
    named.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    named.insert(header::CACHE_CONTROL, IMMUTABLE);
    named.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzip.is_some() {
        named.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
