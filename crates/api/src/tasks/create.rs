use axum::{extract::State, http::StatusCode};
use octopoid_domain::{TaskView, task::NewTask};

use crate::{
    app::App, audit, auth::Caller, body::Body, json::Json, openapi::Problems, problem::Problem,
};

/// Create a task.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", request_body = NewTask,
    responses((status = 201, body = TaskView), Problems))]
pub(crate) async fn create_task(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<TaskView>), Problem> {
    let stamp = app.stamp();
    let new = new.into_task(caller.within(), stamp.now)?;
    let task = app.store.create_task(new, caller.within(), stamp).await?.into();
    audit::task("task.created", &caller, None, &task);
    Ok((StatusCode::CREATED, Json(task)))
}
