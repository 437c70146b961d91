//! The parameters of tools, and their JSON Schema.
//!
//! Clients differ in what they understand: `$ref`, `anyOf` and `oneOf` are dropped or misread by
//! some. So a schema here is flat, each property has one type, and nothing else can be described.

use serde_json::{Map, Value, json};

/// The type of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// An integer within these limits.
    Integer(i64, i64),
    /// Yes or no.
    Flag,
    /// Texts.
    Texts,
    /// Objects with these parameters.
    Objects(&'static [Parameter]),
}

/// A parameter of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    /// What the name does not say; may be empty.
    pub(crate) description: &'static str,
}

/// A parameter that may be left out.
pub(crate) const fn optional(
    name: &'static str,
    kind: Kind,
    description: &'static str,
) -> Parameter {
    Parameter { name, kind, is_required: false, description }
}

/// A parameter that must be there.
pub(crate) const fn required(
    name: &'static str,
    kind: Kind,
    description: &'static str,
) -> Parameter {
    Parameter { name, kind, is_required: true, description }
}

/// The schema of an object with these parameters.
pub(crate) fn schema(parameters: &[Parameter]) -> Value {
    let properties: Map<_, _> = parameters
        .iter()
        .map(|parameter| (parameter.name.to_owned(), property(parameter)))
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    let required: Vec<_> =
        parameters.iter().filter(|one| one.is_required).map(|one| one.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(parameter: &Parameter) -> Value {
    let mut property = match parameter.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Choice(texts) => json!({"type": "string", "enum": texts}),
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Objects(parameters) => json!({"type": "array", "items": schema(parameters)}),
    };
    if !parameter.description.is_empty() {
        property["description"] = json!(parameter.description);
    }
    property
}
