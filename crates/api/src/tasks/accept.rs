use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Accept};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    etag::{IfMatch, Tagged},
    idempotency::{Keyed, Outcome},
    openapi::Problems,
    query::Segment,
    tasks::{Terms, make_step},
};

/// Accept work.
///
/// The task moves to `done`, and tasks that waited for it are unblocked. With `queue` it moves to
/// that queue instead, and nothing is unblocked.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/accept", tag = "tasks", request_body = Accept,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn accept_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(mut body)): Keyed<Body<Accept>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.accepted_by.0.clone();
    body.needs_review = caller.acts_by_token();
    let request = Request::Accept(body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.accepted", agent.as_deref())
        .await
}
