use axum::extract::State;
use octopoid_domain::{orchestrator::SILENCE_MS_MAX, why::Why};

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::{Params, Segment},
};

/// Explain why a task waits.
///
/// All reasons why no claim gets the task now, the most important first, by the condition that
/// claims apply. The codes `no_machine` and `needs_intervention` are advisory: they do not keep it
/// from being claimed.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/why", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = Why), Problems))]
pub(crate) async fn explain_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> Answer<Why> {
    let (scope, now) = (caller.scope(params.get("scope")), app.now());
    let silent_since = now.plus(-SILENCE_MS_MAX);
    Ok(Json(app.store.explain_task(&id, scope, silent_since, now).await?))
}
