use axum::{extract::State, http::StatusCode};
use octopoid_domain::{TaskView, task::NewTask};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    etag::Tagged,
    idempotency::{Attempt, Keyed, Outcome},
    openapi::Problems,
    trace::Caused,
};

/// Create a task.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", request_body = NewTask,
    params(Keyed<()>, Caused),
    responses((status = 201, body = TaskView), Problems))]
pub(crate) async fn create_task(
    State(app): State<App>,
    caller: Caller,
    Caused(trace): Caused,
    Keyed(key, Body(new)): Keyed<Body<NewTask>>,
) -> Outcome<Tagged<TaskView>> {
    let stamp = app.stamp();
    let within = caller.within();
    let mut new = new.into_task(within, stamp.now)?;
    new.traceparent = trace.map(|trace| trace.to_string());
    let attempt = Attempt::new(&app, key, Some(&new.scope), StatusCode::CREATED);
    let created = attempt.store.create_task(new, within, stamp).await;
    let store = &app.store;
    let done = attempt
        .end(created, |was| async move { store.get_task(&was.subject, within).await })
        .await?
        .map(TaskView::from)
        .noted(|task| audit::task("task.created", &caller, None, task));
    Ok(done.map(Tagged))
}
