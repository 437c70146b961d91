//! What a board shows first.

use axum::extract::State;
use octopoid_domain::summary::Summary;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::{Params, missing},
};

/// Get the summary of a scope.
///
/// The number of tasks by queue and by the reason why they wait, the runs in progress, what needs a
/// person, and what was done in the last 24 hours.
#[utoipa::path(get, path = "/api/v1/summary", tag = "tasks",
    params(("scope" = Option<String>, Query, description = "Required without a key.")),
    responses((status = 200, body = Summary), Problems))]
pub(crate) async fn get_summary(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Answer<Summary> {
    let scope = caller.scope(params.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot summarize all scopes.")
    })?;
    Ok(Json(app.store.summary(scope, app.now()).await?))
}
