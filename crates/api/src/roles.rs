//! What agents there are, and where they claim from.

use axum::{
    extract::State,
    routing::{MethodRouter, get},
};
use octopoid_domain::{
    Refusal,
    role::{Role, RolesRegistration},
};
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
    query::{Params, Segment},
};

/// So many roles come at once.
const LIMIT_MAX: i64 = 10_000;

/// The roles of an orchestrator.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegisteredRoles {
    roles: Vec<Role>,
}

/// A list of roles.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoleList {
    roles: Vec<Role>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(RoleList, roles: Role);

/// Register roles.
///
/// The roles belong to the scope of the orchestrator. An existing role is overwritten. Returns all
/// roles of the orchestrator.
#[utoipa::path(post, path = "/api/v1/roles/register", tag = "roles",
    request_body = RolesRegistration,
    responses((status = 200, body = RegisteredRoles), Problems))]
pub(crate) async fn register_roles(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<RolesRegistration>,
) -> Answer<RegisteredRoles> {
    let new = body.check()?;
    let roles = app.store.register_roles(&new, caller.within(), app.stamp()).await?;
    let scope = roles.first().map(|role| &*role.scope);
    audit::other("roles.registered", &caller, &new.orchestrator_id, scope);
    Ok(Json(RegisteredRoles { roles }))
}

/// List roles.
///
/// Sorted by name.
#[utoipa::path(get, path = "/api/v1/roles", tag = "roles",
    params(
        ("scope" = Option<String>, Query, description = "Default: the key's scope, or all scopes."),
        ("limit" = Option<String>, Query, description = "Maximum and default 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = RoleList), Problems))]
pub(crate) async fn list_roles(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<RoleList> {
    let scope = caller.scope(query.get("scope"));
    let listed = app.store.list_roles(scope, &query.whole(LIMIT_MAX)).await?;
    let next = listed.next_cursor.clone();
    let body = RoleList { roles: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

/// Get a role.
///
/// The role of the own scope. Without a key, the most recently registered role if the scope has
/// none.
#[utoipa::path(get, path = "/api/v1/roles/{name}", tag = "roles",
    params(
        ("name" = String, Path, description = "The role."),
        ("scope" = Option<String>, Query, description = "The scope to search first."),
    ),
    responses((status = 200, body = Role), Problems))]
pub(crate) async fn get_role(
    State(app): State<App>,
    caller: Caller,
    Segment(name): Segment,
    params: Params,
) -> Answer<Role> {
    let role = app.store.get_role(&name, caller.scope(params.get("scope"))).await?;
    // The store looks in the caller's scope first: one of another is all it found.
    if caller.within().is_some_and(|own| own != role.scope) {
        return Err(Refusal::NotFound("Role not found".to_owned()).into());
    }
    Ok(Json(role))
}

/// The operation on a role whose name is `register`: only the POST of that path is taken.
pub(crate) fn called_register() -> MethodRouter<App> {
    get(|app, caller, params| get_role(app, caller, Segment("register".to_owned()), params))
}
