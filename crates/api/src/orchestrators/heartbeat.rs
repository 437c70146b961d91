use axum::extract::State;
use octopoid_domain::orchestrator::{Heartbeat, HeartbeatRequest};

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Send a heartbeat.
///
/// Updates the time of the last heartbeat, and changes the status `offline` to `active`. The body
/// is ignored; the server's clock is used.
#[utoipa::path(post, path = "/api/v1/orchestrators/{id}/heartbeat", tag = "orchestrators",
    params(("id" = String, Path, description = "The orchestrator.")),
    request_body = Option<HeartbeatRequest>,
    responses((status = 200, body = Heartbeat), Problems))]
pub(crate) async fn note_heartbeat(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<Heartbeat> {
    let last_heartbeat = app.store.note_heartbeat(&id, caller.within(), app.stamp()).await?;
    Ok(Json(Heartbeat { success: true, last_heartbeat }))
}
