use serde_json::{Value, json};

use crate::{
    assert_no_task, changes, claimed, common::TestApp, done, event, events, last_event, read,
    register_flow, step,
};

fn order(queue: &str) -> Value {
    json!({"queue": queue, "reason": "stuck"})
}

#[tokio::test]
async fn target_and_reason_must_be_named() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for body in [
        json!({}),
        json!({"queue": "done"}),
        json!({"reason": "r"}),
        json!({"queue": "", "reason": "r"}),
        json!({"queue": "done", "reason": ""}),
    ] {
        let text = step(&app, "a", "force-queue", body.clone()).await.error(400);
        assert_eq!(text, "Missing required fields: queue, reason", "{body}");
    }
    assert_no_task(&step(&app, "none", "force-queue", order("done")).await, "none");
}

#[tokio::test]
async fn a_task_goes_anywhere_and_its_claim_is_cleared() {
    let app = TestApp::new().await;
    let before = claimed(&app, "a").await;
    app.passes(60_000);
    let after = step(&app, "a", "force-queue", order("backlog")).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "backlog", "claimed_by": null, "claimed_at": null, "orchestrator_id": null,
            "lease_expires_at": null, "version": 3, "updated_at": "2026-11-21 20:59:58",
        })
    );
    for queue in ["failed", "incoming", "done", "claimed", "provisional"] {
        let task = step(&app, "a", "force-queue", order(queue)).await.expect(200);
        assert_eq!(task["queue"], queue);
        assert_eq!(read(&app, "a").await, task);
    }
}

#[tokio::test]
async fn the_queue_must_be_one_of_the_flows() {
    let app = TestApp::new().await;
    register_flow(&app).await;
    app.task("a", json!({})).await;
    assert_eq!(
        step(&app, "a", "force-queue", order("escalated")).await.error(400),
        "Invalid queue \"escalated\". Valid queues for flow \"default\": incoming, claimed, \
         provisional, done, failed, requires-intervention"
    );
    // No step of the flow leads there.
    step(&app, "a", "force-queue", order("requires-intervention")).await.expect(200);
}

#[tokio::test]
async fn forced_to_done_a_task_is_completed_and_lets_others_go_on() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    let task = step(&app, "a", "force-queue", order("done")).await.expect(200);
    assert_eq!(task["completed_at"], "2026-11-21T20:58:58.605Z");
    assert_eq!(read(&app, "b").await["blocked_by"], Value::Null);
    assert_eq!(last_event(&app, "b").await, event("unblocked", Value::Null, "a"));
}

#[tokio::test]
async fn a_failed_task_lets_nobody_go_on() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    step(&app, "a", "force-queue", order("failed")).await.expect(200);
    assert_eq!(read(&app, "b").await["blocked_by"], "a");
}

#[tokio::test]
async fn a_reopened_task_is_completed_no_longer() {
    let app = TestApp::new().await;
    let before = done(&app, "a").await;
    let task = step(&app, "a", "force-queue", order("incoming")).await.expect(200);
    assert_eq!(task["completed_at"], Value::Null);
    assert_eq!(task["submitted_at"], before["submitted_at"]);
}

#[tokio::test]
async fn the_reason_is_kept_in_the_history_and_as_a_message_to_nobody() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    step(&app, "a", "force-queue", order("failed")).await.expect(200);
    let details = r#"{"reason":"stuck","from":"incoming","to":"failed"}"#;
    assert_eq!(last_event(&app, "a").await, event("force_queue", Value::Null, details));
    let messages = app.get("/api/v1/tasks/a/messages?scope=s").await.expect(200);
    let mut message = messages["messages"][0].clone();
    assert!(message["id"].as_str().unwrap().starts_with("msg-1795294738605-"), "{message}");
    message["id"] = Value::Null;
    assert_eq!(
        message,
        json!({
            "id": null, "task_id": "a", "from_actor": "system", "to_actor": null,
            "type": "force_queue", "content": "stuck", "created_at": "2026-11-21T20:58:58.605Z",
            "scope": "s", "parent_message_id": null,
        })
    );
}

#[tokio::test]
async fn a_reason_that_is_no_text_changes_nothing() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    let body = json!({"queue": "done", "reason": {"a": 1}});
    let text = step(&app, "a", "force-queue", body).await.error(400);
    assert!(text.starts_with("Invalid value for reason: "), "{text}");
    assert_eq!(read(&app, "a").await, before);
    assert_eq!(events(&app, "a").await.len(), 1);
}
