//! What actors tell each other about a task.

use axum::{Json, extract::State, http::StatusCode};
use octopoid_domain::message::{Message, NewMessage};
use octopoid_store::messages::{Filter, Window};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    listing::{ListAnswer, Listing, long_field},
    openapi::Problems,
    problem::Problem,
    query::{Params, Segment, missing},
};

/// A stretch of the list of messages, in the order they were written.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageList {
    messages: Vec<Message>,
    /// How many match in all.
    total: i64,
    offset: i64,
    limit: i64,
}

long_field!(MessageList, messages: Message);

/// Write a message.
///
/// No task with that id need exist. A message it answers must be of the same scope and task.
#[utoipa::path(post, path = "/api/v1/messages", tag = "messages", request_body = NewMessage,
    responses((status = 201, body = Message), Problems))]
pub(crate) async fn create_message(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let stamp = app.stamp();
    let new = new.into_message(caller.within(), stamp.now)?;
    let message = app.store.create_message(new, stamp).await?;
    audit::other("message.created", &caller, &message.id, Some(&message.scope));
    Ok((StatusCode::CREATED, Json(message)))
}

/// List messages.
///
/// In the order they were written. Without `limit` and `offset` these are the newest 50; with
/// either, `offset` counts from the oldest. With `thread_id` they are that message and everything
/// below it, and nothing else is looked at.
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("task_id" = Option<String>, Query, description = "About this task."),
        ("to_actor" = Option<String>, Query, description = "For this reader."),
        ("type" = Option<String>, Query, description = "Of this kind."),
        ("unreplied" = Option<String>, Query, description = "`true`: only what nobody answered."),
        ("thread_id" = Option<String>, Query, description = "The message a thread begins with."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over."),
    ),
    responses((status = 200, body = MessageList), Problems))]
pub(crate) async fn list_messages(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> ListAnswer<MessageList> {
    let scope = scope(&caller, &params)?;
    if let Some(root) = params.get("thread_id") {
        let messages = app.store.list_thread(root, scope).await?;
        let total = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        return Ok(Listing(MessageList { messages, total, offset: 0, limit: total }));
    }
    let filter = Filter {
        scope: scope.to_owned(),
        task_id: params.text("task_id"),
        to_actor: params.text("to_actor"),
        kind: params.text("type"),
        is_unreplied: params.flag("unreplied") == Some(true),
    };
    list(&app, &filter, &params).await
}

/// List the messages about a task.
///
/// In the order they were written, as in the list of all; no such task need exist.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/messages", tag = "messages",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over."),
    ),
    responses((status = 200, body = MessageList), Problems))]
pub(crate) async fn list_task_messages(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> ListAnswer<MessageList> {
    let scope = scope(&caller, &params)?.to_owned();
    let filter = Filter { scope, task_id: Some(id), ..Filter::default() };
    list(&app, &filter, &params).await
}

fn scope<'a>(caller: &'a Caller, params: &'a Params) -> Result<&'a str, Problem> {
    caller.scope(params.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list messages across all scopes.")
    })
}

async fn list(app: &App, filter: &Filter, params: &Params) -> ListAnswer<MessageList> {
    let page = params.page();
    // Clients that ask for no stretch look for news, and went blind after the oldest 50.
    let window = if params.has_page() { Window::Stretch(page) } else { Window::Newest(page.limit) };
    let listed = app.store.list_messages(filter, window).await?;
    Ok(Listing(MessageList {
        messages: listed.items,
        total: listed.total,
        offset: page.offset,
        limit: page.limit,
    }))
}
