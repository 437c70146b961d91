//! `POST /mcp`: the Model Context Protocol, whose tools call the operations of this API.
//!
//! A tool's call goes through the routes with the caller of the message: permissions and scopes are
//! checked for each operation as for a request of its own. Rate limits count the message, and each
//! further change that it makes.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use octopoid_mcp::{Answer, Backend, Call, Defaults, Headers, Reply, Verb};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    app::App,
    auth::{Caller, confine},
    body,
    budget::Share,
    json::Json,
    middleware::in_flight::FREE_BYTES,
    prefer::PREFER,
    problem::Problem,
    query::Params,
    service::SERVER_VERSION,
};

/// The path of the endpoint.
pub(crate) const PATH: &str = "/mcp";

/// What a client that opens a stream or ends a session is told.
const ONLY_POST: &str = "This endpoint takes POST only: it keeps no sessions and opens no streams";

/// The endpoint. `operations` are the routes that the tools call.
pub(crate) fn endpoint(operations: Router) -> MethodRouter<App> {
    post(async move |State(app): State<App>, caller: Caller, request: Request| {
        respond(app, caller, operations, request).await
    })
    .fallback(only_post)
}

async fn only_post() -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", ONLY_POST);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn respond(
    app: App,
    caller: Caller,
    operations: Router,
    request: Request,
) -> Result<Response, Problem> {
    let query = Params::parse(request.uri().query().unwrap_or_default())?;
    let headers = headers(request.headers());
    let extensions = request.extensions().clone();
    let message = body::read(request, &app).await?;
    let defaults = Defaults {
        scope: query.text("scope"),
        flow: query.text("flow"),
        branch: query.text("branch"),
        agent: query.text("agent"),
    };
    let held = app.budgets.answers.share();
    let has_changed = AtomicBool::new(false);
    let routes = Routes { app, caller, operations, defaults, extensions, has_changed, held };
    let Reply { status, message } =
        octopoid_mcp::answer(&routes, SERVER_VERSION, Some(&headers), &message).await;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(match message {
        Some(message) => (status, Json(message)).into_response(),
        None => status.into_response(),
    })
}

/// The headers that mirror a message. What is no text equals no text.
fn headers(headers: &HeaderMap) -> Headers {
    let all = |name: &'static str| {
        let values = headers.get_all(HeaderName::from_static(name)).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    Headers {
        version: all("mcp-protocol-version"),
        method: all("mcp-method"),
        name: all("mcp-name"),
    }
}

/// The operations of this API, as one caller may call them.
struct Routes {
    app: App,
    caller: Caller,
    operations: Router,
    defaults: Defaults,
    /// Of the message: where it came from.
    extensions: Extensions,
    has_changed: AtomicBool,
    /// Of the budget of answers: long reads, until the message is answered.
    held: Share,
}

impl Backend for Routes {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, String>> {
        Box::pin(async move {
            let verb = call.verb;
            let response = match self.request(call).await {
                Ok(request) => match self.operations.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                },
                Err(problem) => problem.into_response(),
            };
            let status = response.status().as_u16();
            let body =
                response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            let body = body.map_err(|_| "The server's answer was cut off: try again".to_owned())?;
            // As for every answer, what was changed is told, however much is in flight.
            let may_refuse = verb == Verb::Get && body.len() > FREE_BYTES;
            if may_refuse && !self.held.grow(body.len()) {
                return Err("The server holds too many answers at once: try again".to_owned());
            }
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Ok(Answer { status, body })
        })
    }

    fn random(&self) -> u32 {
        let [a, b, c, d, ..] = self.app.secret();
        u32::from_le_bytes([a, b, c, d])
    }

    fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    fn scope_remedy(&self) -> &'static str {
        "Add the scope to the address of the MCP server, as in /mcp?scope=NAME, or connect with a key"
    }
}

impl Routes {
    /// Counts each change after the first of a message, as a request of its own would be counted.
    /// The message itself was counted as the first one.
    fn count(&self) -> Result<(), Problem> {
        if self.has_changed.swap(true, Ordering::Relaxed) {
            self.app.rate_limits.admit(&self.app, &self.caller, &self.extensions)?;
        }
        Ok(())
    }

    /// The request for an operation, with the caller of the message.
    async fn request(&self, call: Call) -> Result<Request, Problem> {
        let Call { verb, mut path, query, body, wait_seconds } = call;
        if !query.is_empty() {
            let mut text = form_urlencoded::Serializer::new(String::new());
            path.push('?');
            path.push_str(&text.extend_pairs(query).finish());
        }
        let method = match verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
        };
        let body = if body == Value::Null { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // The tools encode what they put into a path.
        *request.uri_mut() = path.parse().map_err(|_| Problem::internal())?;
        if let Some(seconds) = wait_seconds {
            let wait = HeaderValue::from_str(&format!("wait={seconds}"));
            request.headers_mut().extend(wait.ok().map(|wait| (PREFER, wait)));
        }
        if verb == Verb::Post {
            self.count()?;
        }
        confine(&self.app, &self.caller, &mut request).await?;
        request.extensions_mut().insert(self.caller.clone());
        Ok(request)
    }
}
