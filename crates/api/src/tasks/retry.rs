use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Retry};

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

/// Take a failed or cancelled task up again.
///
/// The task moves to `incoming`; its counters and delays start again.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/retry", tag = "tasks", request_body = Retry,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn retry_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(body)): Keyed<Body<Retry>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.by.0.clone();
    let request = Request::Retry(body);
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.retried", agent.as_deref())
        .await
}
