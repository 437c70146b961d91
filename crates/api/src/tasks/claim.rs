use std::pin::pin;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::future::{Either, select};
use octopoid_domain::{ClaimedTask, lease::RunKey, run, task::ClaimRequest};
use octopoid_store::{Barrier, Claimed, Memory, Watch, meter::ClaimOutcome};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    etag::Tagged,
    idempotency::{Attempt, Keyed},
    json::Json,
    openapi::Problems,
    prefer::Wait,
    problem::Problem,
    query::missing,
    trace::CreatedIn,
};

/// There is nothing to claim. The clients know it by the missing `error`.
#[derive(Serialize, ToSchema)]
struct Nothing {
    message: &'static str,
    /// After how many seconds to claim again, while a pause covers the scope, the queue, one of the
    /// pools or all roles of the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<i64>,
}

/// How long those who wait for the same work may miss a hint. Then one of them looks.
const LOOK_MS: u64 = 5_000;
/// How soon after a hint that led to nothing another one leads to a look.
const REST_MS: u64 = 100;

/// Claim the most urgent task.
///
/// Returns the most urgent matching task, with a lease for the caller. A task in `provisional`
/// stays there during the review. If there is no task, the response is 404 with `message` and
/// without `error`; with `Prefer: wait=N`, only after N seconds without a task, at most 50. While a
/// pause covers all that the claim could get, it has `retry_after_seconds` as well. A machine that
/// is drained gets no task, without waiting.
#[utoipa::path(post, path = "/api/v1/tasks/claim", tag = "tasks", request_body = ClaimRequest,
    params(
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for a task"),
        Keyed<()>,
    ),
    responses((status = 200, body = ClaimedTask), Problems))]
pub(crate) async fn claim_task(
    State(app): State<App>,
    caller: Caller,
    wait: Wait,
    Keyed(key, Body(request)): Keyed<Body<ClaimRequest>>,
) -> Result<Response, Problem> {
    request.check()?;
    let scope = caller.scope(request.scope.0.as_deref()).ok_or_else(|| {
        missing("Missing required field: scope. Cannot claim tasks across all scopes.")
    })?;
    if app.is_stopping() {
        return Err(Problem::stopping());
    }
    let within = caller.within();
    let wait = if wait.is_asked() && app.pause(0).is_none() { Wait::default() } else { wait };
    // Before the first look, so that nothing that comes after it is missed.
    let mut watch = wait.is_asked().then(|| app.store.watch_claims(scope, within, &request));
    let until_ms = app.elapsed_ms().saturating_add(wait.ms());
    let attempt = Attempt::new(&app, key, Some(scope), StatusCode::OK);
    let (claimed, barrier) = loop {
        let (secret, stamp) = (app.lease_secret(), app.stamp());
        let claimed = attempt.store.claim_task(scope, within, &request, &secret, stamp).await;
        let claimed = claimed.map(|claimed| claimed.map(Box::new));
        if let (Err(_), Some(watch)) = (&claimed, &mut watch) {
            // What failed for this one would fail for the others that wait.
            watch.found_nothing();
        }
        if !matches!(claimed, Ok(None)) {
            break (claimed, Barrier::default());
        }
        let barrier = Box::pin(app.store.barrier(scope, within, &request, app.now())).await;
        let is_draining = barrier.as_ref().is_ok_and(|barrier| barrier.is_draining);
        // A drained machine has not looked for the others, so it leaves its hint to them.
        let Some(watch) = watch.as_mut().filter(|_| !is_draining) else {
            break (Ok(None), barrier?);
        };
        watch.found_nothing();
        let barrier = barrier?;
        if !Box::pin(turns_up(&app, watch, until_ms)).await {
            break (Ok(None), barrier);
        }
    };
    if let Ok(claimed) = &claimed {
        app.store.meter().claim_ended(outcome(claimed.is_some(), &barrier));
    }
    let store = &app.store;
    let again = |was: Memory| async move {
        store.claimed_before(&was, within).await.map(|claimed| Some(Box::new(claimed)))
    };
    let done = attempt
        .end(claimed, again)
        .await?
        .map(|claimed| claimed.map(|claimed| shown(*claimed, request.run_key.0)));
    let done = done.noted(|claimed| {
        if let Some(ClaimedTask { task, .. }) = claimed {
            audit::task("task.claimed", &caller, task.claimed_by.as_deref(), task);
        }
    });
    Ok(wait.applied(done.map(|claimed| answer(claimed, &barrier)).into_response()))
}

fn outcome(is_granted: bool, barrier: &Barrier) -> ClaimOutcome {
    let is_held_back = barrier.is_draining || barrier.retry_after_seconds.is_some();
    match is_granted {
        true => ClaimOutcome::Granted,
        false if is_held_back => ClaimOutcome::Throttled,
        false => ClaimOutcome::Empty,
    }
}

/// The answer to a claim. There may have been nothing to claim.
fn answer(claimed: Option<ClaimedTask>, barrier: &Barrier) -> Response {
    if let Some(claimed) = claimed {
        let trace = claimed.traceparent.as_deref().and_then(|text| text.parse().ok());
        let mut response = Tagged(claimed).into_response();
        if let Some(trace) = trace {
            response.extensions_mut().insert(CreatedIn(trace));
        }
        return response;
    }
    let nothing =
        Nothing { message: "No tasks available", retry_after_seconds: barrier.retry_after_seconds };
    (StatusCode::NOT_FOUND, Json(nothing)).into_response()
}

/// A claim as its holder sees it.
fn shown(claimed: Claimed, wants_key: bool) -> ClaimedTask {
    let Claimed { task, token, kind, before } = claimed;
    let checkpoint = before.checkpoint.and_then(|text| serde_json::from_str(&text).ok());
    ClaimedTask {
        run_key: wants_key.then(|| RunKey::of(&task.id, &token).to_string()),
        lease_token: token.to_string(),
        attempt: (kind == run::Kind::Work).then_some(task.attempt),
        feedback: before.feedback,
        checkpoint: checkpoint.unwrap_or_default(),
        previous: before.previous.map(Into::into),
        task: task.into(),
    }
}

/// Waits for a reason to look again, until the monotonic clock shows `until_ms`. `false` if
/// there will be none.
async fn turns_up(app: &App, watch: &mut Watch, until_ms: i64) -> bool {
    let left_ms = || u64::try_from(until_ms.saturating_sub(app.elapsed_ms())).unwrap_or_default();
    // In a busy scope there are more hints than claims.
    if watch.is_resting() {
        let Some(rest) = app.pause(REST_MS.min(left_ms())) else { return false };
        rest.await;
    }
    while left_ms() > 0 && !app.is_stopping() {
        let Some(look) = app.pause(LOOK_MS.min(left_ms())) else { return false };
        let is_hinted = matches!(select(pin!(watch.hinted()), look).await, Either::Left(_));
        // One of those who wait for the same looks for all of them.
        if is_hinted || watch.is_due() {
            return !app.is_stopping();
        }
    }
    false
}
