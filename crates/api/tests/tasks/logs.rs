//! Logs of runs: appending to them, reading them, and following them.

use std::sync::atomic::Ordering;

use axum::{body::Body, http::Request};
use octopoid_api::{Settings, jobs::run_jobs};
use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, claimed,
    common::{Answer, TestApp},
    conflict, step, submit,
};

/// Creates a task and claims it. Returns the token.
async fn leased(app: &TestApp, id: &str) -> Value {
    claimed(app, id).await["lease_token"].clone()
}

async fn append(app: &TestApp, token: &Value, offset: i64, text: &str) -> Answer {
    let body = json!({"lease_token": token, "offset": offset, "text": text});
    step(app, "a", "log", body).await
}

async fn read(app: &TestApp, query: &str) -> Value {
    app.get(&format!("{TASKS}/a/runs/1/log?{query}")).await.expect(200)
}

#[tokio::test]
async fn text_is_appended_and_read_by_offset() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    let before = app.get(&format!("{TASKS}/a")).await.expect(200);
    for _ in 0..2 {
        let answer = append(&app, &token, 0, "grün\0\n").await.expect(200);
        assert_eq!(answer, json!({"next_offset": 7}));
    }
    let expected =
        json!({"offset": 0, "next_offset": 7, "text": "grün\u{1a}\n", "is_complete": false});
    assert_eq!(read(&app, "").await, expected);
    let part = json!({"offset": 1, "next_offset": 4, "text": "rü", "is_complete": false});
    assert_eq!(read(&app, "offset=1&limit=3").await, part);
    assert_eq!(read(&app, "offset=-1&limit=0").await["text"], "g", "at least one character");
    assert_eq!(read(&app, "offset=x&limit=").await["next_offset"], 7);
    assert_eq!(app.get(&format!("{TASKS}/a")).await.expect(200), before);
}

#[tokio::test]
async fn a_gap_is_409_with_the_expected_offset() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    append(&app, &token, 0, "abc").await.expect(200);
    let gap = append(&app, &token, 5, "x").await.expect(409);
    assert_eq!(
        gap,
        json!({"error": "Failed to append to the log: expected offset 3, found 5",
            "code": "log_gap", "expected_offset": 3})
    );
}

#[tokio::test]
async fn incomplete_and_malformed_bodies_are_400() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    for (body, text) in [
        (json!({"offset": 0, "text": "x"}), "Missing required field: lease_token"),
        (json!({"lease_token": token, "text": "x"}), "Missing required field: offset"),
        (json!({"lease_token": token, "offset": 0}), "Missing required field: text"),
        (
            json!({"lease_token": token, "offset": 0, "text": "x".repeat(65_537)}),
            "text is too long: at most 65536 bytes; send the rest with the next offset",
        ),
    ] {
        assert_eq!(step(&app, "a", "log", body).await.error(400), text);
    }
    for (field, bad) in [("lease_token", json!("olt")), ("offset", json!(-1)), ("text", json!(1))] {
        let mut body = json!({"lease_token": token, "offset": 0, "text": "x"});
        body[field] = bad;
        let refused = step(&app, "a", "log", body).await.error(400);
        assert!(refused.starts_with(&format!("Invalid value for {field}: ")), "{refused}");
    }
    let whole = json!({"lease_token": token, "offset": 0, "text": "x".repeat(65_536)});
    assert_eq!(step(&app, "a", "log", whole).await.expect(200)["next_offset"], 65_536);
}

