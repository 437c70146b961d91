use axum::{Json, extract::State, http::StatusCode};
use octopoid_domain::key::{Issued, Key, NewKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    admin::Administrator,
    app::App,
    audit,
    auth::Caller,
    body::Body,
    keys::FreshKey,
    openapi::{Answer, Problems},
    problem::Problem,
    query::{Params, Segment},
};

/// A stretch of the list of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    keys: Vec<Key>,
    /// How many match in all.
    total: i64,
    offset: i64,
    limit: i64,
}

/// List keys.
///
/// By scope, the revoked and expired ones too. The keys' texts are nowhere to be had.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "admin",
    params(
        ("scope" = Option<String>, Query, description = "All if left out."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over."),
    ),
    responses((status = 200, body = KeyList), Problems))]
pub(crate) async fn list_keys(
    _: Administrator,
    State(app): State<App>,
    params: Params,
) -> Answer<KeyList> {
    let page = params.page();
    let listed = app.store.list_keys(params.get("scope"), page).await?;
    Ok(Json(KeyList {
        keys: listed.items,
        total: listed.total,
        offset: page.offset,
        limit: page.limit,
    }))
}

/// Issue a key.
///
/// Beside those the scope has. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/admin/keys", tag = "admin", request_body = NewKey,
    responses((status = 201, body = Issued), Problems))]
pub(crate) async fn issue_key(
    _: Administrator,
    State(app): State<App>,
    Body(body): Body<NewKey>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let stamp = app.stamp();
    let grant = body.into_grant(stamp.now)?;
    let fresh = FreshKey::new(&app);
    let key = app.store.issue_key(&fresh.hash, &grant, stamp).await?;
    audit::other("key.issued", &Caller::Administrator, &key.id, Some(&key.scope));
    Ok((StatusCode::CREATED, Json(Issued { api_key: fresh.text, key })))
}

/// What was revoked.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    message: &'static str,
    id: String,
    scope: String,
}

/// Revoke a key.
///
/// Its next use is refused. Revoking it again changes nothing.
#[utoipa::path(delete, path = "/api/v1/admin/keys/{id}", tag = "admin",
    params(("id" = String, Path, description = "The key's id, as the list has it.")),
    responses((status = 200, body = Revoked), Problems))]
pub(crate) async fn revoke_key(
    _: Administrator,
    State(app): State<App>,
    Segment(id): Segment,
) -> Answer<Revoked> {
    let Key { id, scope, .. } = app.store.revoke_key(&id, app.now()).await?;
    audit::other("key.revoked", &Caller::Administrator, &id, Some(&scope));
    Ok(Json(Revoked { message: "API key revoked", id, scope }))
}
