use serde_json::json;

use crate::{TASKS, common::TestApp, read};

#[tokio::test]
async fn tasks_that_would_wait_for_each_other_are_refused_with_the_way_round() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    app.task("d", json!({"blocked_by": "c"})).await;
    let before = read(&app, "a").await;
    let answer = app.patch("/api/v1/tasks/a", json!({"blocked_by": "b"})).await;
    assert_eq!(
        answer.expect(409),
        json!({
            "error": "blocked_by must not make tasks wait for each other: a -> b -> a",
            "code": "dependency_cycle",
            "details": ["a", "b", "a"],
        })
    );
    assert_eq!(read(&app, "a").await, before);
    let body = json!({"id": "c", "file_path": "c", "branch": "b", "scope": "s", "blocked_by": "d"});
    let refused = app.post(TASKS, body).await.expect(409);
    assert_eq!(refused["details"], json!(["c", "d", "c"]));
    app.get("/api/v1/tasks/c").await.expect(404);
}

#[tokio::test]
async fn a_draft_becomes_no_task_that_would_wait_for_itself() {
    let app = TestApp::new().await;
    app.task("b", json!({"blocked_by": "a"})).await;
    let draft = json!({"title": "t", "author": "a", "scope": "s"});
    let draft = app.post("/api/v1/drafts", draft).await.expect(201)["id"].clone();
    let path = format!("/api/v1/drafts/{draft}/promote");
    let mut body =
        json!({"to": "task", "id": "a", "file_path": "a", "branch": "b", "blocked_by": "b"});
    let refused = app.post(&path, body.clone()).await.expect(409);
    assert_eq!(refused["code"], "dependency_cycle");
    body["blocked_by"] = json!("x");
    app.post(&path, body).await.expect(201);
}
