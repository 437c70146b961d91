use axum::extract::State;
use octopoid_domain::{
    lease::{Directive, Renewal},
    steps::Renew,
};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    events::show_renewal,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Renew a lease.
///
/// The lease ends `lease_duration_seconds` from now. One that has expired is renewed as well, as long
/// as nobody else has claimed the task. The response tells the agent whether to go on, and has the
/// messages to it. Streams of events show `progress` as `task.progress`, and a renewal without
/// progress as `task.renewed`, both without an `id`.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/renew", tag = "tasks", request_body = Renew,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Renewal), Problems))]
pub(crate) async fn renew_task(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Renew>,
) -> Answer<Renewal> {
    let renewed = app.store.renew_task(&id, caller.within(), &body, app.stamp()).await?;
    show_renewal(&app, &id, &renewed, &body);
    let directive = Directive::of(renewed.is_cancelled, renewed.is_draining);
    Ok(Json(Renewal {
        task_id: id,
        run: renewed.run,
        lease_expires_at: renewed.lease_expires_at,
        directive,
        reason: directive.reason().map(str::to_owned),
        messages: renewed.messages,
    }))
}
