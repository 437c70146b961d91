//! What the holder of a key sees of the tasks of others: nothing.

use octopoid_api::AuthMode;
use serde_json::{Value, json};

use crate::common::{Answer, TestApp};

#[track_caller]
fn assert_no_task(answer: &Answer, what: &str) {
    let expected = json!({"error": "Task not found", "code": "task_not_found", "task_id": "a"});
    assert_eq!(answer.status, 404, "{what}: {}", answer.text);
    assert_eq!(answer.json(), expected, "{what}");
}

#[tokio::test]
async fn a_task_of_another_scope_does_not_exist() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.task("a", json!({"hooks": [{"name": "h"}]})).await;
    let token = app.claim(json!({})).await.expect(200)["lease_token"].clone();
    let before = app.get("/api/v1/tasks/a").await.expect(200);
    let stranger = app.holder("other").await;
    for (step, body) in [
        ("submit", json!({"commits_count": 1, "turns_used": 1})),
        ("accept", json!({"accepted_by": "me"})),
        ("reject", json!({"reason": "r", "rejected_by": "me"})),
        ("requeue", json!({})),
        ("force-queue", json!({"queue": "done", "reason": "r"})),
        ("hooks/h/complete", json!({"status": "passed"})),
        ("submit", json!({"commits_count": 1, "turns_used": 1, "lease_token": token})),
        ("fail", json!({"reason": "crash", "lease_token": token})),
        ("renew", json!({"lease_token": token})),
        ("cancel", json!({"by": "me", "reason": "r"})),
        ("retry", json!({"by": "me"})),
    ] {
        let answer = stranger.post(&format!("/api/v1/tasks/a/{step}"), body).await;
        assert_no_task(&answer, step);
    }
    assert_no_task(&stranger.get("/api/v1/tasks/a").await, "get");
    assert_no_task(&stranger.get("/api/v1/tasks/a/history").await, "history");
    assert_no_task(&stranger.patch("/api/v1/tasks/a", json!({"title": "t"})).await, "update");
    assert_no_task(&stranger.delete("/api/v1/tasks/a").await, "delete");
    assert_eq!(stranger.get("/api/v1/tasks").await.expect(200)["total"], 0);
    assert_eq!(app.get("/api/v1/tasks/a").await.expect(200), before);
    let history = app.get("/api/v1/tasks/a/history").await.expect(200);
    assert_eq!(history["events"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_order_that_is_wrong_in_itself_tells_nothing_about_a_task() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.task("a", json!({})).await;
    let stranger = app.holder("other").await;
    for (step, body) in [
        ("submit", json!({})),
        ("accept", json!({})),
        ("reject", json!({})),
        ("force-queue", json!({})),
        ("hooks/h/complete", json!({})),
    ] {
        let theirs = stranger.post(&format!("/api/v1/tasks/a/{step}"), body.clone()).await;
        let nobodys = stranger.post(&format!("/api/v1/tasks/b/{step}"), body).await;
        assert_eq!(theirs.status, nobodys.status, "{step}");
        assert_eq!(theirs.text.replace("\"a\"", ""), nobodys.text.replace("\"b\"", ""), "{step}");
    }
}

#[tokio::test]
async fn the_history_of_a_deleted_task_stays_its_scopes() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let holder = app.holder("s").await;
    app.task("a", json!({})).await;
    app.delete("/api/v1/tasks/a").await.expect(200);
    let stranger = app.holder("other").await;
    assert_no_task(&stranger.get("/api/v1/tasks/a/history").await, "history");
    holder.get("/api/v1/tasks/a/history").await.expect(200);
}

#[tokio::test]
async fn a_task_cannot_join_the_project_of_another_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let project = json!({"id": "p", "title": "t", "branch": "secret-branch", "scope": "s"});
    app.post("/api/v1/projects", project).await.expect(201);
    let stranger = app.holder("other").await;
    let new = json!({"id": "b", "file_path": "b.md", "branch": "main", "project_id": "p"});
    assert_eq!(stranger.post("/api/v1/tasks", new).await.error(400), "Unknown project 'p'");
    let new = json!({"id": "b", "file_path": "b.md", "branch": "main"});
    assert_eq!(stranger.post("/api/v1/tasks", new).await.expect(201)["branch"], "main");
    let answer = stranger.patch("/api/v1/tasks/b", json!({"project_id": "p"})).await;
    assert_eq!(answer.error(400), "Unknown project 'p'");
    assert_eq!(app.get("/api/v1/tasks/b").await.expect(200)["project_id"], Value::Null);
}

#[tokio::test]
async fn a_task_of_a_holder_cannot_join_a_project_of_no_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let project = json!({"id": "p", "title": "t", "branch": "shared"});
    app.post("/api/v1/projects", project).await.expect(201);
    let holder = app.holder("s").await;
    let new = json!({"id": "b", "file_path": "b.md", "branch": "main", "project_id": "p"});
    assert_eq!(holder.post("/api/v1/tasks", new).await.error(400), "Unknown project 'p'");
    let draft = json!({"title": "t", "author": "x"});
    let draft = holder.post("/api/v1/drafts", draft).await.expect(201)["id"].clone();
    let promote = json!({"to": "task", "id": "c", "file_path": "c.md", "branch": "main",
        "project_id": "p"});
    let answer = holder.post(&format!("/api/v1/drafts/{draft}/promote"), promote).await;
    assert_eq!(answer.error(400), "Unknown project 'p'");
    // Who may see the project may have tasks join it.
    assert_eq!(app.task("a", json!({"project_id": "p"})).await["branch"], "shared");
}

#[tokio::test]
async fn a_role_of_another_scope_does_not_exist() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let machine = json!({"cluster": "c", "machine_id": "m", "repo_url": "u", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let roles = json!({"orchestrator_id": "c-m", "roles": [{"name": "review"}]});
    app.post("/api/v1/roles/register", roles).await.expect(200);
    let stranger = app.holder("other").await;
    assert_eq!(stranger.get("/api/v1/roles/review").await.error(404), "Role not found");
    app.holder("s").await.get("/api/v1/roles/review").await.expect(200);
    // Without a key it is found from anywhere: clients register in one scope and ask in another.
    app.get("/api/v1/roles/review?scope=other").await.expect(200);
}
