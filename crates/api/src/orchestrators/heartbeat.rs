use axum::extract::State;
use octopoid_domain::heartbeat::{Heartbeat, HeartbeatRequest};

use crate::{
    app::App,
    auth::Caller,
    body::OptionalBody,
    events::show_heartbeat,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Send a heartbeat.
///
/// Updates the time of the last heartbeat by the server's clock, and changes the status `offline` to
/// `active`. The optional body says what the machine can do, and renews up to 100 leases. A body
/// that is not JSON counts as none. Streams of events show a heartbeat as `orchestrator.heartbeat`
/// and each renewed lease as `task.renewed`, without an `id`.
#[utoipa::path(post, path = "/api/v1/orchestrators/{id}/heartbeat", tag = "orchestrators",
    params(("id" = String, Path, description = "The orchestrator.")),
    request_body = Option<HeartbeatRequest>,
    responses((status = 200, body = Heartbeat), Problems))]
pub(crate) async fn note_heartbeat(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    OptionalBody(body): OptionalBody<HeartbeatRequest>,
) -> Answer<Heartbeat> {
    let beat = app.store.note_heartbeat(&id, caller.within(), &body, app.stamp()).await?;
    show_heartbeat(&app, &id, &beat);
    Ok(Json(beat.answer))
}
