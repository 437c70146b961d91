use serde_json::{Value, json};

use crate::{
    assert_no_task, changes, claimed, common::TestApp, conflict, event, last_event, read,
    register_flow, step, submitted,
};

const FAILED: &str = "Failed to reject task";

fn verdict() -> Value {
    json!({"reason": "no tests", "rejected_by": "reviewer"})
}

#[tokio::test]
async fn the_reason_and_whoever_rejects_must_be_named() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    for body in [
        json!({}),
        json!({"reason": "r"}),
        json!({"rejected_by": "h"}),
        json!({"reason": "", "rejected_by": "h"}),
        json!({"reason": "r", "rejected_by": null}),
    ] {
        let text = step(&app, "a", "reject", body.clone()).await.error(400);
        assert_eq!(text, "Missing required fields: reason, rejected_by", "{body}");
    }
}

#[tokio::test]
async fn rejecting_changes_what_the_contract_says_and_nothing_else() {
    let app = TestApp::new().await;
    let before = submitted(&app, "a").await;
    app.passes(60_000);
    let after = step(&app, "a", "reject", verdict()).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "incoming", "rejection_count": 1, "updated_at": "2026-11-21 20:59:58",
            "version": 4,
        })
    );
    assert_eq!(read(&app, "a").await, after);
}

#[tokio::test]
async fn a_rejected_claim_is_cleared() {
    let app = TestApp::new().await;
    let before = claimed(&app, "a").await;
    let after = step(&app, "a", "reject", verdict()).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "incoming", "rejection_count": 1, "claimed_by": null, "claimed_at": null,
            "orchestrator_id": null, "lease_expires_at": null, "version": 3,
        })
    );
}

#[tokio::test]
async fn the_reason_is_kept_in_the_history_and_as_a_message_to_nobody() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let reason = "no tests\n".repeat(500);
    let body = json!({"reason": reason, "rejected_by": "reviewer"});
    step(&app, "a", "reject", body).await.expect(200);
    assert_eq!(last_event(&app, "a").await, event("rejected", "reviewer", reason.clone()));
    let messages = app.get("/api/v1/messages?scope=s&task_id=a").await.expect(200);
    assert_eq!(messages["total"], 1);
    let message = &messages["messages"][0];
    assert_eq!(
        (&message["from_actor"], &message["to_actor"], &message["type"], &message["content"]),
        (&json!("reviewer"), &Value::Null, &json!("rejection"), &json!(reason))
    );
    assert_eq!(message["created_at"], "2026-11-21T20:58:58.605Z");
}

#[tokio::test]
async fn without_a_flow_only_claimed_and_submitted_work_is_rejected() {
    let app = TestApp::new().await;
    assert_no_task(&step(&app, "none", "reject", verdict()).await, "none");
    for queue in ["incoming", "done", "failed"] {
        app.task(queue, json!({"queue": queue})).await;
        assert_eq!(
            conflict(&step(&app, queue, "reject", verdict()).await, FAILED),
            format!("Invalid transition: task is in {queue}, expected provisional or claimed")
        );
    }
}

#[tokio::test]
async fn with_a_flow_the_step_must_be_one_of_its() {
    let app = TestApp::new().await;
    register_flow(&app).await;
    claimed(&app, "a").await;
    assert_eq!(
        conflict(&step(&app, "a", "reject", verdict()).await, FAILED),
        "Invalid transition: flow \"default\" does not allow claimed \u{2192} incoming"
    );
    let report = json!({"commits_count": 1, "turns_used": 1});
    step(&app, "a", "submit", report).await.expect(200);
    step(&app, "a", "reject", verdict()).await.expect(200);
}

#[tokio::test]
async fn a_version_that_is_named_must_be_the_present_one() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let body = json!({"reason": "r", "rejected_by": "h", "version": 9});
    let reason = conflict(&step(&app, "a", "reject", body).await, FAILED);
    assert_eq!(reason, "Version mismatch: expected 9, found 3");
    assert_eq!(read(&app, "a").await["rejection_count"], 0);
}
