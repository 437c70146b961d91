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

/// Ask whether there is anything to do.
///
/// Counts the tasks in the queues a scheduler looks at, and names those that wait for review and
/// the flows of the scope.
#[utoipa::path(get, path = "/api/v1/scheduler/poll", tag = "scheduler",
    params(
        ("orchestrator_id" = Option<String>, Query, description = "The orchestrator that asks."),
        ("scope" = Option<String>, Query,
            description = "The key's, or the orchestrator's, if left out."),
    ),
    responses((status = 200, body = Poll), Problems))]
pub(crate) async fn poll(State(app): State<App>, caller: Caller, params: Params) -> Answer<Poll> {
    let scope = caller.scope(params.get("scope"));
    Ok(Json(app.store.poll(params.get("orchestrator_id"), scope, caller.within()).await?))
}
