//! Sends events to webhooks, a few at each run of the cron trigger.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, join_all, select};
use octopoid_api::{
    App, Host as _,
    webhooks::{Courier, Request, lease, notice, send_all},
};
use octopoid_domain::webhook::{
    Attempt,
    attempt::{ATTEMPT_MS_MAX, retry_after_seconds},
    endpoint::check_url,
};
use octopoid_store::StoreError;
use worker::{
    AbortController, Delay, Fetch, Headers, Method, RequestInit, RequestRedirect, Response, Result,
};

use crate::host::Edge;

/// To how many webhooks a run sends, and how many messages to each. That takes at most thirty
/// statements: what the jobs leave of the fifty that an invocation may run on the free plan, if they
/// take back no lease and delete no task.
const WEBHOOKS_MAX: i64 = 2;
const MESSAGES_MAX: u32 = 2;

/// Sends what is due, within the bounds of a run.
pub(crate) async fn send(app: &App) -> std::result::Result<(), StoreError> {
    if !notice(app, 1).await? {
        return Ok(());
    }
    let courier = Fetcher(app.clone());
    let due = lease(app, WEBHOOKS_MAX).await?;
    let sent =
        due.into_iter().map(|webhook| send_all(app, &courier, webhook, MESSAGES_MAX, |_| {}));
    join_all(sent).await.into_iter().collect()
}

/// Posts messages. Cloudflare resolves names, and calls no address of a private network.
struct Fetcher(App);

impl Courier for Fetcher {
    async fn post(&self, request: Request) -> Attempt {
        let began = Edge.now();
        let sent = self.fetch(request).await;
        let duration_ms = Edge.now().0 - began.0;
        match sent {
            Ok(Some(response)) => Attempt {
                status: Some(response.status_code().into()),
                error: None,
                retry_after_seconds: retry_after(&response),
                duration_ms,
            },
            Ok(None) => Attempt::failed("There was no response within ten seconds", duration_ms),
            Err(error) => Attempt::failed(error, duration_ms),
        }
    }
}

impl Fetcher {
    async fn fetch(&self, request: Request) -> std::result::Result<Option<Response>, String> {
        // The settings may allow less than when the webhook was created.
        let rules = self.0.settings.webhooks;
        let url = check_url(&request.url, rules).map_err(|refusal| refusal.to_string())?;
        let request = fetch(url.as_str(), &request).map_err(|error| error.to_string())?;
        let abort = AbortController::default();
        let signal = abort.signal();
        let limit = Delay::from(Duration::from_millis(ATTEMPT_MS_MAX.unsigned_abs()));
        match select(pin!(request.send_with_signal(&signal)), limit).await {
            Either::Left((sent, _)) => sent.map(Some).map_err(|error| error.to_string()),
            Either::Right(_) => {
                abort.abort();
                Ok(None)
            }
        }
    }
}

fn fetch(url: &str, request: &Request) -> Result<Fetch> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(request.body.as_str().into()));
    Ok(Fetch::Request(worker::Request::new_with_init(url, &init)?))
}

/// The seconds after which a receiver wants the next attempt.
fn retry_after(response: &Response) -> Option<i64> {
    retry_after_seconds(&response.headers().get("retry-after").ok().flatten()?)
}
