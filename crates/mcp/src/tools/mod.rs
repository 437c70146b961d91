//! The tools, and what clients are told about them.
//!
//! A further tool is a file here and a line in [`TOOLS`], as long as all of them stay short: a test
//! counts them and their bytes, because every client puts them into every conversation.

mod board;
mod create;
mod finish;
mod get;
mod message;
mod next;
mod update;

use std::sync::LazyLock;

use futures_util::future::BoxFuture;
use octopoid_domain::text::shown;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    backend::{Answer, Backend, Call, Verb},
    failure::Failure,
    parameter::{Kind, Parameter, optional, schema},
};

/// The name of callers that give none.
const AGENT_DEFAULT: &str = "mcp";

/// How long a lease lasts by default, in seconds. A model reports less often than a runner.
const LEASE_DEFAULT: i64 = 1_800;

/// How long the lease is to last.
const LEASE: Parameter = optional("lease_seconds", Kind::Integer(1, 86_400), "Default 1800");

fn lease_seconds(arguments: &Arguments) -> i64 {
    arguments.integer(LEASE.name).unwrap_or(LEASE_DEFAULT)
}

/// A tool.
struct Tool {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Whether it only reads.
    is_read: bool,
    /// Whether a repetition of a call changes nothing more.
    is_idempotent: bool,
    parameters: &'static [Parameter],
    run: fn(Caller<'_>, Arguments) -> BoxFuture<'_, Outcome>,
}

/// What a tool says.
type Outcome = Result<String, Failure>;

/// The tools, in the order in which clients show them.
const TOOLS: [&Tool; 7] = [
    &board::TOOL,
    &create::TOOL,
    &next::TOOL,
    &get::TOOL,
    &update::TOOL,
    &finish::TOOL,
    &message::TOOL,
];

/// The list of tools, as clients get it.
pub(crate) fn list() -> &'static Value {
    static LIST: LazyLock<Value> = LazyLock::new(|| TOOLS.map(described).to_vec().into());
    &LIST
}

fn described(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": schema(tool.parameters),
        // All four: some clients refuse to call a tool without them.
        "annotations": {
            "readOnlyHint": tool.is_read,
            "destructiveHint": false,
            "idempotentHint": tool.is_idempotent,
            "openWorldHint": false,
        },
    })
}

/// Calls a tool. `agent` is the client's name, if it is known.
pub(crate) async fn call(
    backend: &dyn Backend,
    agent: Option<&str>,
    name: &str,
    arguments: Value,
) -> Outcome {
    let Some(tool) = TOOLS.into_iter().find(|tool| tool.name == name) else {
        let names = TOOLS.map(|tool| tool.name).join(", ");
        return Err(Failure::new(format!("There is no tool {}: use one of {names}", shown(name))));
    };
    let arguments = Arguments::check(arguments, tool.parameters)?;
    (tool.run)(Caller { backend, agent }, arguments).await
}

/// What a tool works with.
#[derive(Clone, Copy)]
struct Caller<'a> {
    backend: &'a dyn Backend,
    agent: Option<&'a str>,
}

impl<'a> Caller<'a> {
    /// The name of the agent: the one it gives itself, else that of its connection or its client.
    fn agent<'b>(&self, given: Option<&'b str>) -> &'b str
    where
        'a: 'b,
    {
        let own = self.backend.defaults().agent.as_deref();
        given.or(own).or(self.agent).unwrap_or(AGENT_DEFAULT)
    }

    /// Calls an operation, in the scope of the connection.
    async fn answer(&self, mut call: Call) -> Result<Answer, Failure> {
        if let Some(scope) = &self.backend.defaults().scope {
            match call.verb {
                Verb::Get => call.query.push(("scope", scope.clone())),
                Verb::Post => call.body["scope"] = json!(scope),
            }
        }
        self.backend.call(call).await.map_err(Failure::new)
    }

    /// The body of the answer.
    async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        read(&self.answer(call).await?).map_err(|failure| self.explained(failure))
    }

    /// Says how to name the scope, if a call failed because it named none.
    fn explained(&self, mut failure: Failure) -> Failure {
        if failure.lacks_scope {
            failure.text.push_str(". ");
            failure.text.push_str(self.backend.scope_remedy());
        }
        failure
    }
}

/// The body of an answer, or what it says instead.
fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if answer.status >= 400 {
        return Err(Failure::refused(answer));
    }
    T::deserialize(&answer.body).map_err(|error| {
        Failure::new(format!("The server's answer makes no sense to this version: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{TOOLS, list};

    #[test]
    fn the_list_costs_a_conversation_little() {
        let result = serde_json::json!({"tools": list()}).to_string();
        assert!(TOOLS.len() <= 7, "{} tools", TOOLS.len());
        assert!(result.len() <= 6_000, "{} bytes", result.len());
    }

    #[test]
    fn schemas_are_flat_and_annotations_complete() {
        let text = list().to_string();
        for word in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "outputSchema"] {
            assert!(!text.contains(&format!("\"{word}\"")), "{word}");
        }
        for tool in list().as_array().unwrap() {
            let name = tool["name"].as_str().unwrap();
            assert!(name.len() < 20, "{name}");
            assert_eq!(tool["inputSchema"]["type"], "object");
            let hints = tool["annotations"].as_object().unwrap();
            for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
                assert!(hints[hint].is_boolean(), "{name} {hint}");
            }
            types(&tool["inputSchema"]["properties"]);
        }
    }

    /// Every property has one type, and a name that every client takes.
    fn types(properties: &Value) {
        for (name, property) in properties.as_object().unwrap() {
            assert!(property["type"].is_string(), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(name.len() <= 64, "{name}");
            if let Some(inner) = property["items"].get("properties") {
                types(inner);
            }
        }
    }
}
