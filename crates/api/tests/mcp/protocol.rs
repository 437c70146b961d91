//! Versions, headers and methods, in both eras.

use axum::body::Body;
use serde_json::{Value, json};

use crate::{common::TestApp, modern, request, send};

/// The code of a protocol error.
fn code(body: &Value) -> i64 {
    body["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error in {body}"))
}

#[tokio::test]
async fn initialize_agrees_on_a_version_and_never_fails_for_one() {
    let app = TestApp::new().await;
    for (asked, agreed) in [
        (json!("2025-11-25"), "2025-11-25"),
        (json!("2025-06-18"), "2025-06-18"),
        (json!("2024-11-05"), "2024-11-05"),
        (json!("1999-01-01"), "2025-11-25"),
        (json!("2026-07-28"), "2025-11-25"),
        (json!(7), "2025-11-25"),
        (json!(null), "2025-11-25"),
    ] {
        let message = request("initialize", json!({"protocolVersion": asked}));
        let unknown = [("mcp-protocol-version", "1999-01-01".to_owned())];
        for headers in [&[][..], &unknown] {
            let result = send(&app, &message, headers).await.expect(200)["result"].take();
            assert_eq!(result["protocolVersion"], agreed, "{asked}");
            assert_eq!(result["serverInfo"]["name"], "octopoid");
            assert!(result["capabilities"]["tools"].is_object());
            assert!(result["instructions"].as_str().unwrap().contains("task_next"));
        }
    }
}

#[tokio::test]
async fn the_life_cycle_of_older_clients() {
    let app = TestApp::new().await;
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = send(&app, &initialized, &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (202, ""));
    let version = [("mcp-protocol-version", "2025-06-18".to_owned())];
    let response = json!({"jsonrpc": "2.0", "id": 7, "result": {}});
    assert_eq!(send(&app, &response, &[]).await.status.as_u16(), 202);
    let ping = send(&app, &request("ping", json!({})), &version).await.expect(200);
    assert_eq!(ping, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    let list = send(&app, &request("tools/list", json!({})), &version).await;
    assert!(list.headers.get("mcp-session-id").is_none());
    let result = list.expect(200)["result"].take();
    assert_eq!(result["tools"].as_array().unwrap().len(), 7);
    assert_eq!(result.get("resultType"), None);
    // Errors of methods had the status 200.
    let unknown = send(&app, &request("resources/list", json!({})), &version).await.expect(200);
    assert_eq!(code(&unknown), -32601);
    let discover = send(&app, &request("server/discover", json!({})), &[]).await.expect(200);
    assert_eq!(code(&discover), -32601);
}

#[tokio::test]
async fn requests_that_stand_for_themselves() {
    let app = TestApp::new().await;
    let (message, headers) = modern("server/discover", json!({}));
    let result = send(&app, &message, &headers).await.expect(200)["result"].take();
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].as_i64().unwrap() > 0);
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "octopoid");
    let (message, headers) = modern("tools/list", json!({}));
    let result = send(&app, &message, &headers).await.expect(200)["result"].take();
    assert_eq!(
        (&result["resultType"], &result["cacheScope"]),
        (&json!("complete"), &json!("public"))
    );
    let (message, headers) = modern("tools/call", json!({"name": "board"}));
    let result = send(&app, &message, &headers).await.expect(200)["result"].take();
    assert_eq!((&result["resultType"], &result["isError"]), (&json!("complete"), &json!(false)));
    for gone in ["ping", "resources/list", "subscriptions/listen"] {
        let (message, headers) = modern(gone, json!({}));
        assert_eq!(code(&send(&app, &message, &headers).await.expect(404)), -32601, "{gone}");
    }
    let (message, headers) = modern("tools/call", json!({}));
    assert_eq!(code(&send(&app, &message, &headers).await.expect(400)), -32602);
}

#[tokio::test]
async fn the_client_is_the_agent_where_none_is_named() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let (message, headers) = modern("tools/call", json!({"name": "task_next"}));
    send(&app, &message, &headers).await.expect(200);
    let task = app.get("/api/v1/tasks/a").await.expect(200);
    assert_eq!(task["claimed_by"], "some-client");
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let app = TestApp::new().await;
    let (message, headers) = modern("tools/call", json!({"name": "board"}));
    for index in 0..headers.len() {
        let mut other = headers.clone();
        other[index].1 = if index == 0 { "2025-11-25".to_owned() } else { "other".to_owned() };
        assert_eq!(code(&send(&app, &message, &other).await.expect(400)), -32020, "{other:?}");
        let missing = other.remove(index);
        assert_eq!(code(&send(&app, &message, &other).await.expect(400)), -32020, "{missing:?}");
        let twice = [&headers[..], &headers[index..=index]].concat();
        assert_eq!(code(&send(&app, &message, &twice).await.expect(400)), -32020, "{twice:?}");
    }
    let mut encoded = headers.clone();
    encoded[2].1 = "=?base64?Ym9hcmQ=?=".to_owned();
    send(&app, &message, &encoded).await.expect(200);
}

#[tokio::test]
async fn a_version_that_is_not_supported_is_told_which_are() {
    let app = TestApp::new().await;
    let (mut message, mut headers) = modern("server/discover", json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    headers[0].1 = "2099-01-01".to_owned();
    let refused = send(&app, &message, &headers).await.expect(400);
    assert_eq!(code(&refused), -32022);
    let data = json!({"supported": ["2026-07-28"], "requested": "2099-01-01"});
    assert_eq!(refused["error"]["data"], data);
    // What says nothing of the new era in its body may be older, and is to fall back.
    let legacy = request("tools/list", json!({}));
    let refused = send(&app, &legacy, &headers[..1]).await.expect(400);
    assert_eq!((code(&refused), &refused["id"]), (-32600, &json!(1)));
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(code(&send(&app, &notification, &headers[..1]).await.expect(400)), -32600);
}

#[tokio::test]
async fn what_a_request_that_stands_for_itself_must_have() {
    let app = TestApp::new().await;
    let (message, headers) = modern("tools/list", json!({}));
    for (field, value) in [
        ("io.modelcontextprotocol/clientCapabilities", None),
        ("io.modelcontextprotocol/clientCapabilities", Some(json!(7))),
        ("io.modelcontextprotocol/protocolVersion", None),
    ] {
        let mut message = message.clone();
        let meta = message["params"]["_meta"].as_object_mut().unwrap();
        meta.remove(field);
        meta.extend(value.map(|value| (field.to_owned(), value)));
        let refused = send(&app, &message, &headers).await.expect(400);
        assert_eq!(code(&refused), -32602, "{message}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(field), "{refused}");
    }
}

#[tokio::test]
async fn there_are_no_streams_no_sessions_and_no_other_ways_in() {
    let app = TestApp::new().await;
    for method in ["GET", "DELETE", "PUT", "PATCH"] {
        let answer = app.raw(method, "/mcp", Body::empty()).await;
        assert_eq!(answer.headers["allow"], "POST");
        assert_eq!(answer.expect(405)["code"], "method_not_allowed", "{method}");
    }
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        for accept in ["application/json", "*/*", "text/html"] {
            let request = axum::http::Request::builder().uri(path).header("accept", accept);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.headers["content-type"], "application/json");
            assert_eq!(answer.expect(404)["code"], "endpoint_not_found", "{path}");
        }
    }
}
