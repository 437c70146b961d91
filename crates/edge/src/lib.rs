//! The Octopoid coordination server as a Cloudflare Worker: the same router and the same jobs as
//! the native server's, on a D1 database.
//!
//! A Worker has no startup phase. The first request of an instance creates the shared state, which
//! lives as long as the instance.

mod host;
mod log;
mod settings;
mod webhooks;

use std::sync::{Arc, OnceLock};

use axum::{Router, body::Body, extract::Request};
use http_body_util::BodyExt;
use octopoid_api::{
    App,
    jobs::{Done, run_jobs},
    rate_limit::Peer,
    unread::{Left, Unread, discard, lend},
};
use octopoid_store::{Store, StoreError};
use octopoid_store_d1::D1;
use tower::ServiceExt;
use worker::{
    Context, Env, Headers, HttpRequest, Response, ResponseBuilder, Result, ScheduleContext,
    ScheduledEvent, event,
    js_sys::{JSON, Reflect},
};

use crate::{
    host::Edge,
    settings::{log_level, settings},
};

/// The name of the D1 binding.
const DATABASE: &str = "DB";

/// The state of an instance, shared by its requests.
struct Server {
    app: App,
    router: Router,
}

/// The instance's server, which the first request creates. Bindings, variables and secrets are the
/// same for all requests: changing one is a deployment, which starts new instances.
fn server(env: &Env) -> Result<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    if let Some(server) = SERVER.get() {
        return Ok(server);
    }
    let read = |name: &str| variable(env, name);
    log::start(log_level(read)?);
    let settings = settings(read)?;
    let store = Store::new(Arc::new(D1::new(env.d1(DATABASE)?)));
    let app = App::new(store, Arc::new(Edge), settings);
    let router = octopoid_api::router(app.clone());
    Ok(SERVER.get_or_init(|| Server { app, router }))
}

/// The text of a variable or secret. Other types in `wrangler.toml` are converted to text, so that
/// they are validated and not ignored.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &name.into()).ok().filter(|value| !value.is_undefined())?;
    value.as_string().or_else(|| JSON::stringify(&value).ok().map(String::from))
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> Result<Response> {
    let router = server(&env)?.router.clone();
    let (mut parts, body) = request.into_parts();
    // Cloudflare sets the header itself, and overwrites what a client sends.
    let address = parts.headers.get("cf-connecting-ip").and_then(|text| text.to_str().ok());
    if let Some(address) = address.and_then(|text| text.parse().ok()) {
        parts.extensions.insert(Peer(address));
    }
    let (body, unread) = lend(Body::new(body));
    let Ok(response) = router.oneshot(Request::from_parts(parts, body)).await;
    read_rest(unread).await;
    answer(response).await
}

/// The scheduled jobs and the sending to webhooks, run by a cron trigger.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let outcome = match server(&env) {
        Ok(server) => run(&server.app).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, "the scheduled jobs failed, will retry");
    }
}

async fn run(app: &App) -> std::result::Result<(), StoreError> {
    let Done { tasks_released, tasks_deleted, .. } = run_jobs(app).await?;
    // An invocation may not have enough statements for both.
    if tasks_released == 0 && tasks_deleted == 0 {
        webhooks::send(app).await?;
    }
    Ok(())
}

/// Reads the unread rest of a request body. If a body is left unread, the local runtime fails the
/// next request on the connection.
async fn read_rest(unread: Unread) {
    if let Left::Whole(rest) | Left::Rest(rest) = unread.left() {
        // The error of a client that has disconnected is ignored.
        discard(rest, usize::MAX).await;
    }
}

/// Returns a response as one buffer. The handlers hold it as one buffer too, and a stream would
/// have no `Content-Length` and need more promises.
async fn answer(response: axum::response::Response) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let headers = parts.headers.iter();
    let headers: Headers =
        headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    Ok(if body.is_empty() { builder.empty() } else { builder.fixed(body.into()) })
}
