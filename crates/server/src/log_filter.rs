//! The filter of the log: which lines are written. The administrator can change it while the server
//! runs, at `/api/v1/admin/log-filter`; a restart takes the one of `RUST_LOG` again.
//!
//! Only a process has such a log, so the path is not a part of the API's document, and the Worker
//! does not have it.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use octopoid_api::{App, audit, body::Body, problem::Problem};
use octopoid_domain::input::Text;
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, Registry, reload};

const PATH: &str = "/api/v1/admin/log-filter";

/// The maximum length of a filter, in bytes.
const FILTER_BYTES_MAX: usize = 1_024;

/// How a filter is written.
const FORM: &str = "use a level (off, error, warn, info, debug, trace) or TARGET=LEVEL, or several \
     of them separated by commas, such as \"warn,octopoid::audit=info\"";

/// The filter of the log of this process.
#[derive(Clone)]
pub(crate) struct LogFilter(reload::Handle<EnvFilter, Registry>);

/// The layer that filters, whose filter can be changed.
pub(crate) type FilterLayer = reload::Layer<EnvFilter, Registry>;

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    filter: Text,
}

#[derive(Serialize)]
struct Shown {
    filter: String,
    /// The filter before, in the answer to a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl LogFilter {
    /// The filter that `RUST_LOG` names, or `info`, as a layer and as what changes it.
    pub(crate) fn from_environment() -> (FilterLayer, Self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let (layer, handle) = reload::Layer::new(filter);
        (layer, Self(handle))
    }

    /// The filter as text.
    fn text(&self) -> Result<String, Problem> {
        self.0.with_current(ToString::to_string).map_err(|error| failed(&error))
    }

    /// Replaces the filter, and logs it: before the change if that line is shown then, else after
    /// it. Returns the previous one.
    fn change(&self, filter: EnvFilter) -> Result<String, Problem> {
        let (from, to) = (self.text()?, filter.to_string());
        let is_shown = audit::is_shown();
        if is_shown {
            audit::log_filter(&from, &to);
        }
        self.0.reload(filter).map_err(|error| failed(&error))?;
        if !is_shown {
            audit::log_filter(&from, &to);
        }
        Ok(from)
    }
}

/// Adds the path to the routes of the API.
pub(crate) fn mount(routes: Router<App>, filter: &LogFilter) -> Router<App> {
    let (shown, changed) = (filter.clone(), filter.clone());
    let show = async move || answer(shown.text(), None);
    let change = async move |body: Body<Wanted>| match changed_to(&changed, body) {
        Ok(previous) => answer(changed.text(), Some(previous)),
        Err(problem) => problem.into_response(),
    };
    routes.route(PATH, get(show).put(change))
}

fn changed_to(filter: &LogFilter, Body(body): Body<Wanted>) -> Result<String, Problem> {
    let wanted = body.filter.0.ok_or_else(|| refused("Missing required field: filter"))?;
    filter.change(parse(&wanted).map_err(refused)?)
}

fn answer(filter: Result<String, Problem>, previous: Option<String>) -> Response {
    match filter {
        Ok(filter) => Json(Shown { filter, previous }).into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn refused(text: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", text)
}

/// The subscriber is gone, or a thread has panicked in it.
fn failed(error: &reload::Error) -> Problem {
    tracing::error!(%error, "the log filter is not accessible: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal Server Error")
}

/// Parses a filter, and rejects what would silently turn the log off: a word that is no level names
/// a target, and then nothing else is logged.
pub(crate) fn parse(text: &str) -> Result<EnvFilter, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("filter is empty: {FORM}"));
    }
    if text.len() > FILTER_BYTES_MAX {
        let length = text.len();
        return Err(format!(
            "filter has {length} bytes, more than the limit of {FILTER_BYTES_MAX}: name fewer targets"
        ));
    }
    let is_word = |part: &&str| !part.contains(['=', '[', ']', '{', '}']);
    let unknown = text
        .split(',')
        .map(str::trim)
        .filter(is_word)
        .find(|word| word.parse::<LevelFilter>().is_err());
    if let Some(word) = unknown {
        return Err(format!("filter has {word:?}, which is not a level: {FORM}"));
    }
    EnvFilter::try_new(text).map_err(|_| format!("filter is invalid: {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::{FILTER_BYTES_MAX, parse};

    #[test]
    fn a_filter_is_levels_of_targets() {
        for text in ["debug", " INFO ", "off", "warn,octopoid::audit=info", "octopoid_api=trace"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        assert_eq!(
            parse("warn,octopoid::audit=info").unwrap().to_string(),
            "octopoid::audit=info,warn"
        );
    }

    #[test]
    fn a_filter_that_would_log_nothing_by_mistake_is_refused() {
        let text = |filter: &str| parse(filter).map(|_| ()).unwrap_err();
        assert!(text("inof").starts_with("filter has \"inof\", which is not a level: use a level"));
        assert!(text("info,octopoid::audit").contains("\"octopoid::audit\""));
        assert!(text(" ").starts_with("filter is empty: "));
        assert!(text("a=loud").starts_with("filter is invalid: "));
        let long = format!("{}=info", "a".repeat(FILTER_BYTES_MAX));
        assert!(text(&long).contains("more than the limit of 1024"), "{}", text(&long));
    }
}
