use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::CompleteHook};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segments,
};

/// Report on a hook.
///
/// Notes status and evidence on the first of the task's hooks with this name.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/hooks/{hook}/complete", tag = "tasks",
    request_body = CompleteHook,
    params(
        ("id" = String, Path, description = "The task."),
        ("hook" = String, Path, description = "The hook's name."),
    ),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn complete_hook(
    State(app): State<App>,
    caller: Caller,
    Segments([id, hook]): Segments<2>,
    Body(body): Body<CompleteHook>,
) -> Answer<Task> {
    let request = Request::CompleteHook(hook, body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.hook_completed", &caller, None, &task);
    Ok(Json(task))
}
