use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::ForceQueue};

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

/// Move a task to any queue.
///
/// For operators: flows are not checked. The reason is recorded in the task's history and as a
/// message.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/force-queue", tag = "tasks", request_body = ForceQueue,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn force_queue_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(body)): Keyed<Body<ForceQueue>>,
) -> Outcome<Tagged<TaskView>> {
    let request = Request::ForceQueue(body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.force_queued", None).await
}
