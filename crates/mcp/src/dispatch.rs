//! From a message to its answer.

use serde_json::{Map, Value, json};

use crate::{
    backend::Backend,
    headers::{Headers, Mirrored},
    message::{
        INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Message, PARSE_ERROR, Request, RpcError,
        parse,
    },
    protocol::{self, Era, HEADER_MISMATCH, LEGACY_VERSIONS, MODERN_VERSIONS, UNSUPPORTED_VERSION},
    text::{self, PAGE_BYTES_MAX},
    tools,
};

/// What a client may tell its model about the server.
const INSTRUCTIONS: &str = "Octopoid is a queue of tasks for coding agents. `board` shows what \
    runs, what waits and why, and what needs a person. `task_create` adds tasks, several at once and \
    in an order. To work on a task: `task_next`, then `task_update` from time to time, and `task_finish` \
    at the end, each with the lease_token that task_next returned.";

/// How long a client may keep the list of tools, in milliseconds. It is the same for everyone.
const TTL_MS: u32 = 3_600_000;

/// The answer to a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status for HTTP.
    pub status: u16,
    /// The message; none for a notification.
    pub message: Option<Value>,
}

/// Answers a message. `headers` are those of HTTP, if it came that way; `version` is the server's.
pub async fn answer(
    backend: &dyn Backend,
    version: &str,
    headers: Option<&Headers>,
    body: &[u8],
) -> Reply {
    let mirrored = match headers.map(Headers::read).transpose() {
        Ok(mirrored) => mirrored,
        Err(name) => {
            let error = RpcError::new(HEADER_MISMATCH, format!("The header {name} is there twice"));
            return refused(&Value::Null, &error, true);
        }
    };
    match parse(body) {
        Ok(Message::Request(request)) => respond(backend, version, mirrored, request).await,
        Ok(Message::Notification) => {
            let header = mirrored.and_then(|headers| headers.version);
            match protocol::check_header(header) {
                Ok(()) => Reply { status: 202, message: None },
                Err(error) => refused(&Value::Null, &error, true),
            }
        }
        Err(refusal) => refused(&refusal.0, &refusal.1, true),
    }
}

async fn respond(
    backend: &dyn Backend,
    version: &str,
    headers: Option<Mirrored<'_>>,
    request: Request,
) -> Reply {
    let era = match protocol::check(&request, headers.as_ref()) {
        Ok(era) => era,
        Err(error) => return refused(&request.id, &error, true),
    };
    let Request { id, method, params } = request;
    match call(backend, version, &era, &method, params).await {
        Ok(mut result) => {
            if matches!(era, Era::Modern(_)) {
                complete(&mut result, version);
            }
            let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
            Reply { status: 200, message: Some(message) }
        }
        Err(error) => refused(&id, &error, matches!(era, Era::Modern(_))),
    }
}

/// An error. Before requests stood for themselves, errors of methods had the status 200.
fn refused(id: &Value, error: &RpcError, has_status: bool) -> Reply {
    let status = match error.code {
        _ if !has_status => 200,
        METHOD_NOT_FOUND => 404,
        PARSE_ERROR | INVALID_REQUEST | INVALID_PARAMS | HEADER_MISMATCH | UNSUPPORTED_VERSION => {
            400
        }
        _ => 200,
    };
    Reply { status, message: Some(error.to_message(id)) }
}

async fn call(
    backend: &dyn Backend,
    version: &str,
    era: &Era,
    method: &str,
    mut params: Map<String, Value>,
) -> Result<Value, RpcError> {
    match (method, era) {
        ("initialize", _) => Ok(initialize(version, &params)),
        ("ping", Era::Legacy) => Ok(json!({})),
        ("server/discover", Era::Modern(_)) => Ok(discover()),
        ("tools/list", Era::Legacy) => Ok(json!({"tools": tools::list()})),
        ("tools/list", Era::Modern(_)) => Ok(cached(json!({"tools": tools::list()}))),
        ("tools/call", _) => {
            let Some(Value::String(name)) = params.remove("name") else {
                return Err(RpcError::new(
                    INVALID_PARAMS,
                    "\"params.name\" must be the name of a tool",
                ));
            };
            let agent = match era {
                Era::Legacy => None,
                Era::Modern(client) => client.as_deref(),
            };
            let arguments = params.remove("arguments").unwrap_or_default();
            let (text, is_error) = match tools::call(backend, agent, &name, arguments).await {
                Ok(text) => (text, false),
                Err(failure) => (failure.text, true),
            };
            let text = text::bounded(&text, PAGE_BYTES_MAX);
            Ok(json!({"content": [{"type": "text", "text": text}], "isError": is_error}))
        }
        _ => {
            let shown = octopoid_domain::text::shown(method);
            let text =
                format!("This server has no method {shown}: it has tools/list and tools/call");
            Err(RpcError::new(METHOD_NOT_FOUND, text))
        }
    }
}

/// The answer to `initialize`: the version that was asked for if it is known, else the newest.
fn initialize(version: &str, params: &Map<String, Value>) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let known = LEGACY_VERSIONS.into_iter().find(|known| Some(*known) == asked);
    json!({
        "protocolVersion": known.unwrap_or(LEGACY_VERSIONS[0]),
        "capabilities": {"tools": {"listChanged": false}},
        "serverInfo": implementation(version),
        "instructions": INSTRUCTIONS,
    })
}

fn discover() -> Value {
    cached(json!({
        "supportedVersions": MODERN_VERSIONS,
        "capabilities": {"tools": {"listChanged": false}},
        "instructions": INSTRUCTIONS,
    }))
}

fn implementation(version: &str) -> Value {
    json!({"name": "octopoid", "title": "Octopoid", "version": version})
}

/// A result that everyone may keep for a while.
fn cached(mut result: Value) -> Value {
    result["ttlMs"] = json!(TTL_MS);
    result["cacheScope"] = json!("public");
    result
}

/// Adds what a result of the modern era has.
fn complete(result: &mut Value, version: &str) {
    result["resultType"] = json!("complete");
    result["_meta"] = json!({"io.modelcontextprotocol/serverInfo": implementation(version)});
}
