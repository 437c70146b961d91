use axum::{extract::State, http::StatusCode};
use octopoid_domain::key::{Issued, Key, NewKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
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
/// Sorted by scope, including revoked and expired keys. Key values are never returned. With a key,
/// those of its scope.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "admin",
    params(
        ("scope" = Option<String>, Query, description = "Default: the key's scope, or all scopes."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = KeyList), Problems))]
pub(crate) async fn list_keys(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<KeyList> {
    let page = query.page()?;
    let listed = app.store.list_keys(caller.scope(query.get("scope")), &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    Ok(query.answer(KeyList { keys: listed.items, paging }, next.as_deref()))
}

/// Issue a key.
///
/// The scope keeps its other keys. Only this response contains the value of the new key. A key can
/// issue keys of its own scope.
#[utoipa::path(post, path = "/api/v1/admin/keys", tag = "admin", request_body = NewKey,
    responses((status = 201, body = Issued), Problems))]
pub(crate) async fn issue_key(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewKey>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let stamp = app.stamp();
    let grant = body.into_grant(caller.within(), stamp.now)?;
    let fresh = FreshKey::new(&app);
    let key = app.store.issue_key(&fresh.hash, &grant, stamp).await?;
    audit::other("key.issued", &caller, &key.id, Some(&key.scope));
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
/// Takes effect immediately. Revoking a key again changes nothing. A key can revoke keys of its own
/// scope, itself included.
#[utoipa::path(delete, path = "/api/v1/admin/keys/{id}", tag = "admin",
    params(("id" = String, Path, description = "The id of the key.")),
    responses((status = 200, body = Revoked), Problems))]
pub(crate) async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<Revoked> {
    let Key { id, scope, .. } = app.store.revoke_key(&id, caller.within(), app.stamp()).await?;
    audit::other("key.revoked", &caller, &id, Some(&scope));
    Ok(Json(Revoked { message: "API key revoked", id, scope }))
}
