use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::Accept};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Accept work.
///
/// The task is done, and what waited for it waits no longer.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/accept", tag = "tasks", request_body = Accept,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn accept_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Accept>,
) -> Answer<Task> {
    let agent = body.accepted_by.0.clone();
    let request = Request::Accept(body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.accepted", &caller, agent.as_deref(), &task);
    Ok(Json(task))
}
