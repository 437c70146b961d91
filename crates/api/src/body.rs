//! Request bodies.

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
    response::IntoResponse,
};
use bytes::Bytes;
use octopoid_domain::{
    Refusal,
    input::{is_json, parse_body},
};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body, whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be missing, or not be JSON at all: then it says nothing.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, state).await?;
        Ok(Self(parse_body(&bytes).map_err(Refusal::from)?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, state).await?;
        if !is_json(&bytes) || bytes.trim_ascii() == b"null" {
            return Ok(Self(T::default()));
        }
        Ok(Self(parse_body(&bytes).map_err(Refusal::from)?))
    }
}

/// The whole body.
pub(crate) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let response = rejection.into_response();
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Problem::too_large();
        }
        unreadable()
    })
}

/// The client stopped in the middle, or spoke no HTTP.
pub(crate) fn unreadable() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", "The request body could not be read")
}
