//! Sending events to webhooks. The hosts bring what posts a message ([`Courier`]) and decide how much
//! is sent at a time.

use octopoid_domain::webhook::{
    Attempt, DeliveryResult,
    message::{Message, Next, next},
    signature,
};
use octopoid_store::{DueWebhook, Events, Noticed, StoreError};

use crate::{app::App, audit};

/// What is posted.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What a host posts messages with.
pub trait Courier {
    /// Posts a message and tells what came of it. It takes ten seconds at most, follows no redirect,
    /// and connects to no address that the settings do not allow.
    fn post(&self, request: Request) -> impl Future<Output = Attempt>;
}

/// Looks at new events, at most so many pages of them, for webhooks that want them. Returns whether
/// there are enabled webhooks.
pub async fn notice(app: &App, pages_max: u32) -> Result<bool, StoreError> {
    for _ in 0..pages_max {
        match app.store.notice_webhooks().await? {
            Noticed::NoWebhooks => return Ok(false),
            Noticed::All => break,
            Noticed::Some if app.is_stopping() => break,
            Noticed::Some => {}
        }
    }
    Ok(true)
}

/// Leases up to `limit` webhooks that have something to send. Each of them is to be passed to
/// [`send_all`].
pub async fn lease(app: &App, limit: i64) -> Result<Vec<DueWebhook>, StoreError> {
    app.store.lease_webhooks(limit, app.stamp()).await
}

/// Sends to a webhook what there is, one message after the other, up to `messages_max` of them and
/// until one fails. `report` is told how each attempt ended.
pub async fn send_all(
    app: &App,
    courier: &impl Courier,
    mut due: DueWebhook,
    messages_max: u32,
    report: impl Fn(DeliveryResult),
) -> Result<(), StoreError> {
    let mut left = messages_max;
    loop {
        let Events { mut events, next: behind, is_last } =
            app.store.events_for_webhook(&due).await?;
        loop {
            if left == 0 || app.is_stopping() {
                return app.store.release_webhook(&due, due.position, None).await;
            }
            match next(&due.webhook, &events, app.now()) {
                Next::Send(message) => {
                    left -= 1;
                    let attempt = attempt(app, courier, &due, &message).await;
                    report(attempt.result());
                    if !record(app, &due, &message, &attempt).await? {
                        return Ok(());
                    }
                    due.delivered(message.end);
                }
                Next::Skip(end) => due.position = end,
                Next::Wait(until) => {
                    return app.store.release_webhook(&due, due.position, Some(until)).await;
                }
                Next::Nothing => break,
            }
            events.retain(|event| event.id > due.position);
        }
        due.position = behind.max(due.position);
        if is_last {
            return app.store.release_webhook(&due, due.position, None).await;
        }
    }
}

async fn attempt(
    app: &App,
    courier: &impl Courier,
    due: &DueWebhook,
    message: &Message,
) -> Attempt {
    let signed = signature::headers(due.secrets.iter(), &message.id, &message.body, app.now());
    let formed = message.headers.iter().map(|&(name, value)| (name, value.to_owned()));
    let request = Request {
        url: due.webhook.url.clone(),
        headers: signed.into_iter().chain(formed).collect(),
        body: message.body.clone(),
    };
    courier.post(request).await
}

/// Records an attempt. Returns whether to go on.
async fn record(
    app: &App,
    due: &DueWebhook,
    message: &Message,
    attempt: &Attempt,
) -> Result<bool, StoreError> {
    let stamp = app.stamp();
    let random = stamp.write_id.unsigned_abs();
    let goes_on = app.store.record_attempt(due, message, attempt, random, stamp).await?;
    if let Some(error) = attempt.why() {
        let (id, message) = (&due.webhook.id, &message.id);
        tracing::info!(target: audit::TARGET, event = "webhook.failed", id, message, error);
    }
    Ok(goes_on)
}
