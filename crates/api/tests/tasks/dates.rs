//! Instants as clients write them.

use serde_json::json;

use crate::{common::TestApp, read};

#[tokio::test]
async fn seconds_are_not_taken_for_milliseconds() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    for field in ["lease_expires_at", "completed_at", "submitted_at", "claimed_at"] {
        for seconds in [json!(1_795_294_738), json!(1_795_294_738.5)] {
            let answer = app.patch("/api/v1/tasks/a", json!({field: seconds})).await;
            let expected = format!(
                "Invalid value for {field}: a number is read as milliseconds since 1970, and \
                 {seconds} is too small for that: multiply seconds by 1000, or send ISO 8601 text"
            );
            assert_eq!(answer.error(400), expected);
        }
    }
    assert_eq!(read(&app, "a").await, before);
    let body = json!({"completed_at": 1_795_294_738_000_i64});
    let task = app.patch("/api/v1/tasks/a", body).await.expect(200);
    assert_eq!(task["completed_at"], "2026-11-21T20:58:58.000Z");
}

#[tokio::test]
async fn the_ends_of_days_and_years_are_read_and_far_offsets_are_not() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for (sent, shown) in [
        ("2026-02-28T24:00:00Z", "2026-03-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ("9999-12-31T23:59:59.999+18:00", "9999-12-31T05:59:59.999Z"),
    ] {
        let task = app.patch("/api/v1/tasks/a", json!({"completed_at": sent})).await.expect(200);
        assert_eq!(task["completed_at"], shown);
        assert_eq!(read(&app, "a").await["completed_at"], shown);
    }
    for bad in ["2026-02-28T10:00:00+18:01", "2026-02-28T10:00:00-25:00", "2026-02-28T24:00:01Z"] {
        let text = app.patch("/api/v1/tasks/a", json!({"completed_at": bad})).await.error(400);
        assert!(text.starts_with("Invalid value for completed_at: "), "{text}");
    }
}

#[tokio::test]
async fn an_action_ends_at_an_instant_or_never() {
    let app = TestApp::new().await;
    let mut body = json!({"entity_type": "t", "entity_id": "e", "label": "l", "proposed_by": "p",
        "scope": "s", "expires_at": "tomorrow"});
    let text = app.post("/api/v1/actions", body.clone()).await.error(400);
    assert_eq!(text, "expires_at must be an ISO 8601 date and time");
    body["expires_at"] = json!("2036-01-01 24:00");
    let action = app.post("/api/v1/actions", body.clone()).await.expect(201);
    assert_eq!(action["expires_at"], "2036-01-01 24:00", "as the client wrote it");
    body["expires_at"] = json!("");
    app.post("/api/v1/actions", body).await.expect(201);
}
