use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::CompleteHook};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    etag::{IfMatch, Tagged},
    idempotency::{Keyed, Outcome},
    openapi::Problems,
    query::Segments,
    tasks::{Terms, make_step},
};

/// Report the result of a hook.
///
/// Sets status and evidence of the first hook of the task with this name.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/hooks/{hook}/complete", tag = "tasks",
    request_body = CompleteHook,
    params(
        ("id" = String, Path, description = "The task."),
        ("hook" = String, Path, description = "The hook's name."),
        IfMatch,
        Keyed<()>,
    ),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn complete_hook(
    State(app): State<App>,
    caller: Caller,
    Segments([id, hook]): Segments<2>,
    if_match: IfMatch,
    Keyed(key, Body(body)): Keyed<Body<CompleteHook>>,
) -> Outcome<Tagged<TaskView>> {
    let request = Request::CompleteHook(hook, body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.hook_completed", None).await
}
