use axum::extract::State;
use octopoid_domain::{TaskView, decide::Request, steps::Submit};

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

/// Submit work.
///
/// The task moves to `provisional` for review, or to `needs_continuation` if the agent has used up
/// its turns. With the lease token of the claim, work is accepted after the lease has expired, as
/// long as nobody else has claimed the task. The same request again is answered with the task as it
/// is.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/submit", tag = "tasks", request_body = Submit,
    params(("id" = String, Path, description = "The task."), IfMatch, Keyed<()>),
    responses((status = 200, body = TaskView), Problems))]
pub(crate) async fn submit_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    if_match: IfMatch,
    Keyed(key, Body(mut body)): Keyed<Body<Submit>>,
) -> Outcome<Tagged<TaskView>> {
    let agent = body.agent_name.0.clone();
    fit_result(&app, &mut body.result)?;
    let request = Request::Submit(Box::new(body));
    make_step(
        &app,
        &caller,
        Terms(key, if_match),
        &id,
        &request,
        "task.submitted",
        agent.as_deref(),
    )
    .await
}
