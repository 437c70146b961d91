use axum::extract::State;
use octopoid_domain::{Refusal, event::Event};
use octopoid_store::lists::{Listed, Start};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    list::{ListAnswer, ListQuery},
    listing::long_field,
    openapi::Problems,
    query::Segment,
};

/// A page of a task's history.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    task_id: String,
    events: Vec<Event>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(History, events: Event);

/// List the events of a task.
///
/// Oldest first. The history of a deleted task is kept.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/history", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
    ),
    responses((status = 200, body = History), Problems))]
pub(crate) async fn list_task_history(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    query: ListQuery,
) -> ListAnswer<History> {
    let page = query.stretch();
    let within = caller.scope(query.get("scope"));
    let Listed { items: events, next_cursor, .. } =
        app.store.task_history(&id, within, &page).await?;
    if events.is_empty() && matches!(page.start, Start::Offset(_)) {
        return Err(Refusal::TaskNotFound { id }.into());
    }
    let next = next_cursor.clone();
    Ok(query.answer(History { task_id: id, events, next_cursor }, next.as_deref()))
}
