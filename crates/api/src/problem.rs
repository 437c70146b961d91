//! Answers that say no: the wire's error bodies, made from refusals in one place.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use octopoid_domain::{
    Refusal,
    limits::KEY_BYTES_MAX,
    text::{cut, shown},
};
use octopoid_store::{EngineError, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{json::Json, rate_limit::Quota};

/// Bytes of an error's text. Every limit on what it shows is below that; this is for the one that
/// was forgotten.
const ERROR_BYTES_MAX: usize = 4096;

/// An error. `error` is for clients of the first server, `code` is stable for programs; other
/// fields depend on the error.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// The error text.
    pub error: Cow<'static, str>,
    /// The error code.
    pub code: &'static str,
    /// Additional text, for unknown endpoints and server errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
    /// Why a task is in the wrong state, or the tasks of a dependency cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Vec<String>>,
    /// The task that was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Where the next text of a log must begin, for text that does not continue it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_offset: Option<i64>,
    /// A hint on how to fix the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// The time, for unknown endpoints and server errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// An error on its way out.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    body: Box<Body>,
    /// What is left of the limit that the request was counted under.
    quota: Option<Quota>,
}

impl Problem {
    /// An error with a text and a code.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        error: impl Into<Cow<'static, str>>,
    ) -> Self {
        let body = Body {
            error: bounded(error.into()),
            code,
            message: None,
            details: None,
            task_id: None,
            expected_offset: None,
            hint: None,
            timestamp: None,
        };
        Self { status, body: Box::new(body), quota: None }
    }

    /// A key is missing or wrong.
    pub fn unauthorized(error: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", error)
    }

    /// No such route, or not with this method.
    pub fn no_endpoint(timestamp: String) -> Self {
        let mut problem = Self::new(StatusCode::NOT_FOUND, "endpoint_not_found", "Not Found");
        problem.body.message = Some("Endpoint not found");
        problem.body.timestamp = Some(timestamp);
        problem
    }

    /// The body is longer than the server takes, or would make a row longer than the database
    /// keeps.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Request body is too large")
    }

    /// The `Content-Encoding` of the body is not supported.
    pub(crate) fn unsupported_encoding(encoding: &str) -> Self {
        let text = format!(
            "Content-Encoding \"{}\" is not supported: send the body as it is",
            shown(encoding)
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", text)
    }

    /// The rows asked for have more text than is held at once. A 413 would blame the body.
    fn answer_too_large() -> Self {
        let text = "The answer would be too large: ask for fewer rows with limit";
        Self::new(StatusCode::BAD_REQUEST, "answer_too_large", text)
    }

    /// Whether it says that a key is missing or wrong.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// A read that takes too long takes too long again, so a 503 would only have it repeated.
    fn answer_too_slow() -> Self {
        let text = "The answer took too long to find: ask for less with limit, a smaller offset or a \
             filter";
        Self::new(StatusCode::BAD_REQUEST, "answer_too_slow", text)
    }

    /// The server's own fault. The cause belongs in the log, not in the answer.
    pub(crate) fn internal() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut problem = Self::new(status, "internal", "Internal Server Error");
        problem.body.message = Some("The server failed to handle the request");
        problem
    }

    fn unavailable() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "unavailable", "Service Unavailable");
        problem.body.message = Some("The database is not available; try again");
        problem
    }

    /// Whether the change was made is not known. It was made whole or not at all.
    fn unconfirmed() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "unconfirmed", "Service Unavailable");
        problem.body.message =
            Some("The database was lost before it confirmed the change: look before you try again");
        problem
    }

    /// As much is in flight as may be, so that nothing was done.
    pub(crate) fn overloaded() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "overloaded", "Service Unavailable");
        problem.body.message =
            Some("The server has too many bytes of requests and answers in flight; try again");
        problem
    }

    /// There are as many event streams as there may be.
    pub(crate) fn too_many_streams(message: &'static str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "too_many_streams", "Service Unavailable");
        problem.body.message = Some(message);
        problem
    }

    /// A key, or an address, has sent too many requests.
    pub(crate) fn rate_limited(quota: Quota) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", quota.text());
        problem.quota = Some(quota);
        problem
    }

    /// The host of the server cannot keep a stream open.
    pub(crate) fn no_streams() -> Self {
        let text = "This server does not stream events: accept application/json, and read on with \
             cursor";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", text)
    }

    /// An answer cannot be written as JSON.
    pub(crate) fn unwritable(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "an answer could not be written");
        Self::internal()
    }

    /// The server is about to stop and hands out no more work.
    pub(crate) fn stopping() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, "stopping", "Service Unavailable");
        problem.body.message = Some("The server is stopping; try again");
        problem
    }

    /// Says when, on errors whose body the first server dated.
    #[must_use]
    pub(crate) fn at(mut self, timestamp: String) -> Self {
        self.body.timestamp = Some(timestamp);
        self
    }
}

/// The text of an error, which does not grow with what a client sent, or an older database holds.
fn bounded(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= ERROR_BYTES_MAX {
        return text;
    }
    format!("{}…", cut(&text, ERROR_BYTES_MAX)).into()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let names_encodings = self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let challenge = self.status == StatusCode::UNAUTHORIZED;
        // The code that completes the response sets the timestamp.
        let undated = (self.status.is_server_error() && self.body.timestamp.is_none())
            .then(|| Undated(self.clone()));
        let mut response = (self.status, Json(self.body)).into_response();
        if retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(quota) = self.quota {
            quota.tell(response.headers_mut());
        }
        if names_encodings {
            let identity = HeaderValue::from_static("identity");
            response.headers_mut().insert(header::ACCEPT_ENCODING, identity);
        }
        if challenge {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(undated) = undated {
            response.extensions_mut().insert(undated);
        }
        response
    }
}

