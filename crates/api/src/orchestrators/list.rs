use axum::{Json, extract::State};
use octopoid_domain::orchestrator::Orchestrator;
use octopoid_store::orchestrators::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    openapi::{Answer, Problems},
    query::Params,
};

/// The list of orchestrators.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrchestratorList {
    orchestrators: Vec<Orchestrator>,
    total: usize,
}

/// List orchestrators.
///
/// Those heard of last first.
#[utoipa::path(get, path = "/api/v1/orchestrators", tag = "orchestrators",
    params(
        ("scope" = Option<String>, Query, description = "The key's, or all, if left out."),
        ("cluster" = Option<String>, Query, description = "The group of machines."),
        ("status" = Option<String>, Query, description = "One or several, separated by commas."),
    ),
    responses((status = 200, body = OrchestratorList), Problems))]
pub(crate) async fn list_orchestrators(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Answer<OrchestratorList> {
    let filter = Filter {
        scope: caller.scope(params.get("scope")).map(str::to_owned),
        cluster: params.text("cluster"),
        statuses: params.list("status"),
    };
    let orchestrators = app.store.list_orchestrators(&filter).await?;
    Ok(Json(OrchestratorList { total: orchestrators.len(), orchestrators }))
}
