//! Where metrics are read: at `/metrics`, on a listener of their own, or on the API's with the
//! administrator's token.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use octopoid_api::{App, auth::check_administrator};
use tokio::{net::TcpListener, sync::watch};

use super::{CONTENT_TYPE, HttpMetrics, Metrics};
use crate::listen;

const PATH: &str = "/metrics";

/// A scraper keeps one connection. More than these are closed.
const CONNECTIONS_MAX: usize = 16;

/// Adds the path to the routes of the API, if there is an administrator.
pub(crate) fn mount(routes: Router<App>, app: &App, metrics: &Arc<Metrics>) -> Router<App> {
    if app.settings.admin_key_hash.is_none() {
        return routes;
    }
    let metrics = Arc::clone(metrics);
    let answer = async move |State(app): State<App>, request: Request| match check_administrator(
        &app, &request,
    ) {
        Ok(()) => answer(&metrics, &app).await,
        Err(problem) => problem.into_response(),
    };
    routes.route(PATH, get(answer))
}

/// Serves the path, and nothing else, to everyone who can connect. Ends when `stopping` is true.
pub(crate) async fn serve(
    listener: TcpListener,
    app: App,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
) {
    // Scrapes are not counted among the requests.
    let own = Arc::new(HttpMetrics::new());
    let answer = async move || answer(&metrics, &app).await;
    let router = Router::new().route(PATH, get(answer));
    let limits = listen::Limits { connections: CONNECTIONS_MAX, ..listen::LIMITS };
    listen::serve(listener, router, stopping, &limits, Duration::ZERO, (&own, None)).await;
}

async fn answer(metrics: &Metrics, app: &App) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text(app).await).into_response()
}
