use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Fail};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    etag::{IfMatch, Tagged},
    idempotency::{Keyed, Outcome},
    openapi::Problems,
    query::Segment,
    tasks::{Terms, fit_result, make_step},
};

/// Report that a run has failed.
///
/// The reason decides what happens: the task goes back to its queue, perhaps after a delay, becomes
/// `failed`, or waits for an answer to the question in `message`. A review leaves the task where it
/// is.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/fail", tag = "tasks", request_body = Fail,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn fail_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(mut body)): Keyed<Body<Fail>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.agent_name.0.clone();
    fit_result(&app, &mut body.result)?;
    let request = Request::Fail(Box::new(body));
    make_step(&app, &caller, Terms(key, if_match), &id, &request, "task.failed", agent.as_deref())
        .await
}
