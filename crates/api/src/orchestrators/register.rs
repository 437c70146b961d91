use axum::{extract::State, http::StatusCode};
use octopoid_domain::orchestrator::{Registered, Registration};

use crate::{
    app::App, audit, auth::Caller, body::Body, json::Json, keys::FreshKey, openapi::Problems,
    problem::Problem,
};

/// Register an orchestrator.
///
/// Creates the orchestrator or updates its data. One that is `draining` stays so. The first
/// registration in a scope that never had a key returns one. It is not shown again.
#[utoipa::path(post, path = "/api/v1/orchestrators/register", tag = "orchestrators",
    request_body = Registration,
    responses(
        (status = 200, body = Registered, description = "The orchestrator was updated."),
        (status = 201, body = Registered, description = "The orchestrator was created."),
        Problems,
    ))]
pub(crate) async fn register_orchestrator(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<Registration>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let stamp = app.stamp();
    let new = body.into_orchestrator(caller.within(), stamp.now)?;
    let key = FreshKey::new(&app);
    let outcome = app.store.register_orchestrator(&new, &key.hash, caller.within(), stamp).await?;
    let orchestrator = outcome.orchestrator;
    let scope = Some(&*orchestrator.scope);
    audit::other("orchestrator.registered", &caller, &orchestrator.id, scope);
    if outcome.is_key_issued {
        audit::other("key.issued_first", &caller, &orchestrator.id, scope);
    }
    let status = if outcome.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let registered = Registered {
        orchestrator_id: orchestrator.id,
        registered_at: orchestrator.registered_at,
        status: orchestrator.status,
        api_key: outcome.is_key_issued.then_some(key.text),
    };
    Ok((status, Json(registered)))
}
