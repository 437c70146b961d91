use axum::extract::State;
use octopoid_domain::{TaskView, task::TaskPatch};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    etag::{IfMatch, Tagged},
    openapi::{Problems, TaskAnswer},
    query::Segment,
};

/// Change fields of a task.
///
/// Absent fields keep their value; `null` clears a field. The queue can be set to any queue of the
/// flow except `done`. With `version`, the task must have this version.
#[utoipa::path(patch, path = "/api/v1/tasks/{id}", tag = "tasks", request_body = TaskPatch,
    params(("id" = String, Path, description = "The task."), IfMatch),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn update_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Body(patch): Body<TaskPatch>,
) -> TaskAnswer {
    let store = app.store.under(if_match.terms());
    let task = store.update_task(&id, caller.within(), patch, app.stamp()).await?;
    let task = TaskView::from(task);
    audit::task("task.updated", &caller, task.claimed_by.as_deref(), &task);
    Ok(Tagged(task))
}
