//! Answers in JSON.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Room for most answers, so that the text need not be moved while it is being written.
const USUAL_BYTES: usize = 2 * 1024;

/// An answer in JSON, the same as `axum::Json` makes. That one writes into a buffer for which every
/// quote and comma is a function call, and this takes half the time.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(USUAL_BYTES);
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => response(text.into()),
            Err(error) => Problem::unwritable(&error).into_response(),
        }
    }
}

/// An answer whose body is JSON.
pub(crate) fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
