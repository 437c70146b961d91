//! What a scheduler asks every few seconds.

use axum::extract::State;
use octopoid_domain::poll::Poll;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::Params,
};

/// Poll for work.
///
/// Returns the number of tasks in the queues of a scheduler, the tasks in review, and the flows of
/// the scope.
#[utoipa::path(get, path = "/api/v1/scheduler/poll", tag = "scheduler",
    params(
        ("orchestrator_id" = Option<String>, Query, description = "The orchestrator that polls."),
        ("scope" = Option<String>, Query,
            description = "Default: the key's or the orchestrator's scope."),
    ),
    responses((status = 200, body = Poll), Problems))]
pub(crate) async fn poll(State(app): State<App>, caller: Caller, params: Params) -> Answer<Poll> {
    let scope = caller.scope(params.get("scope"));
    Ok(Json(app.store.poll(params.get("orchestrator_id"), scope, caller.within()).await?))
}
