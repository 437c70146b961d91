//! Sends events to webhooks: wakes with the journal, and sends to many webhooks at once, to each of
//! them in order.

mod http;

use std::{sync::Arc, time::Duration};

use octopoid_api::{
    App,
    webhooks::{lease, notice, send_all},
};
use octopoid_store::StoreError;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use self::http::Http;
use crate::metrics::Metrics;

/// To how many webhooks messages are sent at once.
const SLOTS: usize = 64;
/// How many messages a webhook is sent before it is another one's turn.
const MESSAGES_MAX: u32 = 100;
/// How many pages of new events are looked at before messages are sent.
const PAGES_MAX: u32 = 20;
/// How often it is checked which messages are due, besides after each event.
const LOOK: Duration = Duration::from_secs(1);
/// The same as long as there is no webhook.
const IDLE: Duration = Duration::from_secs(10);
/// How long events are gathered, if there is a webhook: each look reads the database.
const GATHER: Duration = Duration::from_millis(10);
/// How long attempts may go on after a stop signal. Those that do not end are repeated later.
const DRAIN: Duration = Duration::from_millis(900);

/// Sends until `stopping` is true.
pub(crate) fn start(
    app: App,
    metrics: Arc<Metrics>,
    mut stopping: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut sender = Sender {
            http: Arc::new(Http::new(app.settings.webhooks)),
            app,
            metrics,
            sending: JoinSet::new(),
        };
        loop {
            let has_webhooks = sender.send_what_is_due().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read what webhooks are to be sent, will retry");
                true
            });
            let (period, gather) = if has_webhooks { (LOOK, GATHER) } else { (IDLE, LOOK) };
            // At the end of the period it looks without having been woken.
            let _ = timeout(period, sender.is_woken(&mut stopping)).await;
            let stop = stopping.wait_for(|stopping| *stopping);
            if timeout(gather, stop).await.is_ok() {
                break;
            }
        }
        let ended = async { while sender.sending.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, ended).await;
    })
}

struct Sender {
    app: App,
    http: Arc<Http>,
    metrics: Arc<Metrics>,
    sending: JoinSet<()>,
}

impl Sender {
    /// Starts to send what is due, as far as there are slots. Returns whether there are webhooks.
    async fn send_what_is_due(&mut self) -> Result<bool, StoreError> {
        while self.sending.try_join_next().is_some() {}
        if !notice(&self.app, PAGES_MAX).await? {
            return Ok(false);
        }
        let free = i64::try_from(SLOTS.saturating_sub(self.sending.len())).unwrap_or_default();
        if free == 0 {
            return Ok(true);
        }
        for due in lease(&self.app, free).await? {
            let (app, http) = (self.app.clone(), Arc::clone(&self.http));
            let metrics = Arc::clone(&self.metrics);
            self.sending.spawn(async move {
                let id = due.webhook.id.clone();
                let report = |result| metrics.webhooks.ended(result);
                let sent = send_all(&app, &*http, due, MESSAGES_MAX, report).await;
                if let Err(error) = sent {
                    tracing::warn!(%error, id, "cannot record what was sent, will repeat it");
                }
            });
        }
        Ok(true)
    }

    /// Waits for events, for a slot, or for the end.
    async fn is_woken(&mut self, stopping: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = self.app.store.hints().has_events_to_send() => {}
            Some(_) = self.sending.join_next() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}
