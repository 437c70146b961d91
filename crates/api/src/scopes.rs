//! The tenants of the server.

use axum::extract::State;
use octopoid_domain::scope::ScopeList;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::Params,
};

/// List scopes.
///
/// With a key, its own scope. For others all that have a task, a project, a draft, an orchestrator
/// or a key, at most 1,000, by name. Open tasks and orchestrators are counted up to 10,000 of one
/// scope, and up to 1,000 of each in the list of all. `permission` is what the caller may do.
#[utoipa::path(get, path = "/api/v1/scopes", tag = "scopes",
    params(("scope" = Option<String>, Query,
        description = "Only this one. Default: the key's scope, or all scopes.")),
    responses((status = 200, body = ScopeList), Problems))]
pub(crate) async fn list_scopes(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Answer<ScopeList> {
    let seen = app.store.list_scopes(caller.scope(params.get("scope"))).await?;
    Ok(Json(ScopeList { seen, permission: caller.permission().to_owned() }))
}
