use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Accept};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    openapi::{Answer, Problems},
    query::Segment,
    tasks::make_step,
};

/// Accept work.
///
/// The task moves to `done`, and tasks that waited for it are unblocked.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/accept", tag = "tasks", request_body = Accept,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn accept_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(mut body): Body<Accept>,
) -> Answer<TaskView> {
    let agent = body.accepted_by.0.clone();
    body.needs_review = caller.acts_by_token();
    let request = Request::Accept(body);
    make_step(&app, &caller, &id, &request, "task.accepted", agent.as_deref()).await
}
