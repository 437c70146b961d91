//! Request bodies.

use std::error::Error;

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use octopoid_domain::{
    Refusal,
    input::{is_json, parse_body},
};
use serde::de::DeserializeOwned;

use crate::{app::App, middleware::Overloaded, problem::Problem};

/// A JSON body, whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be missing, or not be JSON at all: then it says nothing.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), app).await?;
        Ok(Self(parse_body(&bytes).map_err(Refusal::from)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), app).await?;
        if !is_json(&bytes) || bytes.trim_ascii() == b"null" {
            return Ok(Self(T::default()));
        }
        Ok(Self(parse_body(&bytes).map_err(Refusal::from)?))
    }
}

/// The whole body, if it is not longer than the settings allow.
pub(crate) async fn read(body: axum::body::Body, app: &App) -> Result<Bytes, Problem> {
    to_bytes(body, app.settings.body_bytes_max).await.map_err(|error| {
        if is_caused_by::<LengthLimitError>(&error) {
            return Problem::too_large();
        }
        if is_caused_by::<Overloaded>(&error) {
            return Problem::overloaded();
        }
        // The client stopped in the middle, or spoke no HTTP.
        let text = "The request body could not be read";
        Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", text)
    })
}

fn is_caused_by<E: Error + 'static>(error: &axum::Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source()).any(<dyn Error>::is::<E>)
}
