use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    etag::IfMatch,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// The deleted object.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedTask {
    message: &'static str,
    task_id: String,
}

/// Delete a task.
///
/// Its history and messages are kept. Tasks that waited for it are unblocked.
#[utoipa::path(delete, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task."), IfMatch),
    responses((status = 200, body = DeletedTask), Problems))]
pub(crate) async fn delete_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
) -> Answer<DeletedTask> {
    let store = app.store.under(if_match.terms());
    let task = store.delete_task(&id, caller.within(), app.stamp()).await?;
    audit::task("task.deleted", &caller, None, &task.into());
    Ok(Json(DeletedTask { message: "Task deleted", task_id: id }))
}
