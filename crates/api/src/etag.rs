//! `ETag` and `If-Match`: the version of a task in headers.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use octopoid_domain::{ClaimedTask, Refusal, TaskView};
use octopoid_store::Terms;
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{idempotency, json::Json, problem::Problem};

/// An answer that is a task.
pub(crate) trait Versioned: Serialize {
    /// The version of the task.
    fn version(&self) -> i64;
}

impl Versioned for TaskView {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for ClaimedTask {
    fn version(&self) -> i64 {
        self.task.version
    }
}

/// A task as JSON, with its version as `ETag`.
pub(crate) struct Tagged<T>(pub(crate) T);

impl<T: Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&format!("\"v{}\"", self.0.version()));
        let mut response = Json(self.0).into_response();
        response.headers_mut().extend(tag.ok().map(|tag| (header::ETAG, tag)));
        response
    }
}

/// Which versions of a task a request is for; any without the header, and with `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IfMatch(Option<Vec<i64>>);

impl IfMatch {
    /// The conditions of a request that has no others.
    pub(crate) fn terms(self) -> Terms {
        Terms { versions: self.0, ..Terms::default() }
    }

    /// The versions; `None` means any.
    pub(crate) fn versions(self) -> Option<Vec<i64>> {
        self.0
    }

    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            let text = String::from_utf8_lossy(value.as_bytes());
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
        }
        match &*tags {
            [] => return Ok(Self(None)),
            [any] if any == "*" => return Ok(Self(None)),
            _ => {}
        }
        let mut versions = Vec::new();
        for tag in &tags {
            let (is_weak, tag) = match tag.strip_prefix("W/") {
                Some(tag) => (true, tag),
                None => (false, &**tag),
            };
            let opaque = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let opaque = opaque.filter(|opaque| !opaque.contains('"'));
            let Some(opaque) = opaque else {
                return Err(Refusal::invalid(
                    "Invalid If-Match: send the ETag of the task, such as \"v3\" with its quotes, \
                     or *",
                ));
            };
            // A weak tag never matches, nor does one that no task has.
            let version = opaque.strip_prefix('v').filter(|_| !is_weak);
            versions.extend(version.and_then(|version| version.parse::<i64>().ok()));
        }
        Ok(Self(Some(versions)))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(&parts.headers)?)
    }
}

/// The header in the document.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![idempotency::header(
            "If-Match",
            "The `ETag` of the task. The response is 412 if the task has a different version.",
        )]
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use octopoid_domain::Refusal;

    use super::IfMatch;

    fn read(values: &[&'static str]) -> Result<Option<Vec<i64>>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        IfMatch::of(&headers).map(IfMatch::versions)
    }

    #[test]
    fn versions_are_read_from_tags() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["*"]), Ok(None));
        assert_eq!(read(&["\"v3\""]), Ok(Some(vec![3])));
        assert_eq!(read(&["\"v3\", \"v4\"", " \"v5\" "]), Ok(Some(vec![3, 4, 5])));
        // These are tags, but no task has them.
        assert_eq!(read(&["W/\"v3\"", "\"x\", \"\", \"v\""]), Ok(Some(vec![])));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for bad in ["", "3", "v3", "\"v3", "v3\"", "\"", "\"v3\",", "*, \"v3\"", "\"v3\" \"v4\""] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
    }
}
