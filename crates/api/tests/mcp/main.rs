//! `POST /mcp`: the protocol in both of its eras, keys, bad input, and a whole conversation.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![allow(clippy::needless_pass_by_value, reason = "`json!({..})` reads better than `&json!({..})`")]

#[path = "../common/mod.rs"]
mod common;
mod input;
mod keys;
mod protocol;

use axum::http::Request;
use common::{Answer, TestApp};
use octopoid_testbed::conversation::{Talk, Transport, five_tasks};
use serde_json::{Value, json};

/// A request.
fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A call of a tool.
fn call(name: &str, arguments: Value) -> Value {
    request("tools/call", json!({"name": name, "arguments": arguments}))
}

/// A request as it is since 2026-07-28, and its headers.
fn modern(method: &str, mut params: Value) -> (Value, Vec<(&'static str, String)>) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "some-client", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers =
        vec![("mcp-protocol-version", "2026-07-28".to_owned()), ("mcp-method", method.to_owned())];
    headers.extend(params["name"].as_str().map(|name| ("mcp-name", name.to_owned())));
    (request(method, params), headers)
}

/// Sends a message with headers.
async fn send(app: &TestApp, message: &Value, headers: &[(&'static str, String)]) -> Answer {
    let mut request = Request::builder().method("POST").uri("/mcp?scope=s");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    app.send(request.body(message.to_string().into()).unwrap()).await
}

/// The text of a tool's result, and whether it is an error.
async fn tool(app: &TestApp, name: &str, arguments: Value) -> (String, bool) {
    let answer = send(app, &call(name, arguments), &[]).await.expect(200);
    let result = &answer["result"];
    let text = result["content"][0]["text"].as_str();
    (text.unwrap_or_else(|| panic!("no text in {answer}")).to_owned(), result["isError"] == true)
}

struct Router(TestApp);

impl Transport for Router {
    async fn send(&mut self, request: Value) -> anyhow::Result<Value> {
        Ok(send(&self.0, &request, &[]).await.expect(200))
    }
}

#[tokio::test]
async fn five_tasks_live_by_tools_alone() {
    let mut talk = Talk::over(Router(TestApp::new().await));
    five_tasks(&mut talk).await.unwrap();
}
