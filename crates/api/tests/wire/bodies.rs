use axum::http::Request;
use octopoid_api::{AuthMode, Settings};
use serde_json::json;

use crate::{
    common::{ADMIN, TestApp},
    values,
};

/// Operations that read a body, with what they say of one without fields.
const READERS: [(&str, &str, &str); 9] = [
    ("POST", "/api/v1/tasks", "Missing required fields: id, file_path"),
    ("POST", "/api/v1/tasks/claim", "Missing required fields: orchestrator_id, agent_name"),
    ("PATCH", "/api/v1/tasks/a", "No fields to update"),
    ("POST", "/api/v1/tasks/a/submit", "Missing required fields: commits_count, turns_used"),
    ("POST", "/api/v1/tasks/a/accept", "Missing required field: accepted_by"),
    ("POST", "/api/v1/tasks/a/reject", "Missing required fields: reason, rejected_by"),
    ("POST", "/api/v1/tasks/a/force-queue", "Missing required fields: queue, reason"),
    ("POST", "/api/v1/tasks/a/hooks/h/complete", "status must be \"passed\" or \"failed\""),
    ("POST", "/api/v1/messages", "Missing required fields: task_id, from_actor, type, content"),
];

const CREATE: &str = r#"{"id":"b","file_path":"b.md","branch":"main","scope":"s","title":"@"}"#;

async fn app() -> TestApp {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app
}

