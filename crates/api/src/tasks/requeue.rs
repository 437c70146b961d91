use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::Requeue};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::OptionalBody,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Put a task back.
///
/// Without a verdict: it counts as an attempt. The body may be left out.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/requeue", tag = "tasks", request_body = Option<Requeue>,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn requeue_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    OptionalBody(body): OptionalBody<Requeue>,
) -> Answer<Task> {
    let request = Request::Requeue(body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.requeued", &caller, None, &task);
    Ok(Json(task))
}
