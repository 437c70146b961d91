//! Webhooks: addresses to which events are sent. `send.rs` sends them.

mod send;

use axum::{extract::State, http::StatusCode};
use octopoid_domain::{
    Millis,
    webhook::{Delivery, NewWebhook, RotateSecret, Webhook, WebhookPatch, WebhookWithSecret},
};
use serde::Serialize;
use utoipa::ToSchema;

pub use send::{Courier, Request, lease, notice, send_all};

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
    query::{Segment, missing},
};

/// A list of webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    webhooks: Vec<Webhook>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(WebhookList, webhooks: Webhook);

/// A list of the last messages of a webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryList {
    deliveries: Vec<Delivery>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(WebhookDeliveryList, deliveries: Delivery);

/// The deleted webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedWebhook {
    message: &'static str,
    id: String,
}

/// A test that was requested.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestedTest {
    message: &'static str,
    id: String,
    /// The `event_at` of its delivery.
    requested_at: Millis,
}

/// List webhooks.
///
/// The oldest first. Secrets are never returned.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = WebhookList), Problems))]
pub(crate) async fn list_webhooks(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<WebhookList> {
    let scope = caller
        .scope(query.get("scope"))
        .ok_or_else(|| missing("Missing required query parameter: scope"))?;
    let listed = app.store.list_webhooks(scope, &query.stretch()).await?;
    let next = listed.next_cursor.clone();
    let body = WebhookList { webhooks: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}

/// Create a webhook.
///
/// It gets the events of its scope from now on, in their order and at least once each. Only this
/// response contains the secret that signs them.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, body = WebhookWithSecret), Problems))]
pub(crate) async fn create_webhook(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewWebhook>,
) -> Result<(StatusCode, Json<WebhookWithSecret>), Problem> {
    let asked = new.scope.0.clone();
    let scope =
        caller.scope(asked.as_deref()).ok_or_else(|| missing("Missing required field: scope"))?;
    let (stamp, rules) = (app.stamp(), app.settings.webhooks);
    let (new, secret) = new.into_webhook(scope, rules, app.secret(), stamp.now)?;
    let webhook = app.store.create_webhook(&new, &secret, stamp).await?;
    audit::other("webhook.created", &caller, &webhook.id, Some(&webhook.scope));
    let secret = secret.as_str().to_owned();
    Ok((StatusCode::CREATED, Json(WebhookWithSecret { secret, webhook })))
}

/// Get a webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The id of the webhook.")),
    responses((status = 200, body = Webhook), Problems))]
pub(crate) async fn get_webhook(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<Webhook> {
    Ok(Json(app.store.get_webhook(&id, caller.within()).await?))
}

/// Change a webhook.
///
/// Only the fields that are present change. One that is enabled again gets the events from now on.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    request_body = WebhookPatch,
    params(("id" = String, Path, description = "The id of the webhook.")),
    responses((status = 200, body = Webhook), Problems))]
pub(crate) async fn update_webhook(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(patch): Body<WebhookPatch>,
) -> Answer<Webhook> {
    let changes = patch.into_changes(app.settings.webhooks)?;
    let webhook = app.store.update_webhook(&id, caller.within(), &changes, app.stamp()).await?;
    audit::other("webhook.updated", &caller, &id, Some(&webhook.scope));
    Ok(Json(webhook))
}

/// Delete a webhook.
///
/// An attempt that is under way is not interrupted.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The id of the webhook.")),
    responses((status = 200, body = DeletedWebhook), Problems))]
pub(crate) async fn delete_webhook(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<DeletedWebhook> {
    app.store.delete_webhook(&id, caller.within(), app.stamp()).await?;
    audit::other("webhook.deleted", &caller, &id, caller.within());
    Ok(Json(DeletedWebhook { message: "Webhook deleted", id }))
}

/// Test a webhook.
///
/// Sends a message of the type `webhook.tested`, behind those that wait to be sent. Its outcome is in
/// the list of deliveries.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path, description = "The id of the webhook.")),
    responses((status = 202, body = RequestedTest), Problems))]
pub(crate) async fn test_webhook(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<RequestedTest>), Problem> {
    let stamp = app.stamp();
    app.store.test_webhook(&id, caller.within(), stamp).await?;
    audit::other("webhook.tested", &caller, &id, caller.within());
    let body = RequestedTest { message: "Test requested", id, requested_at: stamp.now };
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// Replace the secret of a webhook.
///
/// Messages are signed with the replaced secret too until `overlap_seconds` have passed. Only this
/// response contains the new secret.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate-secret", tag = "webhooks",
    request_body = RotateSecret,
    params(("id" = String, Path, description = "The id of the webhook.")),
    responses((status = 200, body = WebhookWithSecret), Problems))]
pub(crate) async fn rotate_webhook_secret(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    body: Option<Body<RotateSecret>>,
) -> Answer<WebhookWithSecret> {
    let body = body.map_or_else(RotateSecret::default, |Body(body)| body);
    let (secret, overlap_ms) = body.into_secret(app.secret())?;
    let (store, stamp) = (&app.store, app.stamp());
    let webhook =
        store.rotate_webhook_secret(&id, caller.within(), &secret, overlap_ms, stamp).await?;
    audit::other("webhook.rotated", &caller, &id, Some(&webhook.scope));
    Ok(Json(WebhookWithSecret { secret: secret.as_str().to_owned(), webhook }))
}

/// List the deliveries of a webhook.
///
/// Its last hundred messages, the newest first, each with its last attempt. Bodies of responses are
/// not stored.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The id of the webhook."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = WebhookDeliveryList), Problems))]
pub(crate) async fn list_webhook_deliveries(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    query: ListQuery,
) -> ListAnswer<WebhookDeliveryList> {
    let page = query.stretch();
    let listed = app.store.list_webhook_deliveries(&id, caller.within(), &page).await?;
    let next = listed.next_cursor.clone();
    let body = WebhookDeliveryList { deliveries: listed.items, next_cursor: listed.next_cursor };
    Ok(query.answer(body, next.as_deref()))
}
