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

/// A page of the list of tasks.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskList {
    tasks: Vec<TaskView>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(TaskList, tasks: TaskView);

/// List tasks.
///
/// Newest first, or by priority. A list that filters by more than `queue` examines at most 10,000
/// finished tasks per page; `next_cursor` continues after them.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("queue" = Option<String>, Query, description = "At most 1,000 values, separated by commas."),
        ("priority" = Option<String>, Query, description = "At most 1,000 values, separated by commas."),
        ("role" = Option<String>, Query, description = "At most 1,000 values, separated by commas."),
        ("claimed_by" = Option<String>, Query, description = "The agent that holds them."),
        ("project_id" = Option<String>, Query, description = "The project they belong to."),
        ("needs_intervention" = Option<String>, Query, description = "true or false."),
        ("sort" = Option<String>, Query, description = "`priority`: most urgent first."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
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
