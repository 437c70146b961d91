//! Actions: proposals that a person approves.

use axum::{extract::State, http::StatusCode};
use octopoid_domain::action::{Action, ActionPatch, EndAction, NewAction, Outcome};
use octopoid_store::actions::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::{Body, OptionalBody},
    json::Json,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    problem::Problem,
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
    responses((status = 201, body = Action), Problems))]
pub(crate) async fn create_action(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewAction>,
) -> Result<(StatusCode, Json<Action>), Problem> {
    let stamp = app.stamp();
    let new = new.into_action(caller.within(), stamp.now)?;
    let action = app.store.create_action(new, stamp).await?;
    note("action.proposed", &caller, &action);
    Ok((StatusCode::CREATED, Json(action)))
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
    params(("id" = String, Path, description = "The action.")),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn execute_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<Action> {
    let action = app.store.execute_action(&id, caller.within(), app.stamp()).await?;
    note("action.approved", &caller, &action);
    Ok(Json(action))
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
    params(("id" = String, Path, description = "The action.")),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn complete_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    OptionalBody(body): OptionalBody<EndAction>,
) -> Answer<Action> {
    let outcome = Outcome::Completed;
    let action = app.store.end_action(&id, caller.within(), outcome, body, app.stamp()).await?;
    note("action.completed", &caller, &action);
    Ok(Json(action))
}

/// Mark an action as failed.
///
/// Works from any status that is not final. The body is optional.
#[utoipa::path(post, path = "/api/v1/actions/{id}/fail", tag = "actions",
    request_body = Option<EndAction>,
    params(("id" = String, Path, description = "The action.")),
    responses((status = 200, body = Action), Problems))]
pub(crate) async fn fail_action(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    OptionalBody(body): OptionalBody<EndAction>,
) -> Answer<Action> {
    let outcome = Outcome::Failed;
    let action = app.store.end_action(&id, caller.within(), outcome, body, app.stamp()).await?;
    note("action.failed", &caller, &action);
    Ok(Json(action))
}

fn note(event: &'static str, caller: &Caller, action: &Action) {
    audit::other(event, caller, &action.id, Some(&action.scope));
}
