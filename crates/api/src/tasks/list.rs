use axum::extract::State;
use octopoid_domain::{TaskView, task::priority};
use octopoid_store::lists::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::Problems,
    query::missing,
};

/// A stretch of the list of tasks.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskList {
    tasks: Vec<TaskView>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(TaskList, tasks: TaskView);

/// List tasks.
///
/// The newest first, or the most urgent first. A list that filters by more than its queue looks at
/// 10,000 finished tasks a page at most; `next_cursor` goes on behind them.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("queue" = Option<String>, Query, description = "At most 1,000, separated by commas."),
        ("priority" = Option<String>, Query, description = "At most 1,000, separated by commas."),
        ("role" = Option<String>, Query, description = "At most 1,000, separated by commas."),
        ("claimed_by" = Option<String>, Query, description = "The agent that holds them."),
        ("project_id" = Option<String>, Query, description = "The project they belong to."),
        ("needs_intervention" = Option<String>, Query, description = "true or false."),
        ("sort" = Option<String>, Query, description = "`priority` for the most urgent first."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over; at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = TaskList), Problems))]
pub(crate) async fn list_tasks(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<TaskList> {
    let scope = caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list tasks across all scopes.")
    })?;
    let filter = Filter {
        scope: scope.to_owned(),
        queues: query.list("queue")?,
        priorities: query.list("priority")?.into_iter().map(priority).collect(),
        roles: query.list("role")?,
        claimed_by: query.text("claimed_by"),
        project_id: query.text("project_id"),
        needs_intervention: query.flag("needs_intervention"),
        by_priority: query.get("sort") == Some("priority"),
    };
    let page = query.page()?;
    let listed = app.store.list_tasks(&filter, &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    let tasks = listed.items.into_iter().map(TaskView::from).collect();
    Ok(query.answer(TaskList { tasks, paging }, next.as_deref()))
}
