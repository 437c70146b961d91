//! The journal over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../common/mod.rs"]
mod common;
mod idle;
mod pages;
mod passing;
mod streams;
mod waiting;

use std::sync::atomic::Ordering;

use octopoid_api::{AuthMode, Settings};
use serde_json::Value;

use crate::common::TestApp;

const EVENTS: &str = "/api/v1/events";

/// An app on a host that can wait.
async fn waiting_app() -> TestApp {
    waiting(TestApp::new().await)
}

async fn guarded_app() -> TestApp {
    waiting(TestApp::guarded(AuthMode::Required).await)
}

async fn app_with(settings: Settings) -> TestApp {
    waiting(TestApp::with(settings).await)
}

fn waiting(app: TestApp) -> TestApp {
    app.host.waits.store(true, Ordering::SeqCst);
    app.host.runs_aside.store(true, Ordering::SeqCst);
    app
}

/// The types and subjects of the events of a page.
fn lines(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().unwrap().iter();
    events.map(line).collect()
}

fn line(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&event["type"]), text(&event["subject"]["id"]))
}

fn cursor(page: &Value) -> &str {
    page["next_cursor"].as_str().unwrap()
}
