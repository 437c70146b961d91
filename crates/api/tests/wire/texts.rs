//! Text as programs really send it: cut in the middle of a character, with NULs, behind a byte order
//! mark, compressed.

use axum::http::Request;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

use crate::{
    common::{ADMIN, TestApp},
    values,
};

/// A text that was cut behind half of a surrogate pair, and that has a NUL; as it is read.
const SENT: &str = r"cut \u0000 \ud83d";
const READ: &str = "cut \u{fffd} \u{fffd}";

async fn app() -> TestApp {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app
}

/// Sends a body in which `@` stands for such a text.
async fn send(app: &TestApp, method: &str, path: &str, body: &str) -> Value {
    let answer = app.raw(method, path, body.replace('@', SENT)).await;
    assert!(answer.status.is_success(), "{method} {path}: {}", answer.json());
    answer.json()
}

#[tokio::test]
async fn an_agent_hands_in_text_that_was_cut_and_has_a_nul() {
    let app = app().await;
    let body = r#"{"id":"b","file_path":"b.md","branch":"main","scope":"s","title":"@",
        "content":"@","hooks":"[{\"name\":\"h\",\"x\":\"\\ud83d\"}]"}"#;
    let task = send(&app, "POST", "/api/v1/tasks", body).await;
    assert_eq!((&task["title"], &task["content"]), (&json!(READ), &json!(READ)));
    assert_eq!(task["hooks"], r#"[{"name":"h","x":"\ufffd"}]"#);
    let claim = json!({"orchestrator_id": "m", "agent_name": "g", "scope": "s"});
    for _ in 0..2 {
        app.post("/api/v1/tasks/claim", claim.clone()).await.expect(200);
    }
    let hook = r#"{"status":"passed","evidence":{"log":"@"}}"#;
    let task = send(&app, "POST", "/api/v1/tasks/b/hooks/h/complete", hook).await;
    let hooks: Value = serde_json::from_str(task["hooks"].as_str().unwrap()).unwrap();
    assert_eq!(hooks[0]["evidence"]["log"], "cut \u{0} \u{fffd}");
    let submit = r#"{"commits_count":1,"turns_used":2,"execution_notes":"@",
        "check_results":["\ud83d","\u0000"]}"#;
    let task = send(&app, "POST", "/api/v1/tasks/b/submit", submit).await;
    assert_eq!(task["execution_notes"], READ);
    assert_eq!(task["check_results"], "[\"\u{fffd}\",\"\\u0000\"]");
    send(&app, "POST", "/api/v1/tasks/b/reject", r#"{"reason":"@","rejected_by":"r"}"#).await;
    send(&app, "POST", "/api/v1/tasks/b/force-queue", r#"{"queue":"claimed","reason":"@"}"#).await;
    send(&app, "POST", "/api/v1/tasks/b/requeue", r#"{"reason":"@"}"#).await;
    let history = app.get("/api/v1/tasks/b/history").await.expect(200);
    let told = |event: &str| {
        let events = history["events"].as_array().unwrap();
        let found = events.iter().find(|told| told["event"] == event).unwrap();
        found["details"].as_str().unwrap().to_owned()
    };
    assert!(told("rejected").contains(READ), "{history}");
    assert!(told("requeued").contains(READ), "{history}");
}

#[tokio::test]
async fn every_other_noun_takes_such_text_too() {
    let app = app().await;
    let message = r#"{"task_id":"a","from_actor":"f","type":"y","content":"@","scope":"s"}"#;
    assert_eq!(send(&app, "POST", "/api/v1/messages", message).await["content"], READ);
    let draft = r#"{"title":"@","author":"a","scope":"s","tags":["\ud83d"]}"#;
    let draft = send(&app, "POST", "/api/v1/drafts", draft).await;
    assert_eq!((&draft["title"], &draft["tags"]), (&json!(READ), &json!("[\"\u{fffd}\"]")));
    let project = r#"{"id":"p","title":"@","branch":"b","description":"@"}"#;
    assert_eq!(send(&app, "POST", "/api/v1/projects", project).await["description"], READ);
    let project = send(&app, "PATCH", "/api/v1/projects/p", r#"{"description":"@"}"#).await;
    assert_eq!(project["description"], READ);
    let action = r#"{"entity_type":"t","entity_id":"e","label":"@","proposed_by":"p","scope":"s",
        "description":"@","metadata":"@","action_data":{"\ud83d":"\u0000"}}"#;
    let action = send(&app, "POST", "/api/v1/actions", action).await;
    assert_eq!((&action["label"], &action["description"]), (&json!(READ), &json!(READ)));
    assert_eq!(action["action_data"], "{\"\u{fffd}\":\"\\u0000\"}");
    let path = format!("/api/v1/actions/{}/complete", action["id"].as_str().unwrap());
    assert_eq!(send(&app, "POST", &path, r#"{"result":"@"}"#).await["result"], READ);
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let roles = r#"{"orchestrator_id":"c-m","roles":[{"name":"r","description":"@"}]}"#;
    let roles = send(&app, "POST", "/api/v1/roles/register", roles).await;
    assert_eq!(roles["roles"][0]["description"], READ);
    let flow = r#"{"scope":"s","states":["incoming","claimed","done","failed"],"transitions":[],
        "description":"@","child_flow":{"a":"\ud83d"}}"#;
    let flow = send(&app, "PUT", "/api/v1/flows/f", flow).await;
    assert_eq!(
        (&flow["description"], &flow["child_flow"]["a"]),
        (&json!(READ), &json!("\u{fffd}"))
    );
}

#[tokio::test]
async fn half_a_surrogate_pair_is_read_in_names_as_well() {
    let app = app().await;
    let body = r#"{"id":"\ud83d","file_path":"x","branch":"b","scope":"s","\ude00":1}"#;
    assert_eq!(app.raw("POST", "/api/v1/tasks", body).await.expect(201)["id"], "\u{fffd}");
    app.get("/api/v1/tasks/%EF%BF%BD").await.expect(200);
}

#[tokio::test]
async fn a_key_does_not_make_a_body_harder_to_read() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.task("a", json!({})).await;
    let holder = app.holder("s").await;
    let body = "\u{feff}{\"title\":\"\\ud83d\"}";
    assert_eq!(holder.raw("PATCH", "/api/v1/tasks/a", body).await.expect(200)["title"], "\u{fffd}");
    let other = r#"{"scope":"other","title":"\ud83d"}"#;
    holder.raw("PATCH", "/api/v1/tasks/a", other).await.expect(403);
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over() {
    let app = app().await;
    for body in ["\u{feff}{\"title\":\"t\"}", "\u{feff} \n{\"title\":\"t\"}"] {
        assert_eq!(app.raw("PATCH", "/api/v1/tasks/a", body).await.expect(200)["title"], "t");
    }
    app.claim(json!({})).await.expect(200);
    let answer = app.raw("POST", "/api/v1/tasks/a/requeue", "\u{feff}{\"version\":7}").await;
    assert_eq!(answer.expect(409)["code"], "version_conflict", "an optional body is read too");
}

/// Operations that read a body, two of which may be left out.
const READERS: [(&str, &str); 8] = [
    ("POST", "/api/v1/tasks"),
    ("POST", "/api/v1/tasks/claim"),
    ("PATCH", "/api/v1/tasks/a"),
    ("POST", "/api/v1/tasks/a/requeue"),
    ("POST", "/api/v1/actions/x/complete"),
    ("POST", "/api/v1/drafts/1/promote"),
    ("PUT", "/api/v1/flows/f"),
    ("POST", "/api/v1/admin/keys"),
];

#[tokio::test]
async fn a_body_that_is_compressed_is_refused_and_the_answer_says_so() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.task("a", json!({})).await;
    let holder = app.holder("s").await;
    let admin = app.holding(ADMIN);
    let before = app.get("/api/v1/tasks/a").await.expect(200);
    for (method, path) in READERS {
        for (encoding, named) in [
            ("gzip", "gzip"),
            ("identity, BR", "BR"),
            ("x-wörd", "x-wörd"),
            ("deflate,gzip", "deflate"),
        ] {
            let callers = if path.contains("admin") { [&admin, &admin] } else { [&admin, &holder] };
            for caller in callers {
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header("content-encoding", encoding.as_bytes())
                    .body("\u{1f}8 no JSON".into())
                    .unwrap();
                let answer = caller.send(request).await;
                let expected = format!(
                    "Content-Encoding \"{named}\" is not supported: send the body as it is"
                );
                assert_eq!(
                    answer.expect(415),
                    json!({"error": expected, "code": "unsupported_encoding"}),
                    "{method} {path}"
                );
                assert_eq!(values(&answer, "accept-encoding"), ["identity"]);
            }
        }
    }
    assert_eq!(app.get("/api/v1/tasks/a").await.expect(200), before);
}

#[tokio::test]
async fn an_encoding_that_changes_nothing_is_taken() {
    let app = app().await;
    for encoding in ["identity", "Identity", "", " identity , "] {
        let request = Request::builder()
            .method("PATCH")
            .uri("/api/v1/tasks/a")
            .header("content-encoding", encoding)
            .body(json!({"title": "t"}).to_string().into())
            .unwrap();
        app.send(request).await.expect(200);
    }
}

#[tokio::test]
async fn ids_that_no_url_reaches_are_refused() {
    let app = app().await;
    let states = json!(["incoming", "claimed", "done", "failed"]);
    for id in [".", ".."] {
        let said = |field: &str| {
            format!("{field} must not be \"{id}\": no URL can name it, choose another")
        };
        let task = json!({"id": id, "file_path": "x", "branch": "b", "scope": "s"});
        assert_eq!(app.post("/api/v1/tasks", task).await.error(400), said("id"));
        let project = json!({"id": id, "title": "t", "branch": "b"});
        assert_eq!(app.post("/api/v1/projects", project).await.error(400), said("id"));
        let message = json!({"task_id": id, "from_actor": "f", "type": "y", "content": "c",
            "scope": "s"});
        assert_eq!(app.post("/api/v1/messages", message).await.error(400), said("task_id"));
        let machine = json!({"cluster": "c", "machine_id": "m", "scope": id});
        let text = app.post("/api/v1/orchestrators/register", machine).await.error(400);
        assert_eq!(text, said("scope"));
        let roles = json!({"orchestrator_id": "c-m", "roles": [{"name": id}]});
        let text = app.post("/api/v1/roles/register", roles).await.error(400);
        assert_eq!(text, said("roles[0].name"));
        let flow = json!({"scope": "s", "states": states, "transitions": []});
        let path = format!("/api/v1/flows/{}", id.replace('.', "%2E"));
        assert_eq!(app.put(&path, flow).await.error(400), said("name"));
    }
}
