use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Cancel};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    etag::{IfMatch, Tagged},
    idempotency::{Keyed, Outcome},
    openapi::Problems,
    query::Segment,
    tasks::{Terms, make_step},
};

/// Cancel a task.
///
/// A task without a holder moves to `cancelled`. Otherwise the next renewal tells the holder to stop,
/// and the task moves to `cancelled` when it is free. Repeating the request changes nothing.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks", request_body = Cancel,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn cancel_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(body)): Keyed<Body<Cancel>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.by.0.clone();
    let request = Request::Cancel(body);
    make_step(
        &app,
        &caller,
        Terms(key, if_match),
        &id,
        &request,
        "task.cancelled",
        agent.as_deref(),
    )
    .await
}
