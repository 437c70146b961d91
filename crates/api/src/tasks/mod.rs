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

use crate::{app::App, query::Segment};

/// The operations on a task whose id is `claim`: only the POST of that path is taken.
pub(crate) fn called_claim() -> MethodRouter<App> {
    let id = || Segment("claim".to_owned());
    get(move |app, caller, params| get::get_task(app, caller, id(), params))
        .patch(move |app, caller, body| update::update_task(app, caller, id(), body))
        .delete(move |app, caller| delete::delete_task(app, caller, id()))
}
