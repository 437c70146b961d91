//! Creating, reading, changing and deleting projects, and listing their tasks.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/projects";

/// Creates a project in scope `s`, with these fields besides the required ones.
async fn project(app: &TestApp, id: &str, fields: Value) -> Value {
    let mut body = json!({"id": id, "title": "t", "branch": "b", "scope": "s"});
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    app.post(PATH, body).await.expect(201)
}

fn ids(list: &Value, plural: &str) -> Vec<String> {
    let items = list[plural].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_project_is_answered_in_the_contracts_shape() {
    let app = TestApp::new().await;
    let made = project(&app, "PROJ-1", json!({"auto_accept": "false", "scope": ""})).await;
    let expected = json!({
        "id": "PROJ-1", "title": "t", "description": null, "status": "draft", "branch": "b",
        "base_branch": "main", "auto_accept": false, "created_at": "2026-11-21T20:58:58.605Z",
        "created_by": null, "completed_at": null, "scope": null, "pr_url": null,
        "pr_number": null, "flow": null,
    });
    assert_eq!(made, expected);
    assert_eq!(app.get("/api/v1/projects/PROJ-1").await.expect(200), expected);
}

#[tokio::test]
async fn a_bad_new_project_is_refused_in_words() {
    let app = TestApp::new().await;
    for body in [json!({}), json!([]), json!({"id": "p", "title": "", "branch": "b"})] {
        let error = app.post(PATH, body).await.error(400);
        assert_eq!(error, "Missing required fields: id, title, branch");
    }
    assert_eq!(app.raw("POST", PATH, "{").await.error(400), "Invalid JSON body");
    assert_eq!(app.raw("POST", PATH, "null").await.error(400), "Invalid JSON body");
    let body = json!({"id": "p", "title": {}, "branch": "b"});
    assert!(app.post(PATH, body).await.error(400).starts_with("Invalid value for title"));
    let body = json!({"id": "p", "title": "t", "branch": "b", "auto_accept": "yes"});
    assert!(app.post(PATH, body).await.error(400).starts_with("Invalid value for auto_accept"));
    project(&app, "p", json!({})).await;
    let again = app.post(PATH, json!({"id": "p", "title": "t", "branch": "b"})).await;
    assert_eq!(again.error(409), "Project p already exists");
}

#[tokio::test]
async fn projects_of_all_scopes_are_listed_unless_one_is_named() {
    let app = TestApp::new().await;
    for (id, scope) in [("a", "s"), ("b", "x"), ("c", "s")] {
        project(&app, id, json!({"scope": scope, "status": id, "created_by": scope})).await;
    }
    let all = app.get(PATH).await.expect(200);
    assert_eq!(ids(&all, "projects"), ["c", "b", "a"]);
    assert_eq!((&all["total"], &all["offset"], &all["limit"]), (&json!(3), &json!(0), &json!(50)));
    let own = app.get("/api/v1/projects?scope=s&limit=1&offset=1").await.expect(200);
    assert_eq!(ids(&own, "projects"), ["a"]);
    assert_eq!((&own["total"], &own["offset"], &own["limit"]), (&json!(2), &json!(1), &json!(1)));
    let active = app.get("/api/v1/projects?status=b").await.expect(200);
    assert_eq!(ids(&active, "projects"), ["b"]);
    let created = app.get("/api/v1/projects?created_by=x").await.expect(200);
    assert_eq!(ids(&created, "projects"), ["b"]);
    let most = app.get("/api/v1/projects?limit=100000&offset=-3").await.expect(200);
    assert_eq!((&most["limit"], &most["offset"]), (&json!(500), &json!(0)));
}

#[tokio::test]
async fn a_project_of_another_scope_is_not_found() {
    let app = TestApp::new().await;
    project(&app, "p", json!({})).await;
    app.get("/api/v1/projects/p?scope=s").await.expect(200);
    let error = app.get("/api/v1/projects/p?scope=x").await.error(404);
    assert_eq!(error, "Project p not found");
    assert_eq!(app.get("/api/v1/projects/q").await.error(404), "Project q not found");
}

#[tokio::test]
async fn what_a_client_patches_is_stored_and_shown() {
    let app = TestApp::new().await;
    project(&app, "p", json!({})).await;
    let body = json!({"pr_url": "u", "pr_number": 7, "flow": "f", "scope": "ignored"});
    let patched = app.patch("/api/v1/projects/p", body).await.expect(200);
    assert_eq!(patched["pr_url"], "u");
    assert_eq!(patched["pr_number"], 7);
    assert_eq!(patched["flow"], "f");
    assert_eq!(patched["scope"], "s");
    let body = json!({"description": "d", "auto_accept": 1, "base_branch": null});
    let patched = app.patch("/api/v1/projects/p", body).await.expect(200);
    assert_eq!(patched["auto_accept"], true);
    assert_eq!(patched["base_branch"], Value::Null);
    assert_eq!(app.get("/api/v1/projects/p").await.expect(200), patched);
}

#[tokio::test]
async fn completing_a_project_notes_the_time() {
    let app = TestApp::new().await;
    project(&app, "p", json!({})).await;
    app.passes(1_000);
    let path = "/api/v1/projects/p";
    let done = app.patch(path, json!({"status": "completed"})).await.expect(200);
    assert_eq!(done["completed_at"], "2026-11-21T20:58:59.605Z");
    let body = json!({"completed_at": "2026-01-01T00:00:00.123456+00:00"});
    let named = app.patch(path, body).await.expect(200);
    assert_eq!(named["completed_at"], "2026-01-01T00:00:00.123Z");
    let error = app.patch(path, json!({"completed_at": "soon"})).await.error(400);
    assert!(error.starts_with("Invalid value for completed_at"), "{error}");
}

#[tokio::test]
async fn a_bad_patch_is_refused_after_looking_for_the_project() {
    let app = TestApp::new().await;
    let path = "/api/v1/projects/p";
    assert_eq!(app.patch(path, json!({})).await.error(404), "Project p not found");
    assert_eq!(app.patch(path, json!({"flow": "f"})).await.error(404), "Project p not found");
    project(&app, "p", json!({})).await;
    assert_eq!(app.patch(path, json!({"scope": "x"})).await.error(400), "No fields to update");
    let null = app.patch(path, json!({"title": null})).await;
    assert_eq!(null.error(400), "title must not be null");
    let empty = app.patch(path, json!({"status": ""})).await;
    assert_eq!(empty.error(400), "status must not be empty");
    assert_eq!(app.raw("PATCH", path, "").await.error(400), "Invalid JSON body");
}

#[tokio::test]
async fn a_projects_tasks_come_by_urgency_then_newest_first() {
    let app = TestApp::new().await;
    let path = "/api/v1/projects/p/tasks";
    assert_eq!(app.get(path).await.error(404), "Project p not found");
    project(&app, "p", json!({"scope": null})).await;
    for (id, priority, scope) in [("a", "P2", "s"), ("b", "P0", "s"), ("c", "P2", "x")] {
        app.task(id, json!({"project_id": "p", "priority": priority, "scope": scope})).await;
    }
    let all = app.get(path).await.expect(200);
    assert_eq!(ids(&all, "tasks"), ["b", "c", "a"]);
    assert_eq!((&all["project_id"], &all["total"]), (&json!("p"), &json!(3)));
    assert_eq!(all["tasks"][0]["branch"], "b");
    let own = app.get("/api/v1/projects/p/tasks?scope=x").await.expect(200);
    assert_eq!(ids(&own, "tasks"), ["c"]);
    let none = app.get("/api/v1/projects/p/tasks?scope=none").await.expect(200);
    assert_eq!(none, json!({"project_id": "p", "tasks": [], "total": 0, "next_cursor": null}));
}

#[tokio::test]
async fn a_project_is_deleted_once_it_has_no_tasks() {
    let app = TestApp::new().await;
    let path = "/api/v1/projects/p";
    project(&app, "p", json!({})).await;
    app.task("t", json!({"project_id": "p"})).await;
    let refused = app.delete(path).await.expect(409);
    assert_eq!(refused["error"], "Cannot delete project p: has 1 tasks");
    assert_eq!(refused["hint"], "Delete or unlink tasks first");
    app.patch("/api/v1/tasks/t", json!({"project_id": null})).await.expect(200);
    assert_eq!(app.delete(path).await.expect(200), json!({"message": "Project p deleted"}));
    assert_eq!(app.delete(path).await.error(404), "Project p not found");
}

#[tokio::test]
async fn the_holder_of_a_key_sees_only_its_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    project(&app, "p", json!({"scope": "x"})).await;
    let holder = app.holder("s").await;
    let made = holder.post(PATH, json!({"id": "q", "title": "t", "branch": "b"})).await.expect(201);
    assert_eq!(made["scope"], "s");
    assert_eq!(ids(&holder.get(PATH).await.expect(200), "projects"), ["q"]);
    let path = "/api/v1/projects/p";
    for answer in [
        holder.get(path).await,
        holder.get("/api/v1/projects/p/tasks").await,
        holder.patch(path, json!({"title": "taken over"})).await,
        holder.delete(path).await,
    ] {
        assert_eq!(answer.error(404), "Project p not found");
    }
    let error = holder.get("/api/v1/projects?scope=x").await.error(403);
    assert_eq!(error, "Scope mismatch: authenticated as \"s\" but requested \"x\"");
}
