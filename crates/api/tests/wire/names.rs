//! Ids and names, which may hold anything.

use serde_json::json;

use crate::common::TestApp;

/// Names, and how they are written in a path.
const NAMES: [(&str, &str); 9] = [
    ("a/b", "a%2Fb"),
    ("a b", "a%20b"),
    ("ümlaut-日本", "%C3%BCmlaut-%E6%97%A5%E6%9C%AC"),
    ("100%", "100%25"),
    ("a?b#c", "a%3Fb%23c"),
    // Only in a query does a plus sign stand for a space.
    ("a+b", "a+b"),
    ("a%2Fb", "a%252Fb"),
    ("...", "%2E%2E%2E"),
    ("claim", "claim"),
];

#[tokio::test]
async fn a_task_of_any_name_goes_through_its_whole_life() {
    let app = TestApp::new().await;
    for (id, encoded) in NAMES {
        let path = format!("/api/v1/tasks/{encoded}");
        app.task(id, json!({})).await;
        assert_eq!(app.get(&path).await.expect(200)["id"], id);
        assert_eq!(app.patch(&path, json!({"title": "t"})).await.expect(200)["title"], "t");
        assert_eq!(app.claim(json!({})).await.expect(200)["id"], id);
        let report = json!({"commits_count": 1, "turns_used": 1});
        app.post(&format!("{path}/submit"), report).await.expect(200);
        app.post(&format!("{path}/accept"), json!({"accepted_by": "h"})).await.expect(200);
        assert_eq!(app.get(&format!("{path}/history")).await.expect(200)["task_id"], id);
        app.delete(&path).await.expect(200);
        assert_eq!(app.get(&path).await.expect(404)["task_id"], id);
    }
}

#[tokio::test]
async fn names_in_a_query_are_decoded_once() {
    let app = TestApp::new().await;
    for (scope, query) in [
        ("a b", "a+b"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("ü&=", "%C3%BC%26%3D"),
        ("%zz", "%zz"),
        ("100%", "100%"),
        ("%41", "%2541"),
    ] {
        let id = format!("{scope} by {query}");
        app.task(&id, json!({"scope": scope})).await;
        let list = app.get(&format!("/api/v1/tasks?scope={query}&limit=1")).await.expect(200);
        assert_eq!(list["tasks"][0]["id"], id, "{query}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_decoded_is_refused_or_taken_as_it_stands() {
    let app = TestApp::new().await;
    let answer = app.get("/api/v1/tasks/%FF%FE").await;
    assert_eq!(answer.error(400), "The path is not valid UTF-8");
    app.task("%zz", json!({})).await;
    assert_eq!(app.get("/api/v1/tasks/%zz").await.expect(200)["id"], "%zz");
}

#[tokio::test]
async fn a_role_called_like_a_route_is_readable() {
    let app = TestApp::new().await;
    let machine = json!({"cluster": "c", "machine_id": "m", "repo_url": "u", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let roles = json!({"orchestrator_id": "c-m", "roles": [{"name": "register"}]});
    app.post("/api/v1/roles/register", roles).await.expect(200);
    assert_eq!(app.get("/api/v1/roles/register").await.expect(200)["name"], "register");
}

#[tokio::test]
async fn ids_differ_by_case_and_blanks() {
    let app = TestApp::new().await;
    for (id, encoded) in [("a", "a"), ("A", "A"), (" a", "%20a"), ("a ", "a%20")] {
        app.task(id, json!({"title": encoded})).await;
    }
    for encoded in ["a", "A", "%20a", "a%20"] {
        let task = app.get(&format!("/api/v1/tasks/{encoded}")).await.expect(200);
        assert_eq!(task["title"], encoded);
    }
}