#[tokio::test]
async fn what_is_no_json_is_refused_everywhere() {
    let app = app().await;
    let deep = "[".repeat(100_000);
    for (method, path, _) in READERS {
        for body in [
            "",
            " ",
            "null",
            " null ",
            "{",
            "{\"id\":",
            "{'id':1}",
            "{\"id\":1,}",
            "{\"id\":1}x",
            "nonsense",
            "[",
            "{\"id\":NaN}",
            "{\"title\":\"\\q\"}",
            "{\"title\":\"a\nb\"}",
            "a=1&b=2",
            deep.as_str(),
        ] {
            let answer = app.raw(method, path, body.to_owned()).await;
            let shown = &body[..body.len().min(20)];
            assert_eq!(answer.error(400), "Invalid JSON body", "{method} {path} {shown}");
            assert_eq!(answer.json()["code"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_no_json() {
    let app = app().await;
    let mut body = CREATE.replace('@', "x").into_bytes();
    let at = body.iter().rposition(|byte| *byte == b'x').unwrap();
    body[at] = 0xff;
    assert_eq!(app.raw("POST", "/api/v1/tasks", body).await.error(400), "Invalid JSON body");
}

#[tokio::test]
async fn what_no_number_can_hold_is_no_json() {
    let app = app().await;
    for value in ["1e999", "-1e999"] {
        for (method, path) in [("POST", "/api/v1/tasks"), ("PATCH", "/api/v1/tasks/a")] {
            let answer = app.raw(method, path, format!("{{\"title\":{value}}}")).await;
            assert_eq!(answer.error(400), "Invalid JSON body", "{method} {value}");
        }
    }
}

#[tokio::test]
async fn json_that_is_no_object_has_no_fields() {
    let app = app().await;
    for (method, path, text) in READERS {
        for body in ["[]", "[1,2]", "\"str\"", "7", "true", "{}", " {} "] {
            let answer = app.raw(method, path, body).await;
            assert_eq!(answer.error(400), text, "{method} {path} {body}");
        }
    }
}

#[tokio::test]
async fn fields_nobody_knows_are_ignored() {
    let app = app().await;
    let body = json!({"title": "t", "": 1, "nobody": {"a": [null]}, "Title": "no", "é": "\u{1}"});
    assert_eq!(app.patch("/api/v1/tasks/a", body).await.expect(200)["title"], "t");
}

#[tokio::test]
async fn the_last_of_duplicate_keys_wins() {
    let app = app().await;
    for (body, title) in [
        (r#"{"title":"x","title":"y"}"#, "y"),
        (r#"{"title":5,"title":"z"}"#, "z"),
        (r#"{"title":"a","\u0074itle":"w"}"#, "w"),
    ] {
        let answer = app.raw("PATCH", "/api/v1/tasks/a", body).await;
        assert_eq!(answer.expect(200)["title"], title, "{body}");
    }
}

#[tokio::test]
async fn whatever_the_content_type_says_a_body_is_json() {
    let app = app().await;
    for content_type in
        ["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "x"]
    {
        let request = Request::builder()
            .method("PATCH")
            .uri("/api/v1/tasks/a")
            .header("content-type", content_type)
            .body(json!({"title": content_type}).to_string().into())
            .unwrap();
        assert_eq!(app.send(request).await.expect(200)["title"], content_type);
    }
}

#[tokio::test]
async fn no_name_holds_a_nul() {
    let app = app().await;
    for (field, path) in [
        ("id", "/api/v1/tasks"),
        ("scope", "/api/v1/tasks"),
        ("branch", "/api/v1/tasks"),
        ("agent_name", "/api/v1/tasks/claim"),
    ] {
        let text = app.post(path, json!({field: "a\u{0}b"})).await.error(400);
        assert_eq!(text, format!("Invalid value for {field}: text must not contain NUL"));
    }
    let text = app.post("/api/v1/tasks/claim", json!({"role_filter": ["\u{0}"]})).await.error(400);
    assert!(text.ends_with("text must not contain NUL"), "{text}");
    let text = app.get("/api/v1/tasks?scope=s&queue=%00").await.error(400);
    assert_eq!(text, "Invalid value for queue: text must not contain NUL");
    let text = app.get("/api/v1/tasks/a%00b").await.error(400);
    assert_eq!(text, "Invalid value for id: text must not contain NUL");
}

#[tokio::test]
async fn text_of_every_other_kind_comes_back_as_it_was_sent() {
    let app = app().await;
    for text in ["\u{1}\u{1f}\u{7f}", "\u{2028}\u{fffe}", "𝄞 \u{202e}", "'; DROP", "\\\"/\r\n\t"]
    {
        let body = json!({"title": text});
        assert_eq!(app.patch("/api/v1/tasks/a", body).await.expect(200)["title"], text);
        assert_eq!(app.get("/api/v1/tasks/a").await.expect(200)["title"], text);
    }
    let body = r#"{"title":"\ud834\udd1e\/"}"#;
    let answer = app.raw("PATCH", "/api/v1/tasks/a", body).await;
    assert_eq!(answer.expect(200)["title"], "𝄞/");
}

#[tokio::test]
async fn what_the_first_server_could_store_this_one_can_too() {
    let app = app().await;
    let content = "x".repeat(2_199_700);
    let created = app.task("big", json!({"content": content})).await;
    assert_eq!(created["content"], content);
    assert_eq!(app.get("/api/v1/tasks/big").await.expect(200)["content"], content);
    // Characters of several bytes count as one.
    let content = "ü".repeat(2_000_000);
    app.patch("/api/v1/tasks/a", json!({"content": content})).await.expect(200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_a_key() {
    let settings = Settings {
        admin_key_hash: Some(octopoid_api::auth::hash(ADMIN)),
        body_bytes_max: 1_000,
        auth: AuthMode::Open,
        ..Settings::default()
    };
    let app = TestApp::with(settings).await;
    let holder = app.holder("s").await;
    for caller in [&app, &holder, &app.holding(ADMIN)] {
        let fits = format!("{}{}", CREATE.replace('@', "t"), " ".repeat(1_000 - CREATE.len()));
        assert_eq!(fits.len(), 1_000);
        assert_eq!(caller.raw("POST", "/api/v1/tasks", fits.clone()).await.status, 201);
        caller.delete("/api/v1/tasks/b").await.expect(200);
        let answer = caller.raw("POST", "/api/v1/tasks", format!("{fits} ")).await;
        assert_eq!(
            answer.expect(413),
            json!({"error": "Request body is too large", "code": "body_too_large"})
        );
        assert_eq!(values(&answer, "content-type"), ["application/json"]);
        caller.get("/api/v1/tasks/b").await.expect(404);
    }
}

#[tokio::test]
async fn numbers_beyond_what_every_reader_holds_are_refused() {
    let app = app().await;
    for number in ["9007199254740992", "-9007199254740993", "18446744073709551616", "1e300"] {
        for field in ["pr_number", "plan_id"] {
            let body = format!("{{\"{field}\":{number}}}");
            let text = app.raw("PATCH", "/api/v1/tasks/a", body).await.error(400);
            assert!(text.starts_with(&format!("Invalid value for {field}: ")), "{number}: {text}");
        }
    }
    let body = r#"{"pr_number":9007199254740991,"plan_id":1e3}"#;
    let task = app.raw("PATCH", "/api/v1/tasks/a", body).await.expect(200);
    assert_eq!(task["pr_number"], 9_007_199_254_740_991_i64);
    assert_eq!(task["plan_id"], "1000");
}
