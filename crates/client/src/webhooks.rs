//! Addresses to which events are sent.

use octopoid_domain::{
    Millis,
    webhook::{Delivery, NewWebhook, RotateSecret, Webhook, WebhookPatch, WebhookWithSecret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Client, Error, Listed, Query, Result, path};

/// A test that was requested.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RequestedTest {
    /// The webhook.
    pub id: String,
    /// The `event_at` of its delivery.
    pub requested_at: Millis,
}

impl Client {
    /// Creates a webhook. Only the answer has its secret.
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<WebhookWithSecret> {
        self.post(&path(["webhooks"]), new).await
    }

    /// Lists the webhooks of a scope. The query may name `limit` and `cursor`.
    pub async fn list_webhooks(&self, query: Query<'_>) -> Result<Listed<Webhook>> {
        self.list("webhooks", &path(["webhooks"]), query).await
    }

    /// Reads a webhook.
    pub async fn get_webhook(&self, id: &str) -> Result<Webhook> {
        self.get(&path(["webhooks", id]), &[]).await
    }

    /// Changes a webhook.
    pub async fn update_webhook(&self, id: &str, patch: &WebhookPatch) -> Result<Webhook> {
        let body = serde_json::to_value(patch).map_err(Error::Unsendable)?;
        self.patch(&path(["webhooks", id]), &body).await
    }

    /// Deletes a webhook.
    pub async fn delete_webhook(&self, id: &str) -> Result<()> {
        self.delete::<Value>(&path(["webhooks", id]), &[]).await.map(drop)
    }

    /// Replaces the secret of a webhook. Only the answer has the new one.
    pub async fn rotate_webhook_secret(
        &self,
        id: &str,
        body: &RotateSecret,
    ) -> Result<WebhookWithSecret> {
        self.post(&path(["webhooks", id, "rotate-secret"]), body).await
    }

    /// Requests a test of a webhook. Its outcome is among the deliveries.
    pub async fn test_webhook(&self, id: &str) -> Result<RequestedTest> {
        self.post(&path(["webhooks", id, "test"]), &json!({})).await
    }

    /// Lists the last messages of a webhook, the newest first. The query may name `limit` and
    /// `cursor`.
    pub async fn list_webhook_deliveries(
        &self,
        id: &str,
        query: Query<'_>,
    ) -> Result<Listed<Delivery>> {
        self.list("deliveries", &path(["webhooks", id, "deliveries"]), query).await
    }
}
