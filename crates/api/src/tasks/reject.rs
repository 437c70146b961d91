use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Reject};

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

/// Reject work.
///
/// The task returns to `incoming`. The reason is recorded in its history and as a message.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/reject", tag = "tasks", request_body = Reject,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn reject_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(mut body)): Keyed<Body<Reject>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.rejected_by.0.clone();
    body.needs_review = caller.acts_by_token();
    let request = Request::Reject(body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.rejected", agent.as_deref())
        .await
}
