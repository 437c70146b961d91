//! Which states tasks may be in, and which steps lead on.

use axum::extract::State;
use octopoid_domain::flow::{Flow, NewFlow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    list::{ListAnswer, ListQuery},
    listing::long_field,
    openapi::{Answer, Problems},
    query::{Params, Segment, missing},
};

/// So many flows come at once.
const LIMIT_MAX: i64 = 1_000;

/// A list of flows.
#[derive(Serialize, ToSchema)]
pub(crate) struct FlowList {
    flows: Vec<Flow>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(FlowList, flows: Flow);

/// The deleted object.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedFlow {
    message: &'static str,
    name: String,
    scope: String,
}

/// Register a flow.
///
/// The flow then determines the valid queues and the allowed transitions of its tasks.
#[utoipa::path(put, path = "/api/v1/flows/{name}", tag = "flows", request_body = NewFlow,
    params(("name" = String, Path, description = "The name of the flow; tasks without a flow use `default`.")),
    responses((status = 200, body = Flow), Problems))]
pub(crate) async fn put_flow(
    State(app): State<App>,
    caller: Caller,
    Segment(name): Segment,
    Body(new): Body<NewFlow>,
) -> Answer<Flow> {
    let scope = caller
        .scope(new.scope.0.as_deref())
        .ok_or_else(|| missing("Missing required field: scope"))?;
    let flow = app.store.put_flow(scope, &name, &new, app.stamp()).await?;
    audit::other("flow.registered", &caller, &name, Some(scope));
    Ok(Json(flow))
}

/// List flows.
///
/// Sorted by name.
#[utoipa::path(get, path = "/api/v1/flows", tag = "flows",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("limit" = Option<String>, Query, description = "Maximum and default 1,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = FlowList), Problems))]
pub(crate) async fn list_flows(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<FlowList> {
    let scope = caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot list flows across all scopes.")
    })?;
    let listed = app.store.list_flows(scope, &query.whole(LIMIT_MAX)).await?;
    let next = listed.next_cursor.clone();
    let body = FlowList { flows: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

/// Get a flow.
#[utoipa::path(get, path = "/api/v1/flows/{name}", tag = "flows",
    params(
        ("name" = String, Path, description = "The flow."),
        ("scope" = Option<String>, Query, description = "Required without a key."),
    ),
    responses((status = 200, body = Flow), Problems))]
pub(crate) async fn get_flow(
    State(app): State<App>,
    caller: Caller,
    Segment(name): Segment,
    params: Params,
) -> Answer<Flow> {
    let scope = caller.scope(params.get("scope")).ok_or_else(missing_scope)?;
    Ok(Json(app.store.get_flow(scope, &name).await?))
}

/// Delete a flow.
///
/// Its tasks stay in their queues, without restrictions on queues and transitions.
#[utoipa::path(delete, path = "/api/v1/flows/{name}", tag = "flows",
    params(
        ("name" = String, Path, description = "The flow."),
        ("scope" = Option<String>, Query, description = "Required without a key."),
    ),
    responses((status = 200, body = DeletedFlow), Problems))]
pub(crate) async fn delete_flow(
    State(app): State<App>,
    caller: Caller,
    Segment(name): Segment,
    params: Params,
) -> Answer<DeletedFlow> {
    let scope = caller.scope(params.get("scope")).ok_or_else(missing_scope)?;
    app.store.delete_flow(scope, &name, app.stamp()).await?;
    audit::other("flow.deleted", &caller, &name, Some(scope));
    Ok(Json(DeletedFlow { message: "Flow deleted", name, scope: scope.to_owned() }))
}

fn missing_scope() -> crate::problem::Problem {
    missing("Missing required query parameter: scope")
}
