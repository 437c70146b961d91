//! The Octopoid coordination server as a Cloudflare Worker: the same router and the same jobs as the
//! native server's, on a D1 database.
//!
//! A Worker has no moment at which it starts. What every request shares is made by the first one
//! that an instance serves, and kept as long as the instance lives.

mod host;
mod log;
mod settings;

use std::sync::{Arc, OnceLock};

use axum::{Router, body::Body, extract::Request};
use http_body_util::BodyExt;
use octopoid_api::{
    App,
    jobs::run_jobs,
    unread::{Left, Unread, discard, lend},
};
use octopoid_store::Store;
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

/// The name under which the Worker is bound to its database.
const DATABASE: &str = "DB";

/// What an instance keeps from one request to the next.
struct Server {
    app: App,
    router: Router,
}

/// The instance's server, which the first request makes. Bindings, variables and secrets are the
/// same for all requests: a change of one is a deployment, which begins with new instances.
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

/// The text of a variable or secret. What is no text in `wrangler.toml` is read as if it were, so that
/// it is understood or refused, but not passed over.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &name.into()).ok().filter(|value| !value.is_undefined())?;
    value.as_string().or_else(|| JSON::stringify(&value).ok().map(String::from))
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> Result<Response> {
    let router = server(&env)?.router.clone();
    let (parts, body) = request.into_parts();
    let (body, unread) = lend(Body::new(body));
    let Ok(response) = router.oneshot(Request::from_parts(parts, body)).await;
    read_rest(unread).await;
    answer(response).await
}

/// The jobs that the native server's timer runs; here a cron trigger does.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let outcome = match server(&env) {
        Ok(server) => run_jobs(&server.app).await.map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, "the scheduled jobs failed, will retry");
    }
}

/// Reads what no handler wanted of a request's body. The local runtime fails the next request on a
/// connection if a body was left.
async fn read_rest(unread: Unread) {
    if let Left::Whole(rest) | Left::Rest(rest) = unread.left() {
        // A client that breaks off has nothing more to read.
        discard(rest, usize::MAX).await;
    }
}

/// Hands a response over in one piece: the handlers hold it in one piece too, and a stream would
/// cost each its length and a round of promises.
async fn answer(response: axum::response::Response) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let headers = parts.headers.iter();
    let headers: Headers =
        headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    Ok(if body.is_empty() { builder.empty() } else { builder.fixed(body.into()) })
}
