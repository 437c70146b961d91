//! What an update may do to a task's state.

use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes, claimed,
    common::{Answer, TestApp},
    conflict, done, event, last_event, read, register_flow, step,
};

async fn patch(app: &TestApp, id: &str, body: Value) -> Answer {
    app.patch(&format!("{TASKS}/{id}"), body).await
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_counts_as_a_change() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({"title": "old", "content": "kept"})).await;
    app.passes(60_000);
    let after = patch(&app, "a", json!({"title": "new", "scope": "s"})).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({"title": "new", "version": 2, "updated_at": "2026-11-21 20:59:58"})
    );
    assert_eq!(read(&app, "a").await, after);
    assert_eq!(
        last_event(&app, "a").await,
        event("edited", Value::Null, r#"{"fields":["title"]}"#)
    );
}

#[tokio::test]
async fn done_is_not_reached_by_an_update() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for id in ["a", "none"] {
        assert_eq!(
            patch(&app, id, json!({"queue": "done", "title": "t"})).await.error(400),
            "Cannot set queue to \"done\" via PATCH. Use POST /api/v1/tasks/:id/accept instead."
        );
    }
}

#[tokio::test]
async fn an_update_of_nothing_is_refused_also_for_an_unknown_task() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for id in ["a", "none"] {
        for body in [
            json!({}),
            json!([]),
            json!({"scope": "s", "reason": "r", "context": 1, "branch_name": "b"}),
            json!({"agent_name": "a", "orchestrator_id": "o", "review_round": 3}),
            json!({"id": "z", "file_path": "z", "needs_breakdown": true, "version": 1}),
        ] {
            let text = patch(&app, id, body.clone()).await.error(400);
            assert_eq!(text, "No fields to update", "{id}: {body}");
        }
    }
    assert_no_task(&patch(&app, "none", json!({"title": "t"})).await, "none");
}

#[tokio::test]
async fn fields_that_are_not_the_clients_stay_as_they_are() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    let body = json!({
        "id": "z", "file_path": "z.md", "scope": "other", "orchestrator_id": "box-9",
        "needs_breakdown": true, "review_round": 7, "created_at": "2020-01-01", "title": "t",
    });
    let after = patch(&app, "a", body).await.expect(200);
    assert_eq!(changes(&before, &after), json!({"title": "t", "version": 2}));
}

#[tokio::test]
async fn a_queue_may_follow_any_other_as_far_as_the_flow_has_it() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for queue in ["escalated", "claimed", "provisional", "failed", "incoming"] {
        assert_eq!(patch(&app, "a", json!({"queue": queue})).await.expect(200)["queue"], queue);
    }
    assert_eq!(
        last_event(&app, "a").await,
        event("edited", Value::Null, r#"{"fields":["queue"],"from":"failed","to":"incoming"}"#)
    );
    register_flow(&app).await;
    let answer = patch(&app, "a", json!({"queue": "escalated", "title": "t"})).await;
    assert_eq!(
        answer.error(400),
        "Invalid queue \"escalated\". Valid queues for flow \"default\": incoming, claimed, \
         provisional, done, failed, requires-intervention"
    );
    assert_eq!(read(&app, "a").await["title"], "a");
    patch(&app, "a", json!({"queue": "requires-intervention"})).await.expect(200);
    patch(&app, "a", json!({"flow": "unregistered"})).await.expect(200);
    patch(&app, "a", json!({"queue": "escalated"})).await.expect(200);
}

#[tokio::test]
async fn queue_and_branch_are_never_empty() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    for field in ["queue", "branch"] {
        for (value, text) in [(json!(null), "null"), (json!(""), "empty")] {
            let answer = patch(&app, "a", json!({field: value, "title": "t"})).await;
            assert_eq!(answer.error(400), format!("{field} must not be {text}"));
        }
    }
    assert_eq!(read(&app, "a").await, before);
}

#[tokio::test]
async fn failing_takes_the_task_from_its_agent_unless_the_body_says_otherwise() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let task = patch(&app, "a", json!({"queue": "failed"})).await.expect(200);
    assert_eq!((&task["claimed_by"], &task["lease_expires_at"]), (&Value::Null, &Value::Null));

    claimed(&app, "b").await;
    let body = json!({"queue": "failed", "claimed_by": "agent-9"});
    let task = patch(&app, "b", body).await.expect(200);
    assert_eq!((&task["claimed_by"], &task["lease_expires_at"]), (&json!("agent-9"), &Value::Null));

    claimed(&app, "c").await;
    let body = json!({"queue": "failed", "lease_expires_at": "2026-11-22T00:00:00Z"});
    let task = patch(&app, "c", body).await.expect(200);
    assert_eq!(task["claimed_by"], Value::Null);
    assert_eq!(task["lease_expires_at"], "2026-11-22T00:00:00.000Z");
}

