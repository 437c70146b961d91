use axum::extract::State;
use octopoid_domain::{
    journal::{Passing, Subject},
    lease::{Directive, Renewal},
    report::NewProgress,
    steps::Renew,
};
use octopoid_store::Renewed;
use serde_json::json;

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    query::Segment,
};

/// Renew a lease.
///
/// The lease ends `lease_duration_seconds` from now. One that has expired is renewed as well, as long
/// as nobody else has claimed the task. The response tells the agent whether to go on, and has the
/// messages to it. `progress` is shown on streams of events as
/// `task.progress`, without an `id`.
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
    if let Some(progress) = &body.progress {
        show(&app, &id, &renewed, progress);
    }
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

/// Shows progress on the streams of events. It is no event, so nothing keeps it.
fn show(app: &App, id: &str, renewed: &Renewed, progress: &NewProgress) {
    app.show(Passing {
        name: "task.progress".to_owned(),
        at: app.now(),
        scope: renewed.scope.clone(),
        subject: Subject { kind: "task".to_owned(), id: id.to_owned() },
        details: json!({
            "run": renewed.run, "message": progress.message.0, "percent": progress.percent,
        }),
    });
}
