use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes, claimed, common::TestApp, conflict, event, events, read,
    register_flow, submit,
};

const FAILED: &str = "Failed to submit task";

#[tokio::test]
async fn counts_are_required_and_only_absent_ones_are_missing() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    for body in [json!({}), json!({"commits_count": 1}), json!({"turns_used": 1})] {
        let text = submit(&app, "a", body.clone()).await.error(400);
        assert_eq!(text, "Missing required fields: commits_count, turns_used", "{body}");
    }
    let body = json!({"commits_count": null, "turns_used": null});
    let task = submit(&app, "a", body).await.expect(200);
    assert_eq!((&task["commits_count"], &task["turns_used"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn counts_are_whole_numbers_from_zero() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    for bad in [json!(-5), json!(5.7), json!("abc"), json!(true), json!([])] {
        let body = json!({"commits_count": bad, "turns_used": 1});
        let text = submit(&app, "a", body).await.error(400);
        assert!(text.starts_with("Invalid value for commits_count: "), "{bad}: {text}");
    }
    assert_eq!(read(&app, "a").await["queue"], "claimed");
}

#[tokio::test]
async fn handing_in_changes_what_the_contract_says_and_nothing_else() {
    let app = TestApp::new().await;
    let before = claimed(&app, "a").await;
    app.passes(60_000);
    let body = json!({
        "commits_count": 3, "turns_used": 42, "execution_notes": "3 commit(s). 42 turn(s).",
        "check_results": {"tests": "ok"}, "scope": "s",
    });
    let after = submit(&app, "a", body).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "provisional", "claimed_by": null, "claimed_at": null,
            "orchestrator_id": null, "lease_expires_at": null, "commits_count": 3,
            "turns_used": 42, "submitted_at": "2026-11-21 20:59:58",
            "updated_at": "2026-11-21 20:59:58", "execution_notes": "3 commit(s). 42 turn(s).",
            "check_results": "{\"tests\":\"ok\"}", "version": 3,
        })
    );
    assert_eq!(read(&app, "a").await, after);
    assert_eq!(
        events(&app, "a").await,
        [
            event("created", Value::Null, Value::Null),
            event("claimed", "agent-1", Value::Null),
            event("submitted", "agent-1", Value::Null),
        ]
    );
}

#[tokio::test]
async fn notes_and_results_that_are_left_out_clear_the_old_ones() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let old = json!({"execution_notes": "old", "check_results": "[1]"});
    app.patch(&format!("{TASKS}/a"), old).await.expect(200);
    let task = submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await.expect(200);
    assert_eq!(task["execution_notes"], Value::Null);
    assert_eq!(task["check_results"], Value::Null);
}

#[tokio::test]
async fn an_agent_out_of_turns_hands_over_to_another() {
    for (commits, turns, queue) in [
        (0, 79, "provisional"),
        (0, 80, "needs_continuation"),
        (1, 80, "provisional"),
        (5, 99, "provisional"),
        (5, 100, "needs_continuation"),
        (0, 100, "needs_continuation"),
    ] {
        let app = TestApp::new().await;
        claimed(&app, "a").await;
        let body = json!({"commits_count": commits, "turns_used": turns});
        let task = submit(&app, "a", body).await.expect(200);
        assert_eq!(task["queue"], queue, "{commits} commits in {turns} turns");
        let details =
            format!("{{\"commits_count\":{commits},\"turns_used\":{turns},\"threshold\":80}}");
        let mut expected = vec![event("submitted", "agent-1", Value::Null)];
        if queue == "needs_continuation" {
            expected.push(event("burnout_detected", Value::Null, details));
        }
        assert_eq!(events(&app, "a").await[2..], expected);
    }
}

#[tokio::test]
async fn only_a_claimed_task_can_be_handed_in() {
    let app = TestApp::new().await;
    let body = json!({"commits_count": 1, "turns_used": 1});
    assert_no_task(&submit(&app, "none", body.clone()).await, "none");
    for queue in ["incoming", "provisional", "done", "failed", "backlog"] {
        app.task(queue, json!({"queue": queue})).await;
        let answer = submit(&app, queue, body.clone()).await;
        assert_eq!(
            conflict(&answer, FAILED),
            format!("Invalid transition: task is in {queue}, expected claimed")
        );
        assert_eq!(answer.json()["code"], "wrong_state");
    }
}

#[tokio::test]
async fn a_review_is_not_handed_in() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let body = json!({"commits_count": 1, "turns_used": 1});
    submit(&app, "a", body.clone()).await.expect(200);
    app.claim(json!({"queue": "provisional"})).await.expect(200);
    assert_eq!(
        conflict(&submit(&app, "a", body).await, FAILED),
        "Invalid transition: task is in provisional, expected claimed"
    );
}

#[tokio::test]
async fn handing_in_takes_a_lease_that_has_not_ended() {
    let app = TestApp::new().await;
    let body = json!({"commits_count": 1, "turns_used": 1});
    app.task("a", json!({"queue": "claimed"})).await;
    let answer = submit(&app, "a", body.clone()).await;
    assert_eq!(conflict(&answer, FAILED), "No active lease");
    assert_eq!(answer.json()["code"], "lease_lost");

    app.task("b", json!({})).await;
    app.claim(json!({"lease_duration_seconds": 60})).await.expect(200);
    app.passes(60_001);
    assert_eq!(conflict(&submit(&app, "b", body.clone()).await, FAILED), "Lease has expired");
    let renewal = json!({"lease_expires_at": "2026-11-21T21:58:58Z"});
    app.patch(&format!("{TASKS}/b"), renewal).await.expect(200);
    submit(&app, "b", body).await.expect(200);
}

#[tokio::test]
async fn whoever_names_itself_must_hold_the_task() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    for (field, value, reason) in [
        ("agent_name", json!("agent-2"), "Task is claimed by agent-1"),
        ("orchestrator_id", json!("box-2"), "Task is claimed by box-1"),
        ("version", json!(1), "Version mismatch: expected 1, found 2"),
    ] {
        let body = json!({"commits_count": 1, "turns_used": 1, field: value});
        assert_eq!(conflict(&submit(&app, "a", body).await, FAILED), reason);
    }
    assert_eq!(read(&app, "a").await["queue"], "claimed");
    let body = json!({
        "commits_count": 1, "turns_used": 1,
        "agent_name": "agent-1", "orchestrator_id": "box-1", "version": 2,
    });
    submit(&app, "a", body).await.expect(200);
}

#[tokio::test]
async fn the_flow_has_no_say() {
    let app = TestApp::new().await;
    let flow = json!({
        "scope": "s", "states": ["incoming", "claimed", "done", "failed"], "transitions": [],
    });
    app.put("/api/v1/flows/default", flow).await.expect(200);
    claimed(&app, "a").await;
    let body = json!({"commits_count": 0, "turns_used": 0});
    assert_eq!(submit(&app, "a", body).await.expect(200)["queue"], "provisional");
    register_flow(&app).await;
    app.task("b", json!({})).await;
    app.claim(json!({})).await.expect(200);
    let body = json!({"commits_count": 0, "turns_used": 100});
    assert_eq!(submit(&app, "b", body).await.expect(200)["queue"], "needs_continuation");
}
