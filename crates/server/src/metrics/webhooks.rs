//! What webhooks are sent.

use octopoid_domain::webhook::DeliveryResult;
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::labels::Outcome;

/// The metrics of webhooks.
pub(crate) struct WebhookMetrics {
    deliveries: Family<Outcome, Counter>,
}

impl WebhookMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { deliveries: Family::default() };
        for result in DeliveryResult::ALL {
            let outcome = result.as_str();
            drop(metrics.deliveries.get_or_create(&Outcome { outcome }));
        }
        let help = "Attempts to send a message to a webhook";
        registry.register("webhook_deliveries", help, metrics.deliveries.clone());
        metrics
    }

    /// Counts an attempt.
    pub(crate) fn ended(&self, result: DeliveryResult) {
        self.deliveries.get_or_create(&Outcome { outcome: result.as_str() }).inc();
    }
}
