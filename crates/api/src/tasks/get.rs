use axum::extract::State;
use octopoid_domain::TaskView;

use crate::{
    app::App,
    auth::Caller,
    etag::Tagged,
    openapi::{Problems, TaskAnswer},
    query::{Params, Segment},
};

/// Get a task.
#[utoipa::path(get, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn get_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> TaskAnswer {
    let task = app.store.get_task(&id, caller.scope(params.get("scope"))).await?;
    Ok(Tagged(task.into()))
}
