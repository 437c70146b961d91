//! Logs of runs.

use std::pin::pin;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::future::select;
use octopoid_domain::log::{Append, Appended, LogPart, PART_BYTES_DEFAULT, PART_BYTES_MAX};

use crate::{
    app::App,
    auth::Caller,
    body::Body,
    json::Json,
    openapi::{Answer, Problems},
    prefer::Wait,
    problem::Problem,
    query::{Params, Segment},
    runs::RunOf,
};

/// How often those who follow a log look without a hint: text may be appended through another server.
const LOOK_MS: u64 = 2_000;

/// Append to the log of a run.
///
/// The text begins at `offset`. What the log has already is not written again, so that a request may
/// be repeated. If the log ends before `offset`, the response is 409 with `expected_offset`. Text is
/// taken as long as the token is current, and until 10 minutes after the end of the run. The lease is
/// not renewed by it. Of a long log, only the newest part is kept.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/log", tag = "runs", request_body = Append,
    params(("id" = String, Path, description = "The task.")),
    responses((status = 200, body = Appended), Problems))]
pub(crate) async fn append_log(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Append>,
) -> Answer<Appended> {
    let kept = app.settings.log_bytes_max;
    let next_offset = app.store.append_log(&id, caller.within(), &body, kept, app.stamp()).await?;
    Ok(Json(Appended { next_offset }))
}

/// Read the log of a run.
///
/// From a byte offset on; if what is there is not kept any more, from the first byte that is. With
/// `Prefer: wait=N`, the response comes when there is text, or after N seconds without, at most 50:
/// so a log is followed by asking for `next_offset` again and again, until `is_complete`.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/runs/{run}/log", tag = "runs",
    params(
        ("id" = String, Path, description = "The task."),
        ("run" = i64, Path, description = "The number of the run."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
        ("offset" = Option<String>, Query, description = "Default 0."),
        ("limit" = Option<String>, Query, description = "Bytes: maximum 1048576, default 65536."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for text"),
    ),
    responses((status = 200, body = LogPart), Problems))]
pub(crate) async fn read_log(
    State(app): State<App>,
    caller: Caller,
    wait: Wait,
    RunOf { task, run }: RunOf,
    params: Params,
) -> Result<Response, Problem> {
    let within = caller.scope(params.get("scope"));
    let offset = params.integer("offset").unwrap_or(0).max(0);
    let limit = params.integer("limit").and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(PART_BYTES_DEFAULT).clamp(1, PART_BYTES_MAX);
    let wait = if wait.is_asked() && app.pause(0).is_none() { Wait::default() } else { wait };
    // Before the first look, so that nothing that comes after it is missed.
    let mut follower = wait.is_asked().then(|| app.store.follow_log(&task, run));
    let until_ms = app.elapsed_ms().saturating_add(wait.ms());
    let part = loop {
        let part = app.store.read_log(&task, run, within, (offset, limit), app.now()).await?;
        let is_news = !part.text.is_empty() || part.is_complete;
        let (false, Some(follower)) = (is_news, &mut follower) else { break part };
        let left_ms = u64::try_from(until_ms.saturating_sub(app.elapsed_ms())).unwrap_or_default();
        if left_ms == 0 || app.is_stopping() {
            break part;
        }
        let Some(look) = app.pause(LOOK_MS.min(left_ms)) else { break part };
        select(pin!(follower.hinted()), look).await;
    };
    Ok(wait.applied(Json(part).into_response()))
}
