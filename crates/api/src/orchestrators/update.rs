use axum::extract::State;
use octopoid_domain::orchestrator::{OrchestratorPatch, OrchestratorView};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Change the status of an orchestrator.
///
/// Heartbeats do not change the status `maintenance`. A machine that is `draining` is given no more
/// work, and its agents are told to finish; `active` ends that.
#[utoipa::path(patch, path = "/api/v1/orchestrators/{id}", tag = "orchestrators",
    request_body = OrchestratorPatch,
    params(("id" = String, Path, description = "The orchestrator.")),
    responses((status = 200, body = OrchestratorView), Problems))]
pub(crate) async fn update_orchestrator(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(patch): Body<OrchestratorPatch>,
) -> Answer<OrchestratorView> {
    let status = patch.status()?;
    let orchestrator =
        app.store.set_orchestrator_status(&id, caller.within(), status, app.stamp()).await?;
    audit::other("orchestrator.updated", &caller, &id, Some(&orchestrator.scope));
    Ok(Json(OrchestratorView::at(orchestrator, app.now())))
}
