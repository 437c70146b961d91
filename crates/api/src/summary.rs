//! What a board shows first.

use axum::{
    extract::State,
    http::{HeaderMap, header},
};
use octopoid_domain::summary::Summary;

use crate::{
    app::App,
    auth::Caller,
    json::Json,
    openapi::{Answer, Problems},
    query::{Params, missing},
};

/// The longest age that a request may accept, in seconds.
const AGE_SECONDS_MAX: i64 = 10;

/// Get the summary of a scope.
///
/// The number of tasks by queue, by the reason why they wait, by role and by priority, the longest
/// wait in each queue, the runs in progress, what needs a person, and what was done in the last 24
/// hours. Without `max-age`, it shows all writes that were answered before the request.
#[utoipa::path(get, path = "/api/v1/summary", tag = "tasks",
    params(
        ("scope" = Option<String>, Query, description = "Required without a key."),
        ("Cache-Control" = Option<String>, Header,
            description = "`max-age=N`: a summary that is up to N seconds old will do, at most 10."),
    ),
    responses((status = 200, body = Summary), Problems))]
pub(crate) async fn get_summary(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Answer<Summary> {
    let scope = caller.scope(params.get("scope")).ok_or_else(|| {
        missing("Missing required query parameter: scope. Cannot summarize all scopes.")
    })?;
    Ok(Json(app.summaries.get(&app, scope, accepted_age_ms(&headers)).await?))
}

/// How old the answer may be, in milliseconds: the `max-age` of the request. A directive that makes
/// no sense is passed over, as the standard asks.
fn accepted_age_ms(headers: &HeaderMap) -> i64 {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let seconds = texts.flat_map(|text| text.split(',')).find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let is_age = name.trim().eq_ignore_ascii_case("max-age");
        is_age.then(|| value.trim().parse::<i64>().ok())?
    });
    seconds.unwrap_or_default().clamp(0, AGE_SECONDS_MAX) * 1_000
}
