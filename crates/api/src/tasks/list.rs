use axum::extract::State;
use octopoid_domain::{Refusal, TaskView, task::priority, text::shown, why::Waiting};
use octopoid_store::lists::{Claimable, Filter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::Problems,
    problem::Problem,
    query::missing,
};

/// The largest page of a list that says why its tasks wait.
const EXPLAINED_MAX: i64 = 100;

/// The first reason why a task waits, or null.
#[derive(Serialize)]
#[serde(transparent)]
struct Explained(Option<Waiting>);

/// A task in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedTask {
    #[serde(flatten)]
    task: TaskView,
    /// Only with `include=waiting`: the first reason why the task waits; null if it can be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Waiting>)]
    waiting: Option<Explained>,
}

/// A page of the list of tasks.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskList {
    tasks: Vec<ListedTask>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(TaskList, tasks: ListedTask);

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
        ("claimable" = Option<String>, Query, description = "true: only what a claim would get now; false: the rest."),
        ("include" = Option<String>, Query, description = "`waiting`: say for each task why it waits."),
        ("sort" = Option<String>, Query, description = "`priority`: most urgent first."),
        ("limit" = Option<String>, Query, description = "Maximum 500, or 100 with `include=waiting`; default 50."),
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
    let (is_explained, now) = (is_explained(&query)?, app.now());
    let filter = Filter {
        scope: scope.to_owned(),
        queues: query.list("queue")?,
        priorities: query.list("priority")?.into_iter().map(priority).collect(),
        roles: query.list("role")?,
        claimed_by: query.text("claimed_by"),
        project_id: query.text("project_id"),
        needs_intervention: query.flag("needs_intervention"),
        claimable: query.flag("claimable").map(|is_wanted| Claimable { is_wanted, now }),
        by_priority: query.get("sort") == Some("priority"),
    };
    let mut page = query.page()?;
    if is_explained {
        page.limit = page.limit.min(EXPLAINED_MAX);
    }
    let listed = app.store.list_tasks(&filter, &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    let waiting: Vec<_> = if is_explained {
        let waiting = app.store.explain_tasks(scope, &listed.items, now).await?;
        waiting.into_iter().map(|waiting| Some(Explained(waiting))).collect()
    } else {
        listed.items.iter().map(|_| None).collect()
    };
    let tasks = listed.items.into_iter().zip(waiting);
    let tasks = tasks.map(|(task, waiting)| ListedTask { task: task.into(), waiting }).collect();
    Ok(query.answer(TaskList { tasks, paging }, next.as_deref()))
}

/// Whether the list says why its tasks wait.
fn is_explained(query: &ListQuery) -> Result<bool, Problem> {
    match query.get("include") {
        None => Ok(false),
        Some("waiting") => Ok(true),
        Some(other) => {
            let text = format!(
                "Invalid value for include: \"{}\". The only value is waiting",
                shown(other)
            );
            Err(Refusal::invalid(text).into())
        }
    }
}
