//! The arguments of a call, checked against the parameters of its tool.

use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    parameter::{Kind, Parameter},
};

/// No argument has a longer name.
const NAME_BYTES_MAX: usize = 64;

/// Arguments that fit their parameters.
#[derive(Clone, Debug)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Checks arguments. The error names the argument, what it must be, and what is known.
    pub(crate) fn check(given: Value, parameters: &[Parameter]) -> Result<Self, Failure> {
        let given = match given {
            Value::Null => Map::new(),
            Value::Object(given) => given,
            _ => return Err(Failure::new("The arguments must be one JSON object")),
        };
        Ok(Self(checked("", given, parameters)?))
    }

    /// A text that is not empty, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text that the parameters require.
    pub(crate) fn required(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Texts; none if they are not there.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(Value::as_str).collect()
    }

    /// Objects; none if they are not there.
    pub(crate) fn objects(&self, name: &str) -> Vec<Self> {
        self.list(name).iter().filter_map(Value::as_object).cloned().map(Self).collect()
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The arguments of the object at `place`, such as `tasks[0].`.
fn checked(
    place: &str,
    given: Map<String, Value>,
    parameters: &[Parameter],
) -> Result<Map<String, Value>, Failure> {
    let mut checked_ones = Map::new();
    for (name, value) in given {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
            return Err(unknown(place, &name, parameters));
        };
        // Models send null, or an empty text, for what they leave out.
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        let place = format!("{place}{name}");
        let value = read(&place, value, parameter.kind)?;
        checked_ones.insert(name, value);
    }
    let missing = parameters
        .iter()
        .find(|parameter| parameter.is_required && !checked_ones.contains_key(parameter.name));
    match missing {
        Some(parameter) => Err(Failure::new(format!(
            "`{place}{}` is required: {}",
            parameter.name,
            wanted(parameter.kind)
        ))),
        None => Ok(checked_ones),
    }
}

fn unknown(place: &str, name: &str, parameters: &[Parameter]) -> Failure {
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
    let is_near = |known: &&&str| strsim::damerau_levenshtein(known, name) <= 2;
    // The comparison takes time and memory by the length of both.
    let near = names.iter().find(|known| name.len() <= NAME_BYTES_MAX && is_near(known));
    let meant = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
    let shown = octopoid_domain::text::shown(name);
    let names = names.join(", ");
    Failure::new(format!(
        "There is no argument `{place}{shown}`.{meant} The arguments are: {names}"
    ))
}

/// The value as its kind has it. Models send numbers and flags as texts, and one text for a list.
fn read(place: &str, value: Value, kind: Kind) -> Result<Value, Failure> {
    let fail = || Failure::new(format!("`{place}` must be {}", wanted(kind)));
    match (kind, value) {
        (Kind::Text, value @ Value::String(_)) | (Kind::Flag, value @ Value::Bool(_)) => Ok(value),
        (Kind::Choice(known), Value::String(text)) if known.contains(&&*text) => Ok(text.into()),
        (Kind::Integer(least, most), value) => {
            let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
            let number = number.or_else(|| whole(&value));
            number
                .filter(|number| (least..=most).contains(number))
                .map(Value::from)
                .ok_or_else(fail)
        }
        (Kind::Flag, Value::String(text)) => text.parse().map(Value::Bool).map_err(|_| fail()),
        (Kind::Texts, Value::String(text)) => Ok(vec![Value::String(text)].into()),
        (Kind::Texts, Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(items.into())
        }
        (Kind::Objects(parameters), Value::Array(items)) => {
            let mut read = Vec::new();
            for (index, item) in items.into_iter().enumerate() {
                let Value::Object(item) = item else { return Err(fail()) };
                read.push(Value::Object(checked(&format!("{place}[{index}]."), item, parameters)?));
            }
            if read.is_empty() { Err(fail()) } else { Ok(read.into()) }
        }
        _ => Err(fail()),
    }
}

/// The integer that a number such as `5.0` is.
fn whole(value: &Value) -> Option<i64> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and far below 2^53")]
    Some(number as i64)
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Choice(known) => format!("one of {}", known.join(", ")),
        Kind::Integer(least, most) => format!("an integer from {least} to {most}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::Objects(parameters) => {
            let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
            format!("a list of one or more objects with {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Arguments;
    use crate::parameter::{Kind, Parameter, optional, required};

    const INNER: &[Parameter] = &[required("title", Kind::Text, "")];
    const PARAMETERS: &[Parameter] = &[
        required("task_id", Kind::Text, ""),
        optional("wait_seconds", Kind::Integer(0, 50), ""),
        optional("review", Kind::Flag, ""),
        optional("roles", Kind::Texts, ""),
        optional("outcome", Kind::Choice(&["submit", "fail"]), ""),
        optional("tasks", Kind::Objects(INNER), ""),
    ];

    fn check(given: Value) -> Result<Arguments, String> {
        Arguments::check(given, PARAMETERS).map_err(|failure| failure.text)
    }

    #[test]
    fn values_are_taken_as_models_write_them() {
        let given = json!({"task_id": "a", "wait_seconds": "5", "review": "true", "roles": "fix", "outcome": null});
        let arguments = check(given).unwrap();
        assert_eq!(arguments.required("task_id"), "a");
        assert_eq!(arguments.integer("wait_seconds"), Some(5));
        assert!(arguments.is_set("review"));
        assert_eq!(arguments.texts("roles"), ["fix"]);
        assert_eq!(arguments.text("outcome"), None);
        assert_eq!(
            check(json!({"task_id": "a", "wait_seconds": 5.0})).unwrap().integer("wait_seconds"),
            Some(5)
        );
    }

    #[test]
    fn errors_name_the_argument_and_the_remedy() {
        let cases = [
            (json!({}), "`task_id` is required: a text"),
            (json!({"task_id": ""}), "`task_id` is required: a text"),
            (json!([]), "The arguments must be one JSON object"),
            (json!({"task_id": 7}), "`task_id` must be a text"),
            (
                json!({"task_id": "a", "wait_seconds": 51}),
                "`wait_seconds` must be an integer from 0 to 50",
            ),
            (
                json!({"task_id": "a", "wait_seconds": 1.5}),
                "`wait_seconds` must be an integer from 0 to 50",
            ),
            (json!({"task_id": "a", "review": 1}), "`review` must be true or false"),
            (json!({"task_id": "a", "roles": [1]}), "`roles` must be a list of texts"),
            (json!({"task_id": "a", "outcome": "done"}), "`outcome` must be one of submit, fail"),
            (
                json!({"task_id": "a", "tasks": []}),
                "`tasks` must be a list of one or more objects with title",
            ),
            (
                json!({"task_id": "a", "tasks": [{"title": "t"}, {}]}),
                "`tasks[1].title` is required: a text",
            ),
        ];
        for (given, text) in cases {
            assert_eq!(check(given).unwrap_err(), text);
        }
        let text = check(json!({"taskid": "a"})).unwrap_err();
        assert!(
            text.starts_with("There is no argument `taskid`. Did you mean `task_id`?"),
            "{text}"
        );
    }
}
