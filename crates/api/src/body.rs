//! Request bodies.

use std::error::Error;

use axum::{
    body::to_bytes,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use octopoid_domain::{
    Refusal,
    input::{parse_body, parse_optional_body},
};
use serde::de::DeserializeOwned;

use crate::{app::App, budget::Overloaded, problem::Problem};

/// A JSON body, whatever its content type says.
pub struct Body<T>(pub T);

/// A JSON body that may be missing, or not be JSON at all: then it says nothing.
pub(crate) struct OptionalBody<T>(pub(crate) T);

/// A body that is not read, because it says nothing.
pub(crate) struct NoBody;

impl FromRequest<App> for NoBody {
    type Rejection = Problem;

    async fn from_request(_: Request, _: &App) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = read(request, app).await?;
        Ok(Self(parse_body(&bytes).map_err(Refusal::from)?))
    }
}

/// `None` is a request without a body. What is no JSON is refused.
impl<T: DeserializeOwned> OptionalFromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Option<Self>, Problem> {
        let bytes = read(request, app).await?;
        let body = (!bytes.is_empty()).then(|| parse_body(&bytes));
        Ok(body.transpose().map_err(Refusal::from)?.map(Self))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = read(request, app).await?;
        Ok(Self(parse_optional_body(&bytes).map_err(Refusal::from)?))
    }
}

/// The whole body of a request.
pub(crate) fn read(
    request: Request,
    app: &App,
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let (parts, body) = request.into_parts();
    read_body(&parts.headers, body, app)
}

/// The whole body of a request that is still to be handled, which keeps it.
pub(crate) async fn peek(request: &mut Request, app: &App) -> Result<Bytes, Problem> {
    let body = std::mem::take(request.body_mut());
    let bytes = read_body(request.headers(), body, app).await?;
    *request.body_mut() = bytes.clone().into();
    Ok(bytes)
}

/// The whole body, if it is not longer than the settings allow. What is encoded is refused after it
/// was read, so that the connection can be used again.
pub(crate) fn read_body(
    headers: &HeaderMap,
    body: axum::body::Body,
    app: &App,
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let encoding = encoding(headers);
    let reading = to_bytes(body, app.settings.body_bytes_max);
    async move {
        let read = reading.await.map_err(|error| unreadable(&error));
        match encoding {
            Some(encoding) => Err(Problem::unsupported_encoding(&encoding)),
            None => read,
        }
    }
}

fn unreadable(error: &axum::Error) -> Problem {
    if is_caused_by::<LengthLimitError>(error) {
        return Problem::too_large();
    }
    if is_caused_by::<Overloaded>(error) {
        return Problem::overloaded();
    }
    // The client stopped in the middle, or spoke no HTTP.
    let text = "The request body could not be read";
    Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", text)
}

/// How a client has compressed a body, if it has. Such a body would be read as JSON that makes no
/// sense, or, if it may be left out, not at all.
fn encoding(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::CONTENT_ENCODING).iter().find_map(|header| {
        let list = String::from_utf8_lossy(header.as_bytes());
        let is_meant =
            |encoding: &&str| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity");
        list.split(',').map(str::trim).find(is_meant).map(str::to_owned)
    })
}

fn is_caused_by<E: Error + 'static>(error: &axum::Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source()).any(<dyn Error>::is::<E>)
}