#[tokio::test]
async fn other_queues_keep_the_claim() {
    let app = TestApp::new().await;
    let before = claimed(&app, "a").await;
    let after = patch(&app, "a", json!({"queue": "requires-intervention"})).await.expect(200);
    assert_eq!(changes(&before, &after), json!({"queue": "requires-intervention", "version": 3}));
}

#[tokio::test]
async fn the_clients_own_reaper_gets_what_it_asks_for() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let body = json!({
        "queue": "incoming", "claimed_by": null, "lease_expires_at": null, "attempt_count": 1,
        "needs_intervention": false, "scope": "s",
    });
    let task = patch(&app, "a", body).await.expect(200);
    assert_eq!((&task["queue"], &task["attempt_count"]), (&json!("incoming"), &json!(1)));
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "a");
}

#[tokio::test]
async fn a_version_that_is_named_must_be_the_present_one() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let answer = patch(&app, "a", json!({"title": "t", "version": 7})).await;
    let reason = conflict(&answer, "Failed to update task");
    assert_eq!(reason, "Version mismatch: expected 7, found 1");
    assert_eq!(answer.json()["code"], "version_conflict");
    assert_eq!(
        patch(&app, "a", json!({"title": "t", "version": 1})).await.expect(200)["version"],
        2
    );
}

#[tokio::test]
async fn a_reopened_task_is_completed_no_longer() {
    let app = TestApp::new().await;
    let before = done(&app, "a").await;
    let task = patch(&app, "a", json!({"queue": "incoming"})).await.expect(200);
    assert_eq!(task["completed_at"], Value::Null);
    assert_eq!(task["submitted_at"], before["submitted_at"]);
}

#[tokio::test]
async fn blockers_may_be_set_shortened_and_cleared() {
    let app = TestApp::new().await;
    done(&app, "finished").await;
    app.task("x", json!({})).await;
    app.task("a", json!({"blocked_by": "awaiting-approval"})).await;
    let body = json!({"blocked_by": "x, finished,x"});
    assert_eq!(patch(&app, "a", body).await.expect(200)["blocked_by"], "x");
    let answer = patch(&app, "a", json!({"blocked_by": "x,a"})).await;
    assert_eq!(answer.error(400), "A task cannot be blocked by itself");
    let body = json!({"queue": "done", "reason": "r"});
    step(&app, "x", "force-queue", body).await.expect(200);
    assert_eq!(read(&app, "a").await["blocked_by"], Value::Null);
    for empty in [json!(null), json!("")] {
        patch(&app, "a", json!({"blocked_by": "marker"})).await.expect(200);
        let task = patch(&app, "a", json!({"blocked_by": empty})).await.expect(200);
        assert_eq!(task["blocked_by"], Value::Null);
    }
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "a");
}

#[tokio::test]
async fn a_project_must_exist_for_the_tasks_scope() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for (id, scope) in [("mine", "s"), ("theirs", "other")] {
        let project = json!({"id": id, "title": "t", "branch": "feature", "scope": scope});
        app.post("/api/v1/projects", project).await.expect(201);
    }
    for id in ["none", "theirs"] {
        let answer = patch(&app, "a", json!({"project_id": id})).await;
        assert_eq!(answer.error(400), format!("Unknown project '{id}'"));
    }
    let task = patch(&app, "a", json!({"project_id": "mine"})).await.expect(200);
    // Only a new task takes over the project's branch.
    assert_eq!((&task["project_id"], &task["branch"]), (&json!("mine"), &json!("main")));
    let task = patch(&app, "a", json!({"project_id": null})).await.expect(200);
    assert_eq!(task["project_id"], Value::Null);
}

#[tokio::test]
async fn of_many_updates_at_once_none_is_lost() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let fields = ["title", "pr_url", "staging_url", "content", "plan_id", "execution_notes"];
    let updates: Vec<_> = fields
        .into_iter()
        .map(|field| {
            let app = app.clone();
            tokio::spawn(async move { (field, patch(&app, "a", json!({field: "new"})).await) })
        })
        .collect();
    let mut won = Vec::new();
    for update in updates {
        let (field, answer) = update.await.unwrap();
        if answer.status == 200 {
            won.push(field);
        } else {
            let text = answer.error(409);
            assert_eq!(text, "Failed to update task (race or wrong state)", "{field}");
        }
    }
    let task = read(&app, "a").await;
    assert!(!won.is_empty());
    assert_eq!(task["version"], 1 + won.len());
    for field in won {
        assert_eq!(task[field], "new", "{field}: {task}");
    }
}
