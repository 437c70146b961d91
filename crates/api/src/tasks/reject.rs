use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::Reject};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Reject work.
///
/// The task goes back to `incoming`; the reason is kept in its history and as a message.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/reject", tag = "tasks", request_body = Reject,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn reject_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Reject>,
) -> Answer<Task> {
    let agent = body.rejected_by.0.clone();
    let request = Request::Reject(body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.rejected", &caller, agent.as_deref(), &task);
    Ok(Json(task))
}
