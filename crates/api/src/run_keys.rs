//! What a run key opens: reading its own task, writing messages and asking questions about it, and
//! drafts. Never tasks: the text of a task is an order to a shell. No step either: those are the
//! runner's, which holds the lease token.

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
};
use octopoid_domain::{
    action::QUESTION,
    input::{Id, Text, parse_body},
};
use serde::Deserialize;

use crate::{access::forbidden, app::App, body::peek, problem::Problem, query::Params};

/// What can be read below a task.
const READABLE: [&str; 7] = [
    "/api/v1/tasks/{id}",
    "/api/v1/tasks/{id}/history",
    "/api/v1/tasks/{id}/messages",
    "/api/v1/tasks/{id}/why",
    "/api/v1/tasks/{id}/runs",
    "/api/v1/tasks/{id}/runs/{run}",
    "/api/v1/tasks/{id}/runs/{run}/log",
];

/// The types of messages that are a person's: orders to a machine, and what the next agent is given.
const ORDERS: [&str; 3] = ["action_command", "answer", "rejection"];

/// The fields by which a body says what it is about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    task_id: Id,
    #[serde(rename = "type")]
    kind: Text,
    entity_type: Text,
    entity_id: Id,
    action_type: Text,
}

/// Refuses what the agent of a task may not do.
pub(crate) async fn check(app: &App, task: &str, request: &mut Request) -> Result<(), Problem> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.as_deref().unwrap_or_default();
    let is_permitted = match *request.method() {
        Method::GET | Method::HEAD if READABLE.contains(&path) => names(request, task),
        Method::GET | Method::HEAD if path == "/api/v1/messages" => {
            let query = Params::parse(request.uri().query().unwrap_or_default())?;
            // With `thread_id`, the list ignores `task_id`.
            query.get("task_id") == Some(task) && query.get("thread_id").is_none()
        }
        Method::POST if path == "/api/v1/drafts" => true,
        Method::POST if path == "/api/v1/messages" => {
            let about = about(app, request).await?;
            let kind = about.kind.0.as_deref().unwrap_or_default();
            about.task_id.0.as_deref() == Some(task) && !ORDERS.contains(&kind)
        }
        Method::POST if path == "/api/v1/actions" => {
            let about = about(app, request).await?;
            about.entity_type.0.as_deref() == Some("task")
                && about.entity_id.0.as_deref() == Some(task)
                && about.action_type.0.as_deref() == Some(QUESTION)
        }
        _ => false,
    };
    if is_permitted {
        return Ok(());
    }
    Err(forbidden(
        "Forbidden: a run key can read its own task, write messages and questions about it, and \
         create drafts. Use an API key for other requests",
    ))
}

/// Whether the task in the path is this one.
fn names(request: &Request, task: &str) -> bool {
    let id = request.uri().path().split('/').nth(4).unwrap_or_default();
    let id = percent_encoding::percent_decode_str(id).decode_utf8();
    id.is_ok_and(|id| id == task)
}

/// What the body is about. The handler refuses one that cannot be read.
async fn about(app: &App, request: &mut Request) -> Result<About, Problem> {
    Ok(parse_body(&peek(request, app).await?).unwrap_or_default())
}
