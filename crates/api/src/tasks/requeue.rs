use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Requeue};

use crate::{
    app::App,
    auth::Caller,
    body::OptionalBody,
    etag::{IfMatch, Tagged},
    idempotency::{Keyed, Outcome},
    openapi::Problems,
    query::Segment,
    tasks::{Terms, make_step},
};

/// Requeue a task.
///
/// Returns the task to the queue without accepting or rejecting it, and counts an attempt. The body
/// is optional.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/requeue", tag = "tasks", request_body = Option<Requeue>,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn requeue_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, OptionalBody(body)): Keyed<OptionalBody<Requeue>>,
) -> Outcome<Tagged<TaskView>> {
    let request = Request::Requeue(body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.requeued", None).await
}
