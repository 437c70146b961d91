use axum::extract::State;
use octopoid_domain::orchestrator::OrchestratorView;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::{Params, Segment},
};

/// Get an orchestrator.
#[utoipa::path(get, path = "/api/v1/orchestrators/{id}", tag = "orchestrators",
    params(
        ("id" = String, Path, description = "The orchestrator."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = OrchestratorView), Problems))]
pub(crate) async fn get_orchestrator(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> Answer<OrchestratorView> {
    let within = caller.scope(params.get("scope"));
    let orchestrator = app.store.get_orchestrator(&id, within).await?;
    Ok(Json(OrchestratorView::at(orchestrator, app.now())))
}
