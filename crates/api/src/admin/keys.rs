use axum::{extract::State, http::StatusCode};
use octopoid_domain::key::{Issued, Key, NewKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    admin::Administrator,
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    keys::FreshKey,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    problem::Problem,
    query::Segment,
};

/// A page of the list of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    keys: Vec<Key>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(KeyList, keys: Key);

/// List keys.
///
/// Sorted by scope, including revoked and expired keys. Key values are never returned.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "admin",
    params(
        ("scope" = Option<String>, Query, description = "Default: all."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = KeyList), Problems))]
pub(crate) async fn list_keys(
    _: Administrator,
    State(app): State<App>,
    query: ListQuery,
) -> ListAnswer<KeyList> {
    let page = query.page()?;
    let listed = app.store.list_keys(query.get("scope"), &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    Ok(query.answer(KeyList { keys: listed.items, paging }, next.as_deref()))
}

/// Issue a key.
///
/// The scope keeps its other keys. Only this response contains the value of the new key.
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

/// The revoked key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    message: &'static str,
    id: String,
    scope: String,
}

/// Revoke a key.
///
/// Takes effect immediately. Revoking a key again changes nothing.
#[utoipa::path(delete, path = "/api/v1/admin/keys/{id}", tag = "admin",
    params(("id" = String, Path, description = "The id of the key.")),
    responses((status = 200, body = Revoked), Problems))]
pub(crate) async fn revoke_key(
    _: Administrator,
    State(app): State<App>,
    Segment(id): Segment,
) -> Answer<Revoked> {
    let Key { id, scope, .. } = app.store.revoke_key(&id, app.stamp()).await?;
    audit::other("key.revoked", &Caller::Administrator, &id, Some(&scope));
    Ok(Json(Revoked { message: "API key revoked", id, scope }))
}
