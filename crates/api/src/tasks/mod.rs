//! The queue.

pub(crate) mod accept;
pub(crate) mod claim;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod force_queue;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod hooks;
pub(crate) mod list;
pub(crate) mod reject;
pub(crate) mod requeue;
pub(crate) mod submit;
pub(crate) mod update;

use axum::routing::{MethodRouter, get};
use octopoid_domain::{TaskView, decide::Request};

use crate::{app::App, audit, auth::Caller, json::Json, openapi::Answer, query::Segment};

/// Takes a step of a task, writes its audit line, and answers with the task as it is then. `agent` is
/// who the request names.
async fn make_step(
    app: &App,
    caller: &Caller,
    id: &str,
    request: &Request,
    event: &'static str,
    agent: Option<&str>,
) -> Answer<TaskView> {
    let task = app.store.change_task(id, caller.within(), request, app.stamp()).await?.into();
    audit::task(event, caller, agent, &task);
    Ok(Json(task))
}

/// The operations on a task whose id is `claim`: only the POST of that path is taken.
pub(crate) fn called_claim() -> MethodRouter<App> {
    let id = || Segment("claim".to_owned());
    get(move |app, caller, params| get::get_task(app, caller, id(), params))
        .patch(move |app, caller, body| update::update_task(app, caller, id(), body))
        .delete(move |app, caller| delete::delete_task(app, caller, id()))
}
