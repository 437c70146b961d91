use axum::extract::State;
use octopoid_domain::{
    Millis, Refusal, Task, TaskView, run::LastRun, task::priority, text::shown, why::Waiting,
};
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

/// The largest page of a list that includes more than its tasks.
const INCLUDING_MAX: i64 = 100;

/// The characters of a text to search for.
const SEARCH_CHARS_MAX: usize = 200;

/// What was asked for, or null where there is none.
#[derive(Serialize)]
#[serde(transparent)]
struct OrNull<T>(Option<T>);

/// What a list includes beside its tasks.
#[derive(Default)]
struct Include {
    waiting: bool,
    run: bool,
}

/// A task in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedTask {
    #[serde(flatten)]
    task: TaskView,
    /// Only with `include=waiting`: the first reason why the task waits; null if it can be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Waiting>)]
    waiting: Option<OrNull<Waiting>>,
    /// Only with `include=run`: the last run for work, also while a review of it goes on; null if
    /// there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<LastRun>)]
    last_run: Option<OrNull<LastRun>>,
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
        ("waits_for" = Option<String>, Query,
            description = "Only what waits for this task: its id is in their `blocked_by`."),
        ("search" = Option<String>, Query,
            description = "1 to 200 characters in the title or at the start of the id, in any case of ASCII letters."),
        ("needs_intervention" = Option<String>, Query, description = "true or false."),
        ("claimable" = Option<String>, Query, description = "true: only what a claim would get now; false: the rest."),
        ("include" = Option<String>, Query, 
            description = "`waiting`: why each task waits; `run`: its last run for work; or both, with a comma."),
        ("sort" = Option<String>, Query, description = "`priority`: most urgent first."),
        ("limit" = Option<String>, Query, description = "Maximum 500, or 100 with `include`; default 50."),
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
    let (include, now) = (Include::of(&query)?, app.now());
    let filter = Filter {
        scope: scope.to_owned(),
        queues: query.list("queue")?,
        priorities: query.list("priority")?.into_iter().map(priority).collect(),
        roles: query.list("role")?,
        claimed_by: query.text("claimed_by"),
        project_id: query.text("project_id"),
        blocked_by: query.text("waits_for"),
        needs_intervention: query.flag("needs_intervention"),
        search: search(&query)?,
        claimable: query.flag("claimable").map(|is_wanted| Claimable { is_wanted, now }),
        by_priority: query.get("sort") == Some("priority"),
    };
    let mut page = query.page()?;
    if include.waiting || include.run {
        page.limit = page.limit.min(INCLUDING_MAX);
    }
    let listed = app.store.list_tasks(&filter, &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    let tasks = including(&app, scope, listed.items, &include, now).await?;
    Ok(query.answer(TaskList { tasks, paging }, next.as_deref()))
}

/// The text to search for, if there is one.
fn search(query: &ListQuery) -> Result<Option<String>, Problem> {
    let text = query.text("search");
    let length = text.as_ref().map_or(0, |text| text.chars().count());
    if query.has("search") && !(1..=SEARCH_CHARS_MAX).contains(&length) {
        let text = format!(
            "Invalid value for search: 1 to {SEARCH_CHARS_MAX} characters; leave it out to list \
             all tasks"
        );
        return Err(Refusal::invalid(text).into());
    }
    Ok(text)
}

/// The tasks with what is included, each of which takes one read for all of them.
async fn including(
    app: &App,
    scope: &str,
    tasks: Vec<Task>,
    include: &Include,
    now: Millis,
) -> Result<Vec<ListedTask>, Problem> {
    let mut waiting = Vec::new();
    if include.waiting {
        waiting = app.store.explain_tasks(scope, &tasks, now).await?;
    }
    let mut runs = Vec::new();
    if include.run {
        runs = app.store.last_runs(&tasks).await?;
    }
    let (mut waiting, mut runs) = (waiting.into_iter(), runs.into_iter());
    let listed = |task: Task| ListedTask {
        task: task.into(),
        waiting: waiting.next().map(OrNull),
        last_run: runs.next().map(OrNull),
    };
    Ok(tasks.into_iter().map(listed).collect())
}

impl Include {
    fn of(query: &ListQuery) -> Result<Self, Problem> {
        let mut include = Self::default();
        for name in query.list("include")? {
            match &*name {
                "waiting" => include.waiting = true,
                "run" => include.run = true,
                other => {
                    let text = format!(
                        "Invalid value for include: \"{}\". The values are waiting and run",
                        shown(other)
                    );
                    return Err(Refusal::invalid(text).into());
                }
            }
        }
        Ok(include)
    }
}
