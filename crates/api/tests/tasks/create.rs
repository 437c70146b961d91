use serde_json::{Value, json};

use crate::{TASKS, common::TestApp, done, event, events, read, register_flow, register_roles};

fn required() -> Value {
    json!({"id": "t-1", "file_path": "tasks/t-1.md", "branch": "main", "scope": "s"})
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = required();
    body[field] = value.into();
    body
}

/// All that the first server answered, and nothing else.
const FRESH: &str = r#"{
    "id": "t-1", "file_path": "tasks/t-1.md", "queue": "incoming", "priority": "P2",
    "complexity": null, "role": null, "branch": "main", "blocked_by": null, "claimed_by": null,
    "claimed_at": null, "commits_count": 0, "turns_used": null, "attempt_count": 0, "has_plan": 0,
    "plan_id": null, "project_id": null, "auto_accept": 0, "rejection_count": 0,
    "pr_number": null, "pr_url": null, "checks": null, "check_results": null, "needs_rebase": 0,
    "last_rebase_attempt_at": null, "staging_url": null, "submitted_at": null,
    "completed_at": null, "created_at": "2026-11-21 20:58:58",
    "updated_at": "2026-11-21 20:58:58", "orchestrator_id": null, "lease_expires_at": null,
    "version": 1, "needs_breakdown": 0, "review_round": 0, "execution_notes": null,
    "title": "t-1", "type": null, "hooks": null, "flow": "default", "flow_overrides": null,
    "scope": "s", "content": null, "needs_intervention": 0, "max_attempts": null,
    "failure_count": 0, "not_before": null, "cancel_requested_at": null, "run": 0, "usage": null,
    "traceparent": null
}"#;

fn fresh() -> Value {
    serde_json::from_str(FRESH).unwrap()
}

#[tokio::test]
async fn a_fresh_task_has_every_column_of_the_contract() {
    let app = TestApp::new().await;
    assert_eq!(app.post(TASKS, required()).await.expect(201), fresh());
    assert_eq!(read(&app, "t-1").await, fresh());
    assert_eq!(events(&app, "t-1").await, [event("created", Value::Null, Value::Null)]);
}

#[tokio::test]
async fn every_settable_field_is_stored() {
    let app = TestApp::new().await;
    let set = json!({
        "title": "T", "queue": "backlog", "priority": "P0", "complexity": "XL", "role": "fix",
        "type": "product", "blocked_by": "awaiting-approval", "flow": "custom",
        "content": "# Täsk\n", "hooks": "[]", "flow_overrides": "{\"a\":1}", "max_attempts": 5,
        "not_before": "2026-11-22T00:00:00.000Z",
    });
    let mut body = required();
    let mut expected = fresh();
    for (key, value) in set.as_object().unwrap() {
        body[key] = value.clone();
        expected[key] = value.clone();
    }
    body["auto_accept"] = true.into();
    expected["auto_accept"] = 1.into();
    assert_eq!(app.post(TASKS, body).await.expect(201), expected);
    assert_eq!(read(&app, "t-1").await, expected);
}

#[tokio::test]
async fn fields_that_creation_does_not_know_are_ignored() {
    let app = TestApp::new().await;
    let mut body = required();
    for (key, value) in json!({
        "version": 9, "checks": "[1]", "pr_number": 5, "needs_intervention": 1, "has_plan": 1,
        "claimed_by": "me", "lease_expires_at": "2030-01-01T00:00:00Z", "commits_count": 3,
        "execution_notes": "n", "metadata": {"a": 1}, "cluster": "c", "created_by": 5,
    })
    .as_object()
    .unwrap()
    {
        body[key] = value.clone();
    }
    assert_eq!(app.post(TASKS, body).await.expect(201), fresh());
}

