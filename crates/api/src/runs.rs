//! Runs: what happened to tasks, lease by lease.

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use octopoid_domain::{
    Refusal,
    input::INTEGER_MAX,
    run::{Kind, Outcome, RunDetails, RunView, RunningView, run_number},
    text::shown,
};
use octopoid_store::runs::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    list::{ListAnswer, ListQuery},
    listing::long_field,
    openapi::{Answer, Problems},
    problem::Problem,
    query::{Params, Segment, Segments, missing},
};

/// A page of a task's runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunList {
    runs: Vec<RunView>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(RunList, runs: RunView);

/// A page of the list of running runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunningList {
    runs: Vec<RunningView>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(RunningList, runs: RunningView);

/// A run of a task in the path.
pub(crate) struct RunOf {
    pub(crate) task: String,
    pub(crate) run: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for RunOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Segments([task, run]) = Segments::from_request_parts(parts, state).await?;
        let run = run_number(&run).ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid run \"{}\": a whole number from 1 to {INTEGER_MAX}",
                shown(&run)
            ))
        })?;
        Ok(Self { task, run })
    }
}

/// List the runs of a task.
///
/// Newest first. A deleted task has at most its last runs.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/runs", tag = "runs",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = RunList), Problems))]
pub(crate) async fn list_task_runs(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    query: ListQuery,
) -> ListAnswer<RunList> {
    let within = caller.scope(query.get("scope"));
    let listed = app.store.list_task_runs(&id, within, &query.stretch()).await?;
    let next = listed.next_cursor.clone();
    let body = RunList { runs: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

/// Get a run.
///
/// With its result and its last checkpoint.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/runs/{run}", tag = "runs",
    params(
        ("id" = String, Path, description = "The task."),
        ("run" = i64, Path, description = "The number of the run."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = RunDetails), Problems))]
pub(crate) async fn get_run(
    State(app): State<App>,
    caller: Caller,
    RunOf { task, run }: RunOf,
    params: Params,
) -> Answer<RunDetails> {
    let within = caller.scope(params.get("scope"));
    Ok(Json(app.store.get_run(&task, run, within).await?))
}

/// List running runs.
///
/// Of all tasks of a scope, by task. Only runs that have not ended are listed across tasks; those of
/// a task are listed with the task.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("outcome" = Option<String>, Query, description = "`running`, which is the default."),
        ("kind" = Option<String>, Query, description = "`work` or `review`."),
        ("agent" = Option<String>, Query, description = "Of this agent."),
        ("orchestrator_id" = Option<String>, Query, description = "On this machine."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = RunningList), Problems))]
pub(crate) async fn list_runs(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<RunningList> {
    let scope = caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list runs across all scopes.")
    })?;
    if let Some(other) = query.get("outcome").filter(|word| *word != Outcome::Running.as_str()) {
        return Err(Refusal::invalid(format!(
            "Invalid value for outcome: \"{}\". Only running runs are listed across tasks; list \
             those that have ended with /api/v1/tasks/{{id}}/runs",
            shown(other)
        ))
        .into());
    }
    let filter = Filter {
        scope: scope.to_owned(),
        kind: query.get("kind").map(kind).transpose()?,
        agent: query.text("agent"),
        orchestrator_id: query.text("orchestrator_id"),
    };
    let listed = app.store.list_runs(&filter, &query.stretch()).await?;
    let next = listed.next_cursor.clone();
    let body = RunningList { runs: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

fn kind(word: &str) -> Result<Kind, Refusal> {
    Kind::parse(word).ok_or_else(|| {
        let valid: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let (word, valid) = (shown(word), valid.join(", "));
        Refusal::invalid(format!("Invalid value for kind: \"{word}\". Valid values: {valid}"))
    })
}
