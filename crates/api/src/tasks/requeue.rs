use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Requeue};

use crate::{
    app::App,
    auth::Caller,
    body::OptionalBody,
    openapi::{Answer, Problems},
    query::Segment,
    tasks::make_step,
};

/// Requeue a task.
///
/// Returns the task to the queue without accepting or rejecting it, and counts an attempt. The body
/// is optional.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/requeue", tag = "tasks", request_body = Option<Requeue>,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn requeue_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    OptionalBody(body): OptionalBody<Requeue>,
) -> Answer<TaskView> {
    let request = Request::Requeue(body);
    make_step(&app, &caller, &id, &request, "task.requeued", None).await
}
