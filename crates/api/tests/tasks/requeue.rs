use axum::body::Body;
use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes, claimed, common::TestApp, conflict, event, last_event, read,
    register_flow, step, submitted,
};

const FAILED: &str = "Failed to requeue task";

#[tokio::test]
async fn putting_back_changes_what_the_contract_says_and_nothing_else() {
    let app = TestApp::new().await;
    let before = claimed(&app, "a").await;
    app.passes(60_000);
    let after = step(&app, "a", "requeue", json!({})).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "incoming", "attempt_count": 1, "claimed_by": null, "claimed_at": null,
            "orchestrator_id": null, "lease_expires_at": null, "version": 3,
            "updated_at": "2026-11-21 20:59:58",
        })
    );
    assert_eq!(read(&app, "a").await, after);
    assert_eq!(last_event(&app, "a").await, event("requeued", "agent-1", Value::Null));
}

#[tokio::test]
async fn a_body_is_not_needed_and_a_broken_one_is_not_read() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for body in ["", "{}", "null", "{broken", "[]", "{\"scope\":\"s\"}"] {
        app.claim(json!({})).await.expect(200);
        let path = format!("{TASKS}/a/requeue");
        assert_eq!(app.raw("POST", &path, Body::from(body)).await.status, 200, "{body}");
    }
    assert_eq!(read(&app, "a").await["attempt_count"], 6);
}

#[tokio::test]
async fn a_reason_is_kept_in_the_history() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    step(&app, "a", "requeue", json!({"reason": "machine went away"})).await.expect(200);
    assert_eq!(last_event(&app, "a").await, event("requeued", "agent-1", "machine went away"));
}

#[tokio::test]
async fn a_long_reason_is_cut_and_keeps_no_task_from_being_put_back() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    step(&app, "a", "requeue", json!({"reason": "r".repeat(65_537)})).await.expect(200);
    assert_eq!(last_event(&app, "a").await, event("requeued", "agent-1", "r".repeat(65_536)));
}

#[tokio::test]
async fn submitted_work_goes_back_without_an_agent_to_blame() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let task = step(&app, "a", "requeue", json!({})).await.expect(200);
    assert_eq!((&task["attempt_count"], &task["rejection_count"]), (&json!(1), &json!(0)));
    assert_eq!(task["submitted_at"], "2026-11-21 20:58:58");
    assert_eq!(last_event(&app, "a").await, event("requeued", Value::Null, Value::Null));
}

#[tokio::test]
async fn without_a_flow_only_claimed_and_submitted_work_is_put_back() {
    let app = TestApp::new().await;
    assert_no_task(&step(&app, "none", "requeue", json!({})).await, "none");
    for queue in ["incoming", "done", "failed"] {
        app.task(queue, json!({"queue": queue})).await;
        assert_eq!(
            conflict(&step(&app, queue, "requeue", json!({})).await, FAILED),
            format!("Invalid transition: task is in {queue}, expected claimed or provisional")
        );
    }
}

#[tokio::test]
async fn with_a_flow_the_step_must_be_one_of_its() {
    let app = TestApp::new().await;
    register_flow(&app).await;
    claimed(&app, "a").await;
    assert_eq!(
        conflict(&step(&app, "a", "requeue", json!({})).await, FAILED),
        "Invalid transition: flow \"default\" does not allow claimed \u{2192} incoming"
    );
}

#[tokio::test]
async fn a_version_that_is_named_must_be_the_present_one() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let reason = conflict(&step(&app, "a", "requeue", json!({"version": 1})).await, FAILED);
    assert_eq!(reason, "Version mismatch: expected 1, found 2");
}

#[tokio::test]
async fn fields_of_a_wrong_type_count_as_left_out() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let body = json!({"reason": {"why": "tired"}, "version": "two"});
    step(&app, "a", "requeue", body).await.expect(200);
    assert_eq!(last_event(&app, "a").await, event("requeued", "agent-1", Value::Null));
}
