//! JSON-RPC 2.0, as far as MCP uses it.

use serde_json::{Map, Value, json};

/// A message that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    /// A request, which is answered.
    Request(Request),
    /// A notification, or a response to a request that this server never sends: neither is answered.
    Notification,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// A text or a number, which the answer repeats.
    pub(crate) id: Value,
    /// The method.
    pub(crate) method: String,
    /// The parameters; empty if there are none.
    pub(crate) params: Map<String, Value>,
}

/// An error of the protocol. What a tool cannot do is a result of the tool instead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

/// The body is not JSON.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// The message is not a request.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// There is no such method.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters of a method are wrong.
pub(crate) const INVALID_PARAMS: i64 = -32602;

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The message that tells it. `id` is null if the request's is not known.
    pub(crate) fn to_message(&self, id: &Value) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// Reads a message. An error comes with the id of the request, or null.
pub(crate) fn parse(body: &[u8]) -> Result<Message, Box<(Value, RpcError)>> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let text = format!("The message is not JSON: {error}");
        Box::new((Value::Null, RpcError::new(PARSE_ERROR, text)))
    })?;
    let invalid =
        |id: &Value, text: &str| Box::new((id.clone(), RpcError::new(INVALID_REQUEST, text)));
    let Value::Object(mut fields) = value else {
        let text = "A message must be one JSON object. Batches are not part of MCP since \
                    2025-06-18: send each message as a request of its own";
        return Err(invalid(&Value::Null, text));
    };
    let id = fields.remove("id");
    let known = match &id {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        _ => Value::Null,
    };
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid(&known, "\"jsonrpc\" must be \"2.0\""));
    }
    if fields.contains_key("result") || fields.contains_key("error") {
        // To a request that was not sent. An answer with its id could be taken for another one.
        return Ok(Message::Notification);
    }
    let Some(Value::String(method)) = fields.remove("method") else {
        return Err(invalid(&known, "\"method\" must be a text"));
    };
    if id.is_none() {
        return Ok(Message::Notification);
    }
    if known.is_null() {
        return Err(invalid(&known, "\"id\" must be a text or a number"));
    }
    let params = match fields.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(invalid(&known, "\"params\" must be an object")),
    };
    Ok(Message::Request(Request { id: known, method, params }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{INVALID_REQUEST, Message, PARSE_ERROR, parse};

    fn refused(body: &str) -> (Value, i64) {
        let (id, error) = *parse(body.as_bytes()).unwrap_err();
        (id, error.code)
    }

    #[test]
    fn a_request_has_an_id_and_a_notification_has_none() {
        let request = parse(br#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#).unwrap();
        assert!(matches!(request, Message::Request(request) if request.id == json!("a")));
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(parse(notification), Ok(Message::Notification));
        let response = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(parse(response), Ok(Message::Notification));
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_id_if_it_has_one() {
        assert_eq!(refused("{"), (Value::Null, PARSE_ERROR));
        assert_eq!(refused(""), (Value::Null, PARSE_ERROR));
        let cases = [
            ("[]", Value::Null),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null),
            ("7", Value::Null),
            (r#"{"id":1,"method":"ping"}"#, json!(1)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, json!(1)),
        ];
        for (body, id) in cases {
            assert_eq!(refused(body), (id, INVALID_REQUEST), "{body}");
        }
    }
}
