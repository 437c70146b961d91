//! What actors tell each other about a task.

use axum::{extract::State, http::StatusCode};
use octopoid_domain::message::{Message, NewMessage};
use octopoid_store::{lists::Listed, messages::Filter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    idempotency::{Attempt, Keyed, Outcome},
    json::Json,
    list::{Linked, ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::Problems,
    problem::Problem,
    query::{Segment, missing},
};

/// So many messages does a thread show.
const THREAD_MAX: i64 = 10_000;

/// A page of the list of messages, in the order they were written.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageList {
    messages: Vec<Message>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(MessageList, messages: Message);

/// Write a message.
///
/// The task need not exist. A parent message must have the same scope and task.
#[utoipa::path(post, path = "/api/v1/messages", tag = "messages", request_body = NewMessage,
    params(Keyed<()>),
    responses((status = 201, body = Message), Problems))]
pub(crate) async fn create_message(
    State(app): State<App>,
    caller: Caller,
    Keyed(key, Body(new)): Keyed<Body<NewMessage>>,
) -> Outcome<Json<Message>> {
    let stamp = app.stamp();
    let within = caller.within();
    let new = new.into_message(within, stamp.now)?;
    let attempt = Attempt::new(&app, key, Some(&new.scope), StatusCode::CREATED);
    let created = attempt.store.create_message(new, stamp).await;
    let store = &app.store;
    let done = attempt
        .end(created, |was| async move { store.get_message(&was.subject, within).await })
        .await?;
    let note = |message: &Message| {
        audit::other("message.created", &caller, &message.id, Some(&message.scope));
    };
    Ok(done.noted(note).map(Json))
}

/// List messages.
///
/// In the order they were written. Without `limit` and `offset`, the list has the newest 50
/// messages, and the next page the previous ones. With either, `offset` counts from the oldest.
/// With `thread_id`, the list has that message and all replies below it, up to 10,000; other
/// filters and `offset` are ignored, and `limit` applies only with `cursor` (an empty `cursor`
/// requests the first page).
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("task_id" = Option<String>, Query, description = "About this task."),
        ("to_actor" = Option<String>, Query, description = "To this recipient."),
        ("type" = Option<String>, Query, description = "Of this type."),
        ("unreplied" = Option<String>, Query, description = "`true`: only messages without a reply."),
        ("thread_id" = Option<String>, Query, description = "The first message of a thread."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = MessageList), Problems))]
pub(crate) async fn list_messages(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<MessageList> {
    let scope = scope(&caller, &query)?;
    if let Some(root) = query.get("thread_id") {
        let is_paged = query.has("cursor");
        let limit = query.integer("limit").filter(|_| is_paged);
        let page = query.whole_of(limit, THREAD_MAX);
        let listed = app.store.list_thread(root, scope, &page).await?;
        let paging = Paging::of(&listed, &page);
        let paging = if is_paged { paging } else { paging.unlimited() };
        return Ok(answer(&query, listed, paging));
    }
    let filter = Filter {
        scope: scope.to_owned(),
        task_id: query.text("task_id"),
        to_actor: query.text("to_actor"),
        kind: query.text("type"),
        is_unreplied: query.flag("unreplied") == Some(true),
    };
    list(&app, &filter, &query).await
}

/// List the messages of a task.
///
/// In the order they were written. The task need not exist.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/messages", tag = "messages",
    params(
        ("id" = String, Path, description = "The task."),
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = MessageList), Problems))]
pub(crate) async fn list_task_messages(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    query: ListQuery,
) -> ListAnswer<MessageList> {
    let scope = scope(&caller, &query)?.to_owned();
    let filter = Filter { scope, task_id: Some(id), ..Filter::default() };
    list(&app, &filter, &query).await
}

fn scope<'a>(caller: &'a Caller, query: &'a ListQuery) -> Result<&'a str, Problem> {
    caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list messages across all scopes.")
    })
}

async fn list(app: &App, filter: &Filter, query: &ListQuery) -> ListAnswer<MessageList> {
    let page = query.page()?;
    // Clients that ask for no page look for news, and went blind after the oldest 50.
    let listed = if query.has_page() {
        app.store.list_messages(filter, &page).await?
    } else {
        app.store.list_newest_messages(filter, &page).await?
    };
    let paging = Paging::of(&listed, &page);
    Ok(answer(query, listed, paging))
}

fn answer(query: &ListQuery, listed: Listed<Message>, paging: Paging) -> Linked<MessageList> {
    let next = listed.next_cursor;
    query.answer(MessageList { messages: listed.items, paging }, next.as_deref())
}
