use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use octopoid_domain::{Task, task::ClaimRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App, audit, auth::Caller, body::Body, openapi::Problems, problem::Problem, query::missing,
};

/// There is nothing to claim. The clients know it by the missing `error`.
#[derive(Serialize, ToSchema)]
struct Nothing {
    message: &'static str,
}

/// Claim the most urgent task.
///
/// Gives the caller a lease on the most urgent task it may work on. A task in `provisional` stays
/// there while it is reviewed. Nothing to claim is a 404 with `message` and without `error`.
#[utoipa::path(post, path = "/api/v1/tasks/claim", tag = "tasks", request_body = ClaimRequest,
    responses((status = 200, body = Task), Problems))]
pub(crate) async fn claim_task(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<ClaimRequest>,
) -> Result<Response, Problem> {
    request.check()?;
    let scope = caller.scope(request.scope.0.as_deref()).ok_or_else(|| {
        missing("Missing required field: scope. Cannot claim tasks across all scopes.")
    })?;
    if app.is_stopping() {
        return Err(Problem::stopping());
    }
    let Some(task) = app.store.claim_task(scope, caller.within(), &request, app.stamp()).await?
    else {
        let nothing = Nothing { message: "No tasks available" };
        return Ok((StatusCode::NOT_FOUND, Json(nothing)).into_response());
    };
    audit::task("task.claimed", &caller, task.claimed_by.as_deref(), &task);
    Ok(Json(task).into_response())
}
