//! The queue.

pub(crate) mod accept;
pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod fail;
pub(crate) mod force_queue;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod hooks;
pub(crate) mod list;
pub(crate) mod reject;
pub(crate) mod renew;
pub(crate) mod requeue;
pub(crate) mod retry;
pub(crate) mod submit;
pub(crate) mod update;
pub(crate) mod why;

use axum::{
    http::StatusCode,
    routing::{MethodRouter, get},
};
use octopoid_domain::{Refusal, TaskView, decide::Request, report::RunResult};
use octopoid_store::Stepped;

use crate::{
    app::App,
    audit,
    auth::Caller,
    etag::{IfMatch, Tagged},
    idempotency::{Attempt, Key, Outcome},
    query::Segment,
};

/// Under which conditions a step is taken: at most once, and from a version of the task.
struct Terms(Option<Key>, IfMatch);

/// Takes a step of a task, writes its audit line if it changes anything, and answers with the task as
/// it is then. `agent` is who the request names.
async fn make_step(
    app: &App,
    caller: &Caller,
    Terms(key, if_match): Terms,
    id: &str,
    request: &Request,
    event: &'static str,
    agent: Option<&str>,
) -> Outcome<Tagged<TaskView>> {
    let within = caller.within();
    let attempt = Attempt::matching(app, key, within, StatusCode::OK, if_match);
    let stepped = attempt.store.take_step(id, within, request, app.stamp()).await;
    let done = attempt
        .end(stepped, |was| async move {
            let task = app.store.get_task(&was.subject, within).await?;
            Ok(Stepped { task, is_repeated: true })
        })
        .await?;
    let done = done.map(|Stepped { task, is_repeated }| (TaskView::from(task), is_repeated));
    let done = done.noted(|(task, is_repeated)| {
        if !is_repeated {
            audit::task(event, caller, agent, task);
        }
    });
    Ok(done.map(|(task, _)| Tagged(task)))
}

/// Makes the result of a run fit for the store: a long patch is cut, and what is too large all the
/// same is refused.
fn fit_result(app: &App, result: &mut Option<RunResult>) -> Result<(), Refusal> {
    let Some(result) = result else { return Ok(()) };
    result.cut_patch(app.settings.patch_bytes_max);
    result.check(app.settings.result_bytes_max)
}

/// The operations on a task whose id is `claim`: only the POST of that path is taken.
pub(crate) fn called_claim() -> MethodRouter<App> {
    let id = || Segment("claim".to_owned());
    get(move |app, caller, params| get::get_task(app, caller, id(), params))
        .patch(move |app, caller, if_match, body| {
            update::update_task(app, caller, id(), if_match, body)
        })
        .delete(move |app, caller, if_match| delete::delete_task(app, caller, id(), if_match))
}
