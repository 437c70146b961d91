//! Actions: proposals that a person approves.

use axum::{extract::State, http::StatusCode};
use octopoid_domain::action::{Action, ActionPatch, EndAction, NewAction, Outcome as How};
use octopoid_store::{StoreError, actions::Filter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::{Body, NoBody, OptionalBody},
    idempotency::{Attempt, Keyed, Outcome},
    json::Json,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    query::{Segment, missing},
};

/// A page of the list of actions.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionList {
    actions: Vec<Action>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(ActionList, actions: Action);

/// Propose an action.
#[utoipa::path(post, path = "/api/v1/actions", tag = "actions", request_body = NewAction,
    params(Keyed<()>),
    responses((status = 201, body = Action), Problems))]
pub(crate) async fn create_action(
    State(app): State<App>,
    caller: Caller,
    Keyed(key, Body(new)): Keyed<Body<NewAction>>,
) -> Outcome<Json<Action>> {
    let stamp = app.stamp();
    let new = new.into_action(caller.within(), stamp.now)?;
    let attempt = Attempt::new(&app, key, Some(&new.scope), StatusCode::CREATED);
    let created = attempt.store.create_action(new, stamp).await;
    end(&app, &caller, attempt, created, "action.proposed").await
}

/// List actions.
///
/// Newest first, without expired ones.
#[utoipa::path(get, path = "/api/v1/actions", tag = "actions",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("entity_type" = Option<String>, Query, description = "About this kind of thing."),
        ("entity_id" = Option<String>, Query, description = "About this one."),
        ("status" = Option<String>, Query, description = "With this status."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = ActionList), Problems))]
pub(crate) async fn list_actions(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<ActionList> {
    let scope = caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list actions across all scopes.")
    })?;
    let filter = Filter {
        scope: scope.to_owned(),
        entity_type: query.text("entity_type"),
        entity_id: query.text("entity_id"),
        status: query.text("status"),
    };
    let page = query.page()?;
    let listed = app.store.list_actions(&filter, &page, app.now()).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    Ok(query.answer(ActionList { actions: listed.items, paging }, next.as_deref()))
}

/// Request the execution of an action.
///
/// The action must be proposed and not expired. Of concurrent requests, one succeeds and the others
/// return 400 with the status.
#[utoipa::path(post, path = "/api/v1/actions/{id}/execute", tag = "actions",
    params(("id" = String, Path, description = "The action."), Keyed<()>),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn execute_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Keyed(key, NoBody): Keyed<NoBody>,
) -> Outcome<Json<Action>> {
    let attempt = Attempt::new(&app, key, caller.within(), StatusCode::OK);
    let action = attempt.store.execute_action(&id, caller.within(), app.stamp()).await;
    end(&app, &caller, attempt, action, "action.approved").await
}

/// Change the status or the result of an action.
///
/// A final status (completed, failed, expired) cannot be changed, but the result can.
#[utoipa::path(patch, path = "/api/v1/actions/{id}", tag = "actions", request_body = ActionPatch,
    params(("id" = String, Path, description = "The action.")),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn update_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(patch): Body<ActionPatch>,
) -> Answer<Action> {
    let action = app.store.update_action(&id, caller.within(), patch, app.stamp()).await?;
    note("action.updated", &caller, &action);
    Ok(Json(action))
}

/// Mark an action as completed.
///
/// Works from any status that is not final. The body is optional.
#[utoipa::path(post, path = "/api/v1/actions/{id}/complete", tag = "actions",
    request_body = Option<EndAction>,
    params(("id" = String, Path, description = "The action."), Keyed<()>),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn complete_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Keyed(key, OptionalBody(body)): Keyed<OptionalBody<EndAction>>,
) -> Outcome<Json<Action>> {
    let (attempt, within) =
        (Attempt::new(&app, key, caller.within(), StatusCode::OK), caller.within());
    let how = How::Completed;
    let action = attempt.store.end_action(&id, within, how, body, app.stamp()).await;
    end(&app, &caller, attempt, action, "action.completed").await
}

/// Mark an action as failed.
///
/// Works from any status that is not final. The body is optional.
#[utoipa::path(post, path = "/api/v1/actions/{id}/fail", tag = "actions",
    request_body = Option<EndAction>,
    params(("id" = String, Path, description = "The action."), Keyed<()>),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn fail_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Keyed(key, OptionalBody(body)): Keyed<OptionalBody<EndAction>>,
) -> Outcome<Json<Action>> {
    let (attempt, within) =
        (Attempt::new(&app, key, caller.within(), StatusCode::OK), caller.within());
    let how = How::Failed;
    let action = attempt.store.end_action(&id, within, how, body, app.stamp()).await;
    end(&app, &caller, attempt, action, "action.failed").await
}

/// Ends an attempt to change an action: writes it down, and answers with the action.
async fn end(
    app: &App,
    caller: &Caller,
    attempt: Attempt,
    result: Result<Action, StoreError>,
    event: &'static str,
) -> Outcome<Json<Action>> {
    let within = caller.within();
    let done = attempt
        .end(result, |was| async move { app.store.get_action(&was.subject, within).await })
        .await?;
    Ok(done.noted(|action| note(event, caller, action)).map(Json))
}

fn note(event: &'static str, caller: &Caller, action: &Action) {
    audit::other(event, caller, &action.id, Some(&action.scope));
}
