//! What agents there are, and where they claim from.

use axum::{
    Json,
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
    openapi::{Answer, Problems},
    query::{Params, Segment},
};

/// A list of roles.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoleList {
    roles: Vec<Role>,
}

/// Register roles.
///
/// They belong to the scope of the orchestrator; a role that is known there is overwritten.
/// Answers all roles of the orchestrator.
#[utoipa::path(post, path = "/api/v1/roles/register", tag = "roles",
    request_body = RolesRegistration,
    responses((status = 200, body = RoleList), Problems))]
pub(crate) async fn register_roles(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<RolesRegistration>,
) -> Answer<RoleList> {
    let new = body.check()?;
    let roles = app.store.register_roles(&new, caller.within(), app.stamp()).await?;
    let scope = roles.first().map(|role| &*role.scope);
    audit::other("roles.registered", &caller, &new.orchestrator_id, scope);
    Ok(Json(RoleList { roles }))
}

/// List roles.
///
/// By name.
#[utoipa::path(get, path = "/api/v1/roles", tag = "roles",
    params(("scope" = Option<String>, Query, description = "The key's, or all, if left out.")),
    responses((status = 200, body = RoleList), Problems))]
pub(crate) async fn list_roles(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Answer<RoleList> {
    let roles = app.store.list_roles(caller.scope(params.get("scope"))).await?;
    Ok(Json(RoleList { roles }))
}

/// Get a role.
///
/// As its own scope has it; without a key, otherwise as whoever registered it last.
#[utoipa::path(get, path = "/api/v1/roles/{name}", tag = "roles",
    params(
        ("name" = String, Path, description = "The role."),
        ("scope" = Option<String>, Query, description = "Where to look first."),
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
