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

/// A stretch of the list of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    keys: Vec<Key>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(KeyList, keys: Key);

/// List keys.
///
/// By scope, the revoked and expired ones too. The keys' texts are nowhere to be had.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "admin",
    params(
        ("scope" = Option<String>, Query, description = "All if left out."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over; at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
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
    let Key { id, scope, .. } = app.store.revoke_key(&id, app.stamp()).await?;
    audit::other("key.revoked", &Caller::Administrator, &id, Some(&scope));
    Ok(Json(Revoked { message: "API key revoked", id, scope }))
}
