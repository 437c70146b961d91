use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes,
    common::{Answer, TestApp},
    event, events, last_event,
};

async fn report(app: &TestApp, id: &str, hook: &str, body: Value) -> Answer {
    app.post(&format!("{TASKS}/{id}/hooks/{hook}/complete"), body).await
}

async fn task_with_hooks(app: &TestApp) -> Value {
    let hooks = json!([
        {"name": "lint", "status": "pending"},
        {"name": "run_tests", "point": "before_submit", "status": "pending"},
        {"name": "run_tests", "status": "pending"},
        "no hook",
    ]);
    app.task("a", json!({"hooks": hooks})).await
}

#[tokio::test]
async fn a_report_changes_the_first_hook_of_the_name_and_nothing_else() {
    let app = TestApp::new().await;
    let before = task_with_hooks(&app).await;
    app.passes(60_000);
    let body = json!({"status": "passed", "evidence": {"log": "ok"}, "scope": "s"});
    let after = report(&app, "a", "run_tests", body).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "hooks": "[{\"name\":\"lint\",\"status\":\"pending\"},\
                      {\"name\":\"run_tests\",\"point\":\"before_submit\",\"status\":\"passed\",\
                      \"evidence\":{\"log\":\"ok\"}},\
                      {\"name\":\"run_tests\",\"status\":\"pending\"},\"no hook\"]",
            "version": 2, "updated_at": "2026-11-21 20:59:58",
        })
    );
    let details = r#"{"hook":"run_tests","status":"passed"}"#;
    assert_eq!(last_event(&app, "a").await, event("hook_completed", Value::Null, details));
}

#[tokio::test]
async fn evidence_that_is_left_out_leaves_the_old_in_place() {
    let app = TestApp::new().await;
    task_with_hooks(&app).await;
    report(&app, "a", "lint", json!({"status": "failed", "evidence": "log"})).await.expect(200);
    let body = json!({"status": "passed", "evidence": null});
    let task = report(&app, "a", "lint", body).await.expect(200);
    let hooks: Value = serde_json::from_str(task["hooks"].as_str().unwrap()).unwrap();
    assert_eq!(hooks[0], json!({"name": "lint", "status": "passed", "evidence": "log"}));
}

#[tokio::test]
async fn the_status_is_looked_at_before_the_task() {
    let app = TestApp::new().await;
    for status in [json!(null), json!(""), json!("Passed"), json!("pending"), json!(0)] {
        let answer = report(&app, "none", "lint", json!({"status": status})).await;
        assert_eq!(answer.error(400), "status must be \"passed\" or \"failed\"", "{status}");
    }
    assert_no_task(&report(&app, "none", "lint", json!({"status": "failed"})).await, "none");
}

#[tokio::test]
async fn a_hook_that_the_task_does_not_have_is_a_404() {
    let app = TestApp::new().await;
    task_with_hooks(&app).await;
    app.task("bare", json!({})).await;
    for id in ["a", "bare"] {
        let answer = report(&app, id, "deploy", json!({"status": "passed"})).await;
        assert_eq!(answer.error(404), "Hook 'deploy' not found on task");
    }
    assert_eq!(events(&app, "a").await.len(), 1);
}

#[tokio::test]
async fn hooks_that_are_no_list_are_not_touched() {
    let app = TestApp::new().await;
    for (id, hooks) in [("text", json!("not json")), ("object", json!({"name": "lint"}))] {
        app.task(id, json!({"hooks": hooks})).await;
        let answer = report(&app, id, "lint", json!({"status": "passed"})).await;
        assert_eq!(answer.error(400), "Invalid hooks data on task");
    }
}

#[tokio::test]
async fn names_of_tasks_and_hooks_may_be_encoded() {
    let app = TestApp::new().await;
    app.task("a/b", json!({"hooks": [{"name": "läuft / gut"}]})).await;
    let body = json!({"status": "passed"});
    let task = report(&app, "a%2Fb", "l%C3%A4uft%20%2F%20gut", body).await.expect(200);
    assert_eq!(task["hooks"], r#"[{"name":"läuft / gut","status":"passed"}]"#);
}
