//! The operations, read from the document.

use std::fmt;

use serde_json::Value;

/// An operation of the document.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names of the parameters of its query.
    pub(crate) query: Vec<String>,
    pub(crate) has_body: bool,
    /// The roles of which its caller needs all, as alternatives.
    pub(crate) roles: Vec<Vec<String>>,
    /// Whether it needs a key even where keys are optional.
    pub(crate) needs_key: bool,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// Signing in depends on a code and not on the caller, so there is nothing to sweep.
/// `tests/login.rs` covers it.
const SIGN_IN: &str = "sign_in";

/// Every operation of the document except signing in.
pub(crate) fn all() -> Vec<Operation> {
    let document: Value = serde_json::from_str(octopoid_api::openapi::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| read(method, path, operation))
        })
        .filter(|operation| operation.id != SIGN_IN)
        .collect();
    assert!(operations.len() > 40, "the document is not what it was");
    operations
}

fn read(method: &str, path: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let query = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "query")
        .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
    let security = operation["security"].as_array().map(Vec::as_slice).unwrap_or_default();
    let roles = security.iter().filter_map(|alternative| alternative.get("key")).map(|roles| {
        let roles = roles.as_array().unwrap().iter();
        roles.map(|role| role.as_str().unwrap().to_owned()).collect()
    });
    Operation {
        roles: roles.collect(),
        needs_key: !security.is_empty() && security.iter().all(|one| one.get("key").is_some()),
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        query: query.collect(),
        has_body: operation.get("requestBody").is_some(),
    }
}