#[tokio::test]
async fn json_fields_take_json_and_show_its_text() {
    let app = TestApp::new().await;
    let mut body = with("hooks", json!([{"name": "run_tests", "status": "pending"}]));
    body["flow_overrides"] = json!({});
    let task = app.post(TASKS, body).await.expect(201);
    assert_eq!(task["hooks"], r#"[{"name":"run_tests","status":"pending"}]"#);
    assert_eq!(task["flow_overrides"], "{}");
}

#[tokio::test]
async fn required_fields_are_asked_for_in_order() {
    let app = TestApp::new().await;
    let ids = "Missing required fields: id, file_path";
    let branch = "Missing required field: branch. Caller must set branch explicitly.";
    let scope = "Missing required field: scope. All tasks must belong to a scope.";
    assert_eq!(app.post(TASKS, json!({})).await.error(400), ids);
    assert_eq!(app.post(TASKS, json!({"id": "a", "file_path": "f"})).await.error(400), branch);
    for (field, text) in [("id", ids), ("file_path", ids), ("branch", branch), ("scope", scope)] {
        for falsy in [json!(null), json!(""), json!(0), json!(false)] {
            let answer = app.post(TASKS, with(field, falsy.clone())).await;
            assert_eq!(answer.error(400), text, "{field}: {falsy}");
            assert_eq!(answer.json()["code"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn falsy_values_of_optional_fields_mean_the_default() {
    let app = TestApp::new().await;
    let mut body = required();
    for field in ["title", "queue", "priority", "role", "type", "flow", "content", "hooks"] {
        body[field] = "".into();
    }
    body["auto_accept"] = Value::Null;
    body["blocked_by"] = Value::Null;
    assert_eq!(app.post(TASKS, body).await.expect(201), fresh());
}

#[tokio::test]
async fn a_number_as_id_becomes_its_decimal_text() {
    let app = TestApp::new().await;
    assert_eq!(app.post(TASKS, with("id", 12345)).await.expect(201)["id"], "12345");
    assert_eq!(read(&app, "12345").await["title"], "12345");
}

#[tokio::test]
async fn an_id_is_taken_for_every_scope() {
    let app = TestApp::new().await;
    app.post(TASKS, required()).await.expect(201);
    for scope in ["s", "other"] {
        let mut body = with("scope", scope);
        body["file_path"] = "another.md".into();
        assert_eq!(
            app.post(TASKS, body).await.expect(409),
            json!({"error": "Task t-1 already exists", "code": "already_exists"})
        );
    }
}

#[tokio::test]
async fn a_file_path_is_taken_for_its_own_scope_only() {
    let app = TestApp::new().await;
    app.post(TASKS, required()).await.expect(201);
    let answer = app.post(TASKS, with("id", "t-2")).await;
    assert_eq!(
        answer.error(409),
        "A task with file_path tasks/t-1.md already exists in this scope"
    );
    let mut body = with("id", "t-2");
    body["scope"] = "other".into();
    app.post(TASKS, body).await.expect(201);
}

#[tokio::test]
async fn a_task_cannot_be_called_like_the_marker_of_questions() {
    let app = TestApp::new().await;
    let answer = app.post(TASKS, with("id", "awaiting-input")).await;
    assert_eq!(
        answer.error(400),
        "id must not be \"awaiting-input\": blocked_by has this name for tasks that wait for a \
         person's answer"
    );
    assert_eq!(answer.json()["code"], "invalid_request");
}

#[tokio::test]
async fn a_role_must_be_registered_only_where_roles_are() {
    let app = TestApp::new().await;
    register_roles(&app, "other", &[("review", "incoming")]).await;
    app.post(TASKS, with("role", "anything")).await.expect(201);

    register_roles(&app, "s", &[("review", "provisional"), ("implement", "incoming")]).await;
    let mut body = with("role", "cook");
    body["id"] = "t-2".into();
    body["file_path"] = "t-2.md".into();
    let answer = app.post(TASKS, body.clone()).await;
    assert_eq!(answer.error(400), "Unknown role 'cook'. Registered roles: implement, review");
    assert_eq!(answer.json()["code"], "unknown_role");
    body["role"] = "review".into();
    assert_eq!(app.post(TASKS, body).await.expect(201)["role"], "review");
}

#[tokio::test]
async fn a_queue_must_be_one_of_the_flows_if_the_flow_is_registered() {
    let app = TestApp::new().await;
    register_flow(&app).await;
    let answer = app.post(TASKS, with("queue", "backlog")).await;
    assert_eq!(
        answer.error(400),
        "Invalid queue \"backlog\". Valid queues for flow \"default\": incoming, claimed, \
         provisional, done, failed, requires-intervention"
    );
    assert_eq!(answer.json()["code"], "invalid_queue");

    let mut body = with("queue", "backlog");
    body["flow"] = "unregistered".into();
    assert_eq!(app.post(TASKS, body).await.expect(201)["queue"], "backlog");
}

#[tokio::test]
async fn a_task_may_begin_in_any_queue() {
    let app = TestApp::new().await;
    for queue in ["provisional", "claimed", "done", "failed", "requires-intervention"] {
        let task = app.task(queue, json!({"queue": queue})).await;
        assert_eq!(task["queue"], queue);
        assert_eq!(task["completed_at"], Value::Null);
    }
}

#[tokio::test]
async fn a_project_must_exist_for_the_tasks_scope_and_lends_its_branch() {
    let app = TestApp::new().await;
    let unknown = app.post(TASKS, with("project_id", "p")).await;
    assert_eq!(unknown.error(400), "Unknown project 'p'");

    for (id, scope) in [("mine", json!("s")), ("theirs", json!("other")), ("shared", json!(null))] {
        let project = json!({"id": id, "title": "t", "branch": "feature", "scope": scope});
        app.post("/api/v1/projects", project).await.expect(201);
    }
    let theirs = app.post(TASKS, with("project_id", "theirs")).await;
    assert_eq!(theirs.error(400), "Unknown project 'theirs'");
    for id in ["mine", "shared"] {
        let task = app.task(id, json!({"project_id": id})).await;
        assert_eq!((&task["project_id"], &task["branch"]), (&json!(id), &json!("feature")));
    }
    let missing = app.post(TASKS, json!({"id": "a", "file_path": "f", "project_id": "mine"})).await;
    assert_eq!(
        missing.error(400),
        "Missing required field: branch. Caller must set branch explicitly."
    );
}

#[tokio::test]
async fn a_blocker_that_is_done_already_is_dropped_and_a_marker_is_kept() {
    let app = TestApp::new().await;
    done(&app, "a").await;
    app.task("b", json!({})).await;
    let task = app.task("c", json!({"blocked_by": "a"})).await;
    assert_eq!(task["blocked_by"], Value::Null);
    let task = app.task("d", json!({"blocked_by": " b, a ,awaiting-approval,b"})).await;
    assert_eq!(task["blocked_by"], "b,awaiting-approval");
    assert_eq!(read(&app, "d").await["blocked_by"], "b,awaiting-approval");
}

#[tokio::test]
async fn a_task_cannot_wait_for_itself() {
    let app = TestApp::new().await;
    for blockers in ["t-1", "x, t-1"] {
        let answer = app.post(TASKS, with("blocked_by", blockers)).await;
        assert_eq!(answer.error(400), "A task cannot be blocked by itself");
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named_and_nothing_is_created() {
    let app = TestApp::new().await;
    for (field, value) in [
        ("title", json!({"a": 1})),
        ("title", json!([1, 2])),
        ("title", json!(true)),
        ("queue", json!(5)),
        ("content", json!([])),
        ("id", json!(5.5)),
        ("hooks", json!(7)),
        ("auto_accept", json!("yes")),
        ("role", json!("a\u{1f}b")),
    ] {
        let text = app.post(TASKS, with(field, value.clone())).await.error(400);
        assert!(text.contains(field), "{field} = {value}: {text}");
    }
    assert_eq!(app.get("/api/v1/tasks?scope=s").await.expect(200)["total"], 0);
}
