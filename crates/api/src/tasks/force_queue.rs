use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::ForceQueue};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Move a task past the rules.
///
/// For operators. The reason is kept in the task's history and as a message.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/force-queue", tag = "tasks", request_body = ForceQueue,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn force_queue_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<ForceQueue>,
) -> Answer<Task> {
    let request = Request::ForceQueue(body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.force_queued", &caller, None, &task);
    Ok(Json(task))
}