#[tokio::test]
async fn a_log_is_for_the_token_of_its_run() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    let error = "Failed to append to the log";
    let unknown = json!(format!("olt_1_{}", "0".repeat(32)));
    let refused = append(&app, &unknown, 0, "x").await;
    assert_eq!(conflict(&refused, error), "The lease token is not one of this task");
    assert_eq!(refused.json()["code"], "lease_lost");
    let body = json!({"lease_token": token, "offset": 0, "text": "x"});
    assert_no_task(&step(&app, "b", "log", body).await, "b");
    submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await.expect(200);
    app.passes(600_000);
    append(&app, &token, 0, "late").await.expect(200);
    assert_eq!(read(&app, "").await["is_complete"], false);
    app.passes(1);
    let refused = append(&app, &token, 4, "too late").await;
    assert_eq!(
        conflict(&refused, error),
        "Run 1 was submitted at 2026-11-21T20:58:58.605Z; its log is taken until 10 minutes after \
         that"
    );
    let whole = json!({"offset": 0, "next_offset": 4, "text": "late", "is_complete": true});
    assert_eq!(read(&app, "").await, whole);
}

#[tokio::test]
async fn the_length_and_the_age_of_logs_are_settings() {
    let settings = Settings { log_bytes_max: 4, retain_logs_ms: 1_000, ..Settings::default() };
    let app = TestApp::with(settings).await;
    let token = leased(&app, "a").await;
    append(&app, &token, 0, "abc").await.expect(200);
    append(&app, &token, 3, "defg").await.expect(200);
    let kept = json!({"offset": 3, "next_offset": 7, "text": "defg", "is_complete": false});
    assert_eq!(read(&app, "").await, kept);
    app.passes(10_000);
    run_jobs(&app.app).await.unwrap();
    assert_eq!(read(&app, "").await, kept, "the task is not over");
    // It is looked at again a day later.
    submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await.expect(200);
    step(&app, "a", "accept", json!({"accepted_by": "human"})).await.expect(200);
    app.passes(86_400_001);
    run_jobs(&app.app).await.unwrap();
    let gone = json!({"offset": 0, "next_offset": 0, "text": "", "is_complete": true});
    assert_eq!(read(&app, "").await, gone);
}

/// Asks for the log from an offset on, and waits for text.
fn following(app: &TestApp, offset: i64, seconds: u64) -> tokio::task::JoinHandle<Answer> {
    let request = Request::get(format!("{TASKS}/a/runs/1/log?offset={offset}"));
    let request = request.header("prefer", format!("wait={seconds}")).body(Body::empty()).unwrap();
    let app = app.clone();
    tokio::spawn(async move { app.send(request).await })
}

#[tokio::test]
async fn a_log_is_followed_by_waiting_for_text() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    app.host.waits.store(true, Ordering::SeqCst);
    let mut offset = 0;
    for text in ["one\n", "two\n"] {
        let waiting = following(&app, offset, 50);
        // It has looked and found nothing.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        append(&app, &token, offset, text).await.expect(200);
        let answer = waiting.await.unwrap();
        assert_eq!(answer.headers["preference-applied"], "wait=50");
        let answer = answer.expect(200);
        assert_eq!((&answer["text"], &answer["offset"]), (&json!(text), &json!(offset)));
        offset = answer["next_offset"].as_i64().unwrap();
    }
    let at_once = following(&app, 0, 50).await.unwrap().expect(200);
    assert_eq!(at_once["text"], "one\ntwo\n");
    let empty = following(&app, offset, 0).await.unwrap().expect(200);
    assert_eq!((&empty["text"], &empty["next_offset"]), (&json!(""), &json!(offset)));
    submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await.expect(200);
    app.passes(600_001);
    let complete = following(&app, offset, 50).await.unwrap().expect(200);
    assert_eq!(complete["is_complete"], true);
}

#[tokio::test]
async fn nobody_follows_a_log_on_a_host_that_stops_or_cannot_wait() {
    let app = TestApp::new().await;
    leased(&app, "a").await;
    let answer = following(&app, 0, 50).await.unwrap();
    assert!(answer.headers.get("preference-applied").is_none());
    assert_eq!(answer.expect(200)["text"], "");
    app.host.waits.store(true, Ordering::SeqCst);
    let waiting = following(&app, 0, 50);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    app.app.stop_claiming();
    assert_eq!(waiting.await.unwrap().expect(200)["text"], "");
}
