//! Work that is not handed out for a while.

use axum::extract::State;
use octopoid_domain::pause::{NewPause, Pause, Target};
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
    problem::Problem,
    query::{Params, Segment, missing},
};

/// So many pauses come at once.
const LIMIT_MAX: i64 = 1_000;

/// A list of pauses.
#[derive(Serialize, ToSchema)]
pub(crate) struct PauseList {
    pauses: Vec<Pause>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(PauseList, pauses: Pause);

/// The deleted pause.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedPause {
    message: &'static str,
    target: String,
    scope: String,
}

/// Pause a scope, a queue, a role or a pool.
///
/// Claims get nothing that a pause covers. Runs that have begun go on. A pause of the same target
/// is replaced.
#[utoipa::path(put, path = "/api/v1/pauses/{target}", tag = "pauses", request_body = NewPause,
    params(
        ("target" = String, Path, description = "`scope`, `queue:NAME`, `role:NAME` or `pool:NAME`."),
        ("scope" = Option<String>, Query, description = "The scope, if the body has none."),
    ),
    responses((status = 200, body = Pause), Problems))]
pub(crate) async fn put_pause(
    State(app): State<App>,
    caller: Caller,
    Segment(target): Segment,
    params: Params,
    Body(new): Body<NewPause>,
) -> Answer<Pause> {
    let asked = new.scope.0.clone();
    let scope = caller
        .scope(asked.as_deref().or(params.get("scope")))
        .ok_or_else(|| missing("Missing required field: scope"))?;
    let stamp = app.stamp();
    let pause = app.store.put_pause(&new.into_pause(scope, &target, stamp.now)?, stamp).await?;
    audit::other("pause.put", &caller, &target, Some(scope));
    Ok(Json(pause))
}

/// List pauses.
///
/// Those that have not ended, by target.
#[utoipa::path(get, path = "/api/v1/pauses", tag = "pauses",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("limit" = Option<String>, Query, description = "Maximum and default 1,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = PauseList), Problems))]
pub(crate) async fn list_pauses(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<PauseList> {
    let scope = caller.scope(query.get("scope")).ok_or_else(missing_scope)?;
    let listed = app.store.list_pauses(scope, &query.whole(LIMIT_MAX), app.now()).await?;
    let next = listed.next_cursor.clone();
    let body = PauseList { pauses: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

/// Delete a pause.
///
/// What it covered can be claimed again at once.
#[utoipa::path(delete, path = "/api/v1/pauses/{target}", tag = "pauses",
    params(
        ("target" = String, Path, description = "`scope`, `queue:NAME`, `role:NAME` or `pool:NAME`."),
        ("scope" = Option<String>, Query, description = "Required without a key."),
    ),
    responses((status = 200, body = DeletedPause), Problems))]
pub(crate) async fn delete_pause(
    State(app): State<App>,
    caller: Caller,
    Segment(target): Segment,
    params: Params,
) -> Answer<DeletedPause> {
    let scope = caller.scope(params.get("scope")).ok_or_else(missing_scope)?;
    Target::parse(&target)?;
    app.store.delete_pause(scope, &target, app.stamp()).await?;
    audit::other("pause.deleted", &caller, &target, Some(scope));
    Ok(Json(DeletedPause { message: "Pause deleted", target, scope: scope.to_owned() }))
}

fn missing_scope() -> Problem {
    missing("Missing required query parameter: scope")
}
