//! The recordings.

use std::fmt;

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use serde_json::{Map, Value, json};

use crate::{MODERN, VERSION_KEY};

/// The recorded key that the other server took; its place is taken by one that this server takes.
const GOOD_KEY: &str = "Bearer sk-mcp-test";

const CLIENTS: [(&str, &str); 4] = [
    ("claude", include_str!("claude.jsonl")),
    ("codex", include_str!("codex.jsonl")),
    ("gemini", include_str!("gemini.jsonl")),
    ("opencode", include_str!("opencode.jsonl")),
];

/// A request that a client sent.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    scenario: String,
    headers: Map<String, Value>,
    body: String,
}

/// What each client sent, in order.
pub(crate) fn recordings() -> Vec<(&'static str, Vec<Recorded>)> {
    CLIENTS.map(|(client, lines)| (client, lines.lines().map(Recorded::read).collect())).to_vec()
}

impl Recorded {
    fn read(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let headers = line["headers"].as_object().unwrap().clone();
        Self { method: text("method"), scenario: text("scenario"), headers, body: text("body") }
    }

    /// The request as it was sent, with this key in place of the good one.
    pub(crate) fn request(&self, key: &str) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri("/mcp");
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str().unwrap());
        }
        let mut request = request.body(Body::from(self.body.clone())).unwrap();
        if self.has_key() {
            let key = HeaderValue::from_str(&format!("Bearer {key}")).unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, key);
        }
        request
    }

    /// Whether it came with the good key.
    pub(crate) fn has_key(&self) -> bool {
        self.header("authorization") == Some(GOOD_KEY)
    }

    /// Whether it stands for itself.
    pub(crate) fn is_modern(&self) -> bool {
        self.method == "POST" && self.message()["params"]["_meta"][VERSION_KEY] == MODERN
    }

    /// Whether it asks for this method.
    pub(crate) fn calls(&self, method: &str) -> bool {
        self.method == "POST" && self.message()["method"] == method
    }

    /// The message in its body.
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The same call, of another tool.
    pub(crate) fn calling(&self, tool: &str, arguments: &Value) -> Self {
        let mut call = self.clone();
        let mut message = self.message();
        message["params"]["name"] = json!(tool);
        message["params"]["arguments"] = arguments.clone();
        call.body = message.to_string();
        for (name, value) in &mut call.headers {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => *value = json!(call.body.len().to_string()),
                "mcp-name" => *value = json!(tool),
                _ => {}
            }
        }
        call
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1.as_str()
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.scenario, self.method, self.body)
    }
}
