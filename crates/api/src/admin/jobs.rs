use axum::extract::State;

use crate::{
    app::App,
    jobs::{self, Done},
    json::Json,
    openapi::{Answer, Problems},
};

/// Run the scheduled jobs now.
///
/// Takes back tasks with expired leases and marks silent orchestrators as offline.
#[utoipa::path(post, path = "/api/v1/admin/jobs/run", tag = "admin",
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn run_jobs(State(app): State<App>) -> Answer<Done> {
    Ok(Json(jobs::run_jobs(&app).await?))
}
