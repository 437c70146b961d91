//! `traceparent` (W3C Trace Context): the trace that a request belongs to.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};
use octopoid_domain::Traceparent;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::idempotency;

/// The header that names the trace and the caller's place in it.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The place in a trace that the caller names; none without the header.
pub(crate) struct Caused(pub(crate) Option<Traceparent>);

/// In the response to a claim, for the traces of the host: the place in a trace from which the task
/// was created.
#[derive(Clone, Copy, Debug)]
pub struct CreatedIn(pub Traceparent);

/// The place that the headers name. One that cannot be read is passed over, as the standard asks,
/// and so are several.
pub fn caller(headers: &HeaderMap) -> Option<Traceparent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()?.trim().parse().ok()
}

impl<S: Sync> FromRequestParts<S> for Caused {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(caller(&parts.headers)))
    }
}

/// The header in the document.
impl IntoParams for Caused {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![idempotency::header(
            TRACEPARENT.as_str(),
            "The place in a trace from which the task is created (W3C Trace Context). It is kept \
             with the task. A value that is not valid is ignored.",
        )]
    }
}
