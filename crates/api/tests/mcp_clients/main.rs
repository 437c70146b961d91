//! Requests that real clients sent, replayed: see README.md beside this file.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../common/mod.rs"]
mod common;

mod recording;

use axum::http::header;
use common::{Answer, TestApp};
use octopoid_api::AuthMode;
use recording::{Recorded, recordings};
use serde_json::{Value, json};

/// The version whose requests stand for themselves.
const MODERN: &str = "2026-07-28";

/// The key in `_meta` with the version of such a request.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The addresses at which clients look for OAuth after a 401.
const PROBED: [&str; 5] = [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// A server that asks for keys, and a key.
async fn server() -> (TestApp, String) {
    let server = TestApp::guarded(AuthMode::Required).await;
    let body = json!({"scope": "s", "label": "client", "permission": "work"});
    let issued = server.holding(common::ADMIN).post("/api/v1/admin/keys", body).await.expect(201);
    (server, issued["api_key"].as_str().unwrap().to_owned())
}

/// The message of an answer, which must be JSON with this status and belong to the request.
#[track_caller]
fn message(recorded: &Recorded, answer: &Answer, status: u16) -> Value {
    let message = answer.expect(status);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{recorded}");
    assert_eq!(message["jsonrpc"], "2.0", "{recorded}");
    assert_eq!(message["id"], recorded.message()["id"], "{recorded}");
    message
}

/// The result of a request, with what its era asks of every result.
#[track_caller]
fn result(recorded: &Recorded, answer: &Answer) -> Value {
    let result = message(recorded, answer, 200)["result"].clone();
    assert!(result.is_object(), "{recorded}: {}", answer.text);
    if recorded.is_modern() {
        assert_eq!(result["resultType"], "complete", "{recorded}");
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(server["name"], "octopoid", "{recorded}");
    } else {
        assert_eq!(result["resultType"], Value::Null, "{recorded}");
    }
    result
}

/// What each client needs, by what it asked.
#[track_caller]
fn check(recorded: &Recorded, answer: &Answer) {
    assert!(!answer.headers.contains_key("mcp-session-id"), "{recorded}");
    if !recorded.has_key() {
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer", "{recorded}");
        answer.error(401);
        return;
    }
    if recorded.method != "POST" {
        assert_eq!(answer.headers[header::ALLOW], "POST", "{recorded}");
        answer.error(405);
        return;
    }
    let asked = recorded.message();
    match asked["method"].as_str().unwrap() {
        "initialize" => {
            let result = result(recorded, answer);
            assert_eq!(result["protocolVersion"], asked["params"]["protocolVersion"], "{recorded}");
            assert!(result["capabilities"]["tools"].is_object(), "{recorded}");
            assert_eq!(result["serverInfo"]["name"], "octopoid", "{recorded}");
        }
        "server/discover" => {
            let result = result(recorded, answer);
            let versions = result["supportedVersions"].as_array().unwrap();
            assert!(versions.contains(&json!(MODERN)), "{recorded}");
            assert!(result["capabilities"]["tools"].is_object(), "{recorded}");
        }
        "tools/list" => {
            let result = result(recorded, answer);
            assert_eq!(result["tools"].as_array().unwrap().len(), 7, "{recorded}");
            assert_eq!(result["nextCursor"], Value::Null, "{recorded}");
            assert_eq!(result["ttlMs"].is_u64(), recorded.is_modern(), "{recorded}");
        }
        "tools/call" => {
            let result = result(recorded, answer);
            assert_eq!(result["isError"], true, "{recorded}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.starts_with("There is no tool echo: use one of board, "), "{text}");
        }
        "ping" => assert_eq!(result(recorded, answer), json!({})),
        notification if notification.starts_with("notifications/") => {
            assert_eq!(answer.status.as_u16(), 202, "{recorded}: {}", answer.text);
            assert_eq!(answer.text, "", "{recorded}");
        }
        other => panic!("no expectation for {other}: {recorded}"),
    }
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_its_client_needs() {
    let mut replayed = Vec::new();
    for (client, recording) in recordings() {
        let (server, key) = server().await;
        for recorded in &recording {
            let answer = server.send(recorded.request(&key)).await;
            check(recorded, &answer);
        }
        replayed.push((client, recording.len()));
    }
    // A recording that is cut short would need nothing.
    assert_eq!(replayed, [("claude", 97), ("codex", 86), ("gemini", 19), ("opencode", 18)]);
}

#[tokio::test]
async fn what_clients_send_around_a_call_does_not_disturb_it() {
    let (server, key) = server().await;
    let calls: Vec<_> = recordings()
        .into_iter()
        .flat_map(|(_, recording)| recording)
        .filter(|recorded| recorded.has_key() && recorded.calls("tools/call"))
        .collect();
    assert!(calls.iter().any(Recorded::is_modern) && !calls.iter().all(Recorded::is_modern));
    let arguments = json!({"tasks": [{"title": "Fix the login"}]});
    for recorded in &calls {
        let call = recorded.calling("task_create", &arguments);
        let result = result(&call, &server.send(call.request(&key)).await);
        assert_eq!(result["isError"], false, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("Created:\n* ") && text.contains("Fix the login"), "{text}");
    }
    let tasks = server.holding(&key).get("/api/v1/tasks?limit=100").await.expect(200);
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), calls.len());
}

#[tokio::test]
async fn clients_that_look_for_oauth_find_out_that_there_is_none() {
    let (server, _) = server().await;
    for path in PROBED {
        let answer = server.get(path).await;
        answer.error(404);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{path}");
    }
    // What they try next: to register themselves at the server's root.
    let registered = server.post("/register", json!({"redirect_uris": []})).await;
    assert!(matches!(registered.status.as_u16(), 404 | 405), "{}", registered.text);
}
