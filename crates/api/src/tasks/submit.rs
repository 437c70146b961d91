use axum::extract::State;
use octopoid_domain::{Task, decide::Request, steps::Submit};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Hand in work.
///
/// The task goes to `provisional` for review, or to `needs_continuation` if the agent ran out of turns.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/submit", tag = "tasks", request_body = Submit,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn submit_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Submit>,
) -> Answer<Task> {
    let agent = body.agent_name.0.clone();
    let request = Request::Submit(body);
    let task = app.store.change_task(&id, caller.within(), &request, app.stamp()).await?;
    audit::task("task.submitted", &caller, agent.as_deref(), &task);
    Ok(Json(task))
}
