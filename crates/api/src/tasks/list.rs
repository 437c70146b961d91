use axum::extract::State;
use octopoid_domain::{Task, task::priority};
use octopoid_store::lists::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    listing::{ListAnswer, Listing, long_field},
    openapi::Problems,
    query::{Params, missing},
};

/// A stretch of the list of tasks.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskList {
    tasks: Vec<Task>,
    /// How many match in all.
    total: i64,
    offset: i64,
    limit: i64,
}

long_field!(TaskList, tasks: Task);

/// List tasks.
///
/// The newest first, or the most urgent first.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("queue" = Option<String>, Query, description = "One or several, separated by commas."),
        ("priority" = Option<String>, Query, description = "One or several, separated by commas."),
        ("role" = Option<String>, Query, description = "One or several, separated by commas."),
        ("claimed_by" = Option<String>, Query, description = "The agent that holds them."),
        ("project_id" = Option<String>, Query, description = "The project they belong to."),
        ("needs_intervention" = Option<String>, Query, description = "true or false."),
        ("sort" = Option<String>, Query, description = "`priority` for the most urgent first."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over."),
    ),
    responses((status = 200, body = TaskList), Problems))]
pub(crate) async fn list_tasks(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> ListAnswer<TaskList> {
    let scope = caller.scope(params.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list tasks across all scopes.")
    })?;
    let filter = Filter {
        scope: scope.to_owned(),
        queues: params.list("queue"),
        priorities: params.list("priority").into_iter().map(priority).collect(),
        roles: params.list("role"),
        claimed_by: params.text("claimed_by"),
        project_id: params.text("project_id"),
        needs_intervention: params.flag("needs_intervention"),
        by_priority: params.get("sort") == Some("priority"),
    };
    let page = params.page();
    let listed = app.store.list_tasks(&filter, page).await?;
    Ok(Listing(TaskList {
        tasks: listed.items,
        total: listed.total,
        offset: page.offset,
        limit: page.limit,
    }))
}