/// Left in a response whose body still lacks the time.
#[derive(Clone)]
pub(crate) struct Undated(pub(crate) Problem);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => refusal.into(),
            StoreError::Engine(EngineError::Unavailable(cause)) => {
                tracing::error!(%cause, "the database is not available");
                Self::unavailable()
            }
            StoreError::Engine(EngineError::Busy(cause)) => {
                tracing::error!(%cause, "the database is busy");
                Self::unavailable()
            }
            StoreError::Engine(EngineError::Unconfirmed(cause)) => {
                tracing::error!(%cause, "the database did not confirm a write");
                Self::unconfirmed()
            }
            StoreError::Engine(EngineError::Damaged(cause)) => {
                tracing::error!(%cause, "the database is damaged: restore a backup");
                Self::unavailable()
            }
            StoreError::Engine(EngineError::Stopping) => Self::stopping(),
            StoreError::Engine(EngineError::TooSlow) => {
                tracing::warn!("gave up a read that took too long");
                Self::answer_too_slow()
            }
            StoreError::Engine(EngineError::TooLarge) => Self::answer_too_large(),
            StoreError::Engine(EngineError::RowTooLarge) => Self::too_large(),
            StoreError::Engine(EngineError::Constraint(_) | EngineError::Statement(_))
            | StoreError::Corrupt(_)
            | StoreError::Remembered(_)
            | StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Unreleased { .. }
            | StoreError::Unfinished
            | StoreError::Foreign { .. } => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Invalid(_) | Refusal::InvalidQueue { .. } | Refusal::UnknownRole { .. } => {
                StatusCode::BAD_REQUEST
            }
            Refusal::TaskNotFound { .. } | Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::WrongState { .. }
            | Refusal::LeaseLost { .. }
            | Refusal::LogClosed { .. }
            | Refusal::LogGap { .. }
            | Refusal::VersionConflict { .. }
            | Refusal::Race { .. }
            | Refusal::Duplicate(_)
            | Refusal::DependencyCycle { .. }
            | Refusal::ProjectInUse { .. } => StatusCode::CONFLICT,
            Refusal::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            Refusal::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            // Not 401, at which clients drop the key that they have.
            Refusal::NotPermitted(_) | Refusal::InvalidCode | Refusal::Forbidden(_) => {
                StatusCode::FORBIDDEN
            }
            Refusal::EventsGone(_) => StatusCode::GONE,
        };
        let mut problem = Self::new(status, refusal.code(), refusal.to_string());
        let details = refusal.details();
        problem.body.details = details
            .map(|details| details.into_iter().map(|text| bounded(text.into()).into()).collect());
        match refusal {
            Refusal::TaskNotFound { id } => {
                problem.body.task_id = Some(cut(&id, KEY_BYTES_MAX).to_owned());
            }
            Refusal::LogGap { expected, .. } => problem.body.expected_offset = Some(expected),
            Refusal::ProjectInUse { .. } => {
                problem.body.hint = Some("Delete or unlink tasks first");
            }
            _ => {}
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Refusal;
    use octopoid_store::{EngineError, StoreError};

    use super::Problem;

    #[test]
    fn no_text_of_an_error_grows_without_end() {
        let long = "ü".repeat(35_000_000);
        let problem = Problem::from(Refusal::NotFound(long.clone()));
        assert!(problem.body.error.len() < 4_100, "{}", problem.body.error.len());
        let step = octopoid_domain::step::Step::Accept;
        let problem = Problem::from(Refusal::WrongState { step, reason: long.clone() });
        assert!(problem.body.details.unwrap()[0].len() < 4_100);
        let problem = Problem::from(Refusal::TaskNotFound { id: long });
        assert_eq!(problem.body.task_id.unwrap().len(), 512);
    }

    #[test]
    fn an_answer_that_would_be_too_large_is_the_callers_to_change() {
        let problem = Problem::from(StoreError::Engine(EngineError::TooLarge));
        assert_eq!((problem.status.as_u16(), problem.body.code), (400, "answer_too_large"));
        assert!(problem.body.error.contains("limit"));
    }

    #[test]
    fn a_read_that_takes_too_long_is_the_callers_to_change() {
        let problem = Problem::from(StoreError::Engine(EngineError::TooSlow));
        assert_eq!((problem.status.as_u16(), problem.body.code), (400, "answer_too_slow"));
        assert!(problem.body.error.contains("limit"));
    }

    #[test]
    fn a_database_that_is_busy_is_answered_like_one_that_is_not_available() {
        let [busy, unavailable] = [EngineError::Busy, EngineError::Unavailable]
            .map(|error| Problem::from(StoreError::Engine(error("full".to_owned()))));
        assert_eq!((busy.status.as_u16(), busy.body.code), (503, "unavailable"));
        assert_eq!(busy.body.error, unavailable.body.error);
    }

    #[test]
    fn a_read_that_the_end_of_the_server_cuts_off_may_be_tried_again() {
        let problem = Problem::from(StoreError::Engine(EngineError::Stopping));
        assert_eq!((problem.status.as_u16(), problem.body.code), (503, "stopping"));
    }
}
