//! What holds for every request: service routes, CORS, bodies, keys and names.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../common/mod.rs"]
mod common;

mod auth;
mod board;
mod bodies;
mod confinement;
mod cors;
mod etags;
mod hosts;
mod idempotency;
mod in_flight;
mod limits;
mod lists;
mod names;
mod pages;
mod service;
mod texts;
mod trouble;

use axum::http::{Request, header};
use serde_json::Value;

use common::{Answer, TestApp};

/// Sends a request with these headers and no body.
async fn with_headers(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(axum::body::Body::empty()).unwrap()).await
}

/// The values of a header, in order.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

/// Checks the answer to a request for a path that does not exist.
#[track_caller]
fn assert_no_endpoint(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 404, "{what}: {}", answer.text);
    assert_eq!(values(answer, header::CONTENT_TYPE.as_str()), ["application/json"], "{what}");
    let expected = concat!(
        r#"{"error":"Not Found","code":"endpoint_not_found","message":"Endpoint not found","#,
        r#""timestamp":"2026-11-21T20:58:58.605Z"}"#
    );
    assert_eq!(answer.text, expected, "{what}");
}

/// The operations of the OpenAPI document: method, path and what is said about them.
fn operations() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(octopoid_api::openapi::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            (method.to_uppercase(), path.clone(), operation.clone())
        })
    });
    operations.collect()
}
