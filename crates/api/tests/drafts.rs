//! Creating, reading, changing, deleting and promoting drafts.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/drafts";

/// Creates a draft in scope `s`, with these fields besides the required ones.
async fn draft(app: &TestApp, fields: Value) -> Value {
    let mut body = json!({"title": "T", "author": "human", "scope": "s"});
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    app.post(PATH, body).await.expect(201)
}

async fn listed(app: &TestApp, query: &str) -> Vec<i64> {
    let list = app.get(&format!("{PATH}{query}")).await.expect(200);
    let drafts = list["drafts"].as_array().unwrap();
    drafts.iter().map(|draft| draft["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_draft_is_answered_in_the_contracts_shape() {
    let app = TestApp::new().await;
    let made = draft(&app, json!({"tags": ["a", "b"], "linked_task_id": 5, "domain": "dm"})).await;
    let expected = json!({
        "id": 1, "title": "T", "status": "idea", "author": "human", "domain": "dm",
        "file_path": null, "created_at": "2026-11-21T20:58:58.605Z",
        "updated_at": "2026-11-21T20:58:58.605Z", "linked_task_id": "5",
        "linked_project_id": null, "tags": "[\"a\",\"b\"]", "scope": "s",
    });
    assert_eq!(made, expected);
    assert_eq!(app.get("/api/v1/drafts/1").await.expect(200), expected);
    assert_eq!(draft(&app, json!({"tags": null, "scope": null})).await["tags"], Value::Null);
}

#[tokio::test]
async fn a_bad_new_draft_is_refused_in_words() {
    let app = TestApp::new().await;
    for body in [json!({}), json!("text"), json!({"title": "t", "author": 0})] {
        assert_eq!(app.post(PATH, body).await.error(400), "Missing required fields: title, author");
    }
    assert_eq!(app.raw("POST", PATH, "").await.error(400), "Invalid JSON body");
    let body = json!({"title": "t", "author": "a", "tags": "x"});
    let error = app.post(PATH, body).await.error(400);
    assert_eq!(error, "Invalid value for tags: expected an array");
}

#[tokio::test]
async fn an_id_that_is_no_integer_is_said_before_anything_else() {
    let app = TestApp::new().await;
    for id in ["abc", "1e3", "2abc", "1.0", "%20"] {
        let path = format!("{PATH}/{id}");
        for answer in [
            app.get(&path).await,
            app.raw("PATCH", &path, "{").await,
            app.delete(&path).await,
            app.raw("POST", &format!("{path}/promote"), "{").await,
        ] {
            assert_eq!(answer.error(400), "Draft ID must be an integer", "{id}");
        }
    }
    for id in ["7", "-1", "99999999999999999999"] {
        let error = app.get(&format!("{PATH}/{id}")).await.error(404);
        assert_eq!(error, format!("Draft {id} not found"));
    }
}

#[tokio::test]
async fn drafts_are_listed_newest_first_and_filtered() {
    let app = TestApp::new().await;
    draft(&app, json!({"status": "idea", "author": "x", "domain": "d"})).await;
    draft(&app, json!({"status": "review", "linked_task_id": "t"})).await;
    draft(&app, json!({"status": "archived", "scope": null, "linked_project_id": 9})).await;
    assert_eq!(listed(&app, "").await, [3, 2, 1]);
    assert_eq!(listed(&app, "?scope=s").await, [2, 1]);
    assert_eq!(listed(&app, "?status=idea").await, [1]);
    assert_eq!(listed(&app, "?status=idea,archived").await, [3, 1]);
    assert_eq!(listed(&app, "?author=x&domain=d").await, [1]);
    assert_eq!(listed(&app, "?linked_task_id=t").await, [2]);
    assert_eq!(listed(&app, "?linked_project_id=9").await, [3]);
    let page = app.get("/api/v1/drafts?limit=1&offset=1").await.expect(200);
    assert_eq!(page["drafts"][0]["id"], 2);
    let numbers = (&page["total"], &page["offset"], &page["limit"]);
    assert_eq!(numbers, (&json!(3), &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_patch_changes_what_it_mentions() {
    let app = TestApp::new().await;
    let path = "/api/v1/drafts/1";
    assert_eq!(app.patch(path, json!({})).await.error(404), "Draft 1 not found");
    draft(&app, json!({"tags": ["a"], "domain": "d"})).await;
    app.passes(1_000);
    let body = json!({"tags": null, "status": "complete", "linked_task_id": 7, "scope": "x"});
    let patched = app.patch(path, body).await.expect(200);
    assert_eq!(patched["tags"], Value::Null);
    assert_eq!(patched["status"], "complete");
    assert_eq!(patched["linked_task_id"], "7");
    assert_eq!((&patched["domain"], &patched["scope"]), (&json!("d"), &json!("s")));
    assert_eq!(patched["updated_at"], "2026-11-21T20:58:59.605Z");
    assert_eq!(app.get(path).await.expect(200), patched);
    assert_eq!(app.patch(path, json!({"scope": "s"})).await.error(400), "No fields to update");
    let error = app.patch(path, json!({"title": null})).await.error(400);
    assert_eq!(error, "title must not be null");
    let error = app.patch(path, json!({"author": ""})).await.error(400);
    assert_eq!(error, "author must not be empty");
    assert_eq!(app.raw("PATCH", path, "null").await.error(400), "Invalid JSON body");
}

#[tokio::test]
async fn a_deleted_drafts_number_is_not_used_again() {
    let app = TestApp::new().await;
    draft(&app, json!({})).await;
    let path = "/api/v1/drafts/1";
    assert_eq!(app.delete(path).await.expect(200), json!({"message": "Draft 1 deleted"}));
    assert_eq!(app.delete(path).await.error(404), "Draft 1 not found");
    assert_eq!(draft(&app, json!({})).await["id"], 2);
}

#[tokio::test]
async fn a_draft_becomes_a_task() {
    let app = TestApp::new().await;
    draft(&app, json!({"title": "Do it"})).await;
    let body = json!({"to": "task", "id": "t", "file_path": "t.md", "branch": "main"});
    let promoted = app.post("/api/v1/drafts/1/promote", body).await.expect(201);
    assert_eq!(promoted["project"], Value::Null);
    assert_eq!(promoted["task"], app.get("/api/v1/tasks/t").await.expect(200));
    assert_eq!(promoted["draft"], app.get("/api/v1/drafts/1").await.expect(200));
    assert_eq!(promoted["task"]["title"], "Do it");
    assert_eq!(promoted["task"]["content"], "Do it");
    assert_eq!(promoted["task"]["scope"], "s");
    assert_eq!(promoted["draft"]["linked_task_id"], "t");
    assert_eq!(promoted["draft"]["status"], "approved");
    let history = app.get("/api/v1/tasks/t/history").await.expect(200);
    assert_eq!(history["events"][0]["event"], "created");
    assert_eq!(history["events"][0]["details"], "promoted from draft 1");
}

#[tokio::test]
async fn a_draft_becomes_a_project() {
    let app = TestApp::new().await;
    draft(&app, json!({"title": "Do it", "scope": null})).await;
    let body = json!({"to": "project", "id": "p", "branch": "b", "title": "Another"});
    let promoted = app.post("/api/v1/drafts/1/promote", body).await.expect(201);
    assert_eq!(promoted["task"], Value::Null);
    assert_eq!(promoted["project"], app.get("/api/v1/projects/p").await.expect(200));
    assert_eq!(promoted["project"]["title"], "Another");
    assert_eq!(promoted["project"]["scope"], Value::Null);
    assert_eq!(promoted["draft"]["linked_project_id"], "p");
    assert_eq!(promoted["draft"]["status"], "approved");
}

#[tokio::test]
async fn a_refused_promotion_says_why_and_leaves_nothing_behind() {
    let app = TestApp::new().await;
    let made = draft(&app, json!({})).await;
    app.task("t", json!({})).await;
    let path = "/api/v1/drafts/1/promote";
    let task = |id: &str| json!({"to": "task", "id": id, "file_path": "n.md", "branch": "main"});
    for (body, status, error) in [
        (json!({}), 400, "Missing required field: to"),
        (json!({"to": "epic"}), 400, "to must be \"task\" or \"project\""),
        (json!({"to": "task"}), 400, "Missing required fields: id, file_path"),
        (
            json!({"to": "task", "id": "n", "file_path": "n"}),
            400,
            "Missing required field: branch. Caller must set branch explicitly.",
        ),
        (json!({"to": "project"}), 400, "Missing required fields: id, title, branch"),
        (
            json!({"to": "task", "queue": []}),
            400,
            "Invalid value for queue: \
            invalid type: sequence, expected text",
        ),
        (task("t"), 409, "Task t already exists"),
    ] {
        assert_eq!(app.post(path, body).await.error(status), error);
    }
    let mut foreign = task("n");
    foreign["scope"] = json!("x");
    assert_eq!(app.post(path, foreign).await.error(404), "Draft 1 not found");
    let missing = app.post("/api/v1/drafts/2/promote", task("n")).await;
    assert_eq!(missing.error(404), "Draft 2 not found");
    assert_eq!(app.raw("POST", path, "{").await.error(400), "Invalid JSON body");
    assert_eq!(app.get("/api/v1/drafts/1").await.expect(200), made);
    app.get("/api/v1/tasks/n").await.expect(404);
}

#[tokio::test]
async fn a_draft_is_promoted_once() {
    let app = TestApp::new().await;
    draft(&app, json!({})).await;
    let path = "/api/v1/drafts/1/promote";
    let project = |id: &str| json!({"to": "project", "id": id, "branch": "b"});
    app.post(path, project("p")).await.expect(201);
    let error = app.post(path, project("q")).await.error(409);
    assert_eq!(error, "Draft 1 is linked to project p already");
    app.get("/api/v1/projects/q").await.expect(404);
    // Whoever unlinks it may promote it again.
    app.patch("/api/v1/drafts/1", json!({"linked_project_id": null})).await.expect(200);
    app.post(path, project("q")).await.expect(201);
}

#[tokio::test]
async fn a_task_needs_a_scope_from_somewhere() {
    let app = TestApp::new().await;
    draft(&app, json!({"scope": null})).await;
    let path = "/api/v1/drafts/1/promote";
    let mut body = json!({"to": "task", "id": "t", "file_path": "t.md", "branch": "main"});
    let error = app.post(path, body.clone()).await.error(400);
    assert_eq!(error, "Missing required field: scope. All tasks must belong to a scope.");
    body["scope"] = json!("named");
    assert_eq!(app.post(path, body).await.expect(201)["task"]["scope"], "named");
}

#[tokio::test]
async fn the_holder_of_a_key_sees_only_its_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    draft(&app, json!({"scope": "x"})).await;
    let holder = app.holder("s").await;
    let made = holder.post(PATH, json!({"title": "t", "author": "a"})).await.expect(201);
    assert_eq!(made["scope"], "s");
    assert_eq!(listed(&holder, "").await, [2]);
    let path = "/api/v1/drafts/1";
    let promotion = json!({"to": "project", "id": "p", "branch": "b"});
    for answer in [
        holder.get(path).await,
        holder.patch(path, json!({"title": "taken over"})).await,
        holder.post("/api/v1/drafts/1/promote", promotion).await,
        holder.delete(path).await,
    ] {
        assert_eq!(answer.error(404), "Draft 1 not found");
    }
}
