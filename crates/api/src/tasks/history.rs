use axum::{Json, extract::State};
use octopoid_domain::{Refusal, event::Event};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    openapi::{Answer, Problems},
    query::{Params, Segment},
};

/// A stretch of a task's history.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    task_id: String,
    events: Vec<Event>,
    /// Asks for the next stretch; null at the end.
    next_cursor: Option<String>,
}

/// List what happened to a task.
///
/// Oldest first: who did what, when and why. The history of a deleted task stays readable.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/history", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "404 if it belongs to another."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the stretch before."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
    ),
    responses((status = 200, body = History), Problems))]
pub(crate) async fn list_task_history(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> Answer<History> {
    let after = match params.get("cursor") {
        None => 0,
        Some(cursor) => {
            cursor.parse::<u32>().map_err(|_| Refusal::invalid("Invalid cursor")).map(i64::from)?
        }
    };
    let limit = params.page().limit.max(1);
    let within = caller.scope(params.get("scope"));
    let mut events = app.store.task_history(&id, within, after, limit + 1).await?;
    if events.is_empty() && after == 0 {
        return Err(Refusal::TaskNotFound { id }.into());
    }
    let has_more = i64::try_from(events.len()).is_ok_and(|found| found > limit);
    if has_more {
        events.pop();
    }
    let next_cursor = events.last().filter(|_| has_more).map(|event| event.id.to_string());
    Ok(Json(History { task_id: id, events, next_cursor }))
}
