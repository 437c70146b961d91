//! Reports of failures, cancellation, and taking a task up again.

use serde_json::{Value, json};

use crate::{claimed, common::TestApp, conflict, done, last_event, read, step};

#[tokio::test]
async fn a_failure_names_its_reason() {
    let app = TestApp::new().await;
    let token = claimed(&app, "a").await["lease_token"].clone();
    let before = read(&app, "a").await;
    for (body, text) in [
        (json!({}), "Missing required field: reason"),
        (
            json!({"reason": "crash", "retry": "x"}),
            "Invalid value for retry: \"x\". Valid values: auto, never",
        ),
        (
            json!({"reason": "crash", "lease_token": "x"}),
            "Invalid value for lease_token: malformed token; send the lease_token of the claim unchanged",
        ),
        (
            json!({"reason": "crash", "agent_name": "a".repeat(513)}),
            "agent_name is too long: at most 512 bytes",
        ),
        (
            json!({"reason": "crash", "usage": {"turns": "x"}}),
            "Invalid value for usage.turns: expected a number from 0, or null",
        ),
        (
            json!({"reason": "crash", "result": []}),
            "Invalid value for result: invalid type: sequence, expected a map",
        ),
        (
            json!({"reason": "crash", "result": {"checks": 1}}),
            "Invalid value for result: checks must be a list",
        ),
    ] {
        assert_eq!(step(&app, "a", "fail", body).await.error(400), text);
    }
    let answer = step(&app, "a", "fail", json!({"reason": "lease_lost"})).await;
    let text = answer.error(400);
    assert!(
        text.starts_with("Unknown reason \"lease_lost\". Valid reasons: drained, cancelled, "),
        "{text}"
    );
    assert_eq!(read(&app, "a").await, before, "nothing changes");
    let body = json!({
        "reason": "check_failed", "message": "m".repeat(5_000), "lease_token": token,
        "result": {"summary": "half", "patch": "+a"}, "usage": {"cost_usd": 0.25},
    });
    let failed = step(&app, "a", "fail", body).await.expect(200);
    assert_eq!((&failed["queue"], &failed["failure_count"]), (&json!("incoming"), &json!(1)));
    assert_eq!(failed["usage"]["cost_usd"], "0.25");
    assert!(failed["not_before"].is_string(), "{failed}");
    let (name, agent, details) = last_event(&app, "a").await;
    assert_eq!((&*name, agent), ("failed", json!("agent-1")));
    let details: Value = serde_json::from_str(details.as_str().unwrap()).unwrap();
    assert_eq!((&details["reason"], &details["retry"]), (&json!("check_failed"), &json!("auto")));
    assert_eq!(details["message"].as_str().map(str::len), Some(4_096), "the beginning is kept");
}

#[tokio::test]
async fn who_does_not_hold_a_task_cannot_fail_it() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let crash = json!({"reason": "crash"});
    let answer = step(&app, "a", "fail", crash.clone()).await;
    let reason = conflict(&answer, "Failed to fail task");
    assert_eq!(reason, "Invalid transition: task is in incoming, expected claimed");
    assert_eq!(step(&app, "nothing", "fail", crash).await.error(404), "Task not found");
    app.claim(json!({})).await.expect(200);
    let answer = step(&app, "a", "fail", json!({"reason": "crash", "agent_name": "x"})).await;
    assert_eq!(conflict(&answer, "Failed to fail task"), "Task is claimed by agent-1");
    let foreign = format!("olt_7_{}", "0".repeat(32));
    let answer = step(&app, "a", "fail", json!({"reason": "crash", "lease_token": foreign})).await;
    let reason = conflict(&answer, "Failed to fail task");
    assert_eq!(reason, "The lease token is not one of this task");
    assert_eq!(answer.json()["code"], "lease_lost");
}

#[tokio::test]
async fn a_large_result_is_cut_or_refused() {
    let app = TestApp::new().await;
    let token = claimed(&app, "a").await["lease_token"].clone();
    let body = |result: Value| json!({"commits_count": 1, "turns_used": 1, "lease_token": token, "result": result});
    let long = "x".repeat(3 << 19);
    let refused = step(&app, "a", "submit", body(json!({"other": long}))).await;
    let text = "result is too long: at most 1572864 bytes. Shorten what is not the patch";
    assert_eq!(refused.error(400), text);
    step(&app, "a", "submit", body(json!({"patch": long, "summary": long}))).await.expect(200);
}

#[tokio::test]
async fn a_task_is_cancelled_by_someone_for_a_reason() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let missing = "Missing required fields: by, reason";
    for body in [json!({}), json!({"by": "ada"}), json!({"reason": "r", "by": ""})] {
        assert_eq!(step(&app, "a", "cancel", body).await.error(400), missing);
    }
    let cancel = json!({"by": "ada", "reason": "not wanted"});
    let cancelled = step(&app, "a", "cancel", cancel.clone()).await.expect(200);
    assert_eq!(cancelled["queue"], "cancelled");
    let event = ("cancelled".to_owned(), json!("ada"), json!("not wanted"));
    assert_eq!(last_event(&app, "a").await, event);
    assert_eq!(step(&app, "a", "cancel", cancel.clone()).await.expect(200), cancelled);
    let old = json!({"by": "ada", "reason": "r", "version": 1});
    app.task("b", json!({})).await;
    app.patch("/api/v1/tasks/b", json!({"title": "t"})).await.expect(200);
    let answer = step(&app, "b", "cancel", old).await;
    let reason = conflict(&answer, "Failed to cancel task");
    assert_eq!(reason, "Version mismatch: expected 1, found 2");
    app.patch("/api/v1/tasks/b", json!({"queue": "cancelled"})).await.expect(200);
    done(&app, "c").await;
    let answer = step(&app, "c", "cancel", cancel).await;
    let reason = conflict(&answer, "Failed to cancel task");
    assert_eq!(reason, "Invalid transition: task is in done");
}

#[tokio::test]
async fn a_cancelled_task_is_taken_up_again() {
    let app = TestApp::new().await;
    app.task("a", json!({"queue": "cancelled"})).await;
    assert_eq!(step(&app, "a", "retry", json!({})).await.error(400), "Missing required field: by");
    let body = json!({"by": "ada", "reason": "after all"});
    assert_eq!(step(&app, "a", "retry", body.clone()).await.expect(200)["queue"], "incoming");
    let event = ("retried".to_owned(), json!("ada"), json!("after all"));
    assert_eq!(last_event(&app, "a").await, event);
    let answer = step(&app, "a", "retry", body).await;
    let reason = conflict(&answer, "Failed to retry task");
    assert_eq!(reason, "Invalid transition: task is in incoming, expected failed or cancelled");
}

#[tokio::test]
async fn attempts_have_a_limit_of_their_own() {
    let app = TestApp::new().await;
    let text = "Invalid value for max_attempts: expected a whole number from 1 to 100";
    let body = json!({
        "id": "a", "file_path": "a", "branch": "b", "scope": "s", "max_attempts": 101,
    });
    assert_eq!(app.post("/api/v1/tasks", body).await.error(400), text);
    app.task("a", json!({"max_attempts": 100})).await;
    let patch = |value: Value| app.patch("/api/v1/tasks/a", json!({"max_attempts": value}));
    assert_eq!(patch(json!(101)).await.error(400), text);
    assert_eq!(patch(json!(1)).await.expect(200)["max_attempts"], 1);
    assert_eq!(patch(json!(null)).await.expect(200)["max_attempts"], Value::Null);
}
