use axum::extract::State;
use octopoid_domain::{TaskView, task::TaskPatch};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Change fields of a task.
///
/// Absent fields keep their value; `null` clears a field. The queue can be set to any queue of the
/// flow except `done`. With `version`, the task must have this version.
#[utoipa::path(patch, path = "/api/v1/tasks/{id}", tag = "tasks", request_body = TaskPatch,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn update_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(patch): Body<TaskPatch>,
) -> Answer<TaskView> {
    let task = app.store.update_task(&id, caller.within(), patch, app.stamp()).await?;
    let task = TaskView::from(task);
    audit::task("task.updated", &caller, task.claimed_by.as_deref(), &task);
    Ok(Json(task))
}
