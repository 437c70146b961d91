//! Flows: which states a scope's tasks may be in, and which steps lead from one to another.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    input::{Prose, Text},
    json::kept_json,
    limits::{
        FLOW_BYTES_MAX, FLOW_STATES_MAX, FLOW_TRANSITIONS_MAX, KEY_BYTES_MAX, NOTE_BYTES_MAX,
        check_bytes, check_each, check_id, check_keys,
    },
    queue,
    refusal::Refusal,
    schema::AnyJson,
    text::{listed, shown},
    time::{Millis, seconds},
};

/// The flow of a task that names none.
pub const DEFAULT: &str = "default";

/// The state of accepted work that is still to be merged, in flows that have it.
pub const APPROVED: &str = "approved";

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    /// Its name, unique in its scope.
    pub name: String,
    /// The scope.
    pub scope: String,
    /// The states, as the text of a JSON array.
    pub states: String,
    /// The transitions, as the text of a JSON array of objects, stored unchanged for the clients.
    pub transitions: String,
    /// When it was first registered.
    #[serde(with = "seconds")]
    #[schema(value_type = String)]
    pub registered_at: Millis,
    /// When it was last registered.
    #[serde(with = "seconds")]
    #[schema(value_type = String)]
    pub updated_at: Millis,
    /// The description.
    pub description: Option<String>,
    /// The flow of the tasks of a project, as written by the author.
    pub child_flow: Value,
}

impl Flow {
    /// The queue for work in `provisional` that a review accepts: `approved`, if the flow has a step
    /// to it, so that the work can be merged from there. None: the work is done.
    pub fn after_review(&self) -> Option<&'static str> {
        let steps: Vec<Value> = serde_json::from_str(&self.transitions).unwrap_or_default();
        let is_onward = |step: &Value| step["from"] == queue::PROVISIONAL && step["to"] == APPROVED;
        steps.iter().any(is_onward).then_some(APPROVED)
    }
}

/// The body of a flow's registration.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewFlow {
    /// The scope. Default: the key's scope.
    pub scope: Text,
    /// The states: strings, including the built-in ones.
    #[schema(value_type = Vec<String>)]
    pub states: Value,
    /// The transitions: objects with `from` and `to`. Other keys are stored.
    #[schema(value_type = Vec<std::collections::HashMap<String, AnyJson>>)]
    pub transitions: Value,
    /// The description.
    pub description: Prose,
    /// The flow of the tasks of a project.
    pub child_flow: Value,
}

impl NewFlow {
    /// Checks name and contents and returns the texts to store: states and transitions.
    pub fn check(&self, name: &str) -> Result<(String, String), Refusal> {
        check_id("name", name)?;
        check_keys(&[("scope", &self.scope)])?;
        check_each(NOTE_BYTES_MAX, &[("description", &self.description)])?;
        let states = self
            .states
            .as_array()
            .ok_or(Refusal::invalid("Missing required field: states (array)"))?;
        let transitions = self
            .transitions
            .as_array()
            .ok_or(Refusal::invalid("Missing required field: transitions (array)"))?;
        check_count("states", states.len(), FLOW_STATES_MAX)?;
        check_count("transitions", transitions.len(), FLOW_TRANSITIONS_MAX)?;
        let Some(names) = states.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else {
            return Err(Refusal::invalid("Flow states must be texts"));
        };
        if let Some(missing) = queue::BUILT_IN.iter().find(|state| !names.contains(*state)) {
            return Err(Refusal::invalid(format!(
                "Flow states must include built-in state \"{missing}\". Got: {}",
                listed(&names)
            )));
        }
        let Some(steps) = transitions.iter().map(step).collect::<Option<Vec<_>>>() else {
            return Err(Refusal::invalid("Flow transitions must have texts \"from\" and \"to\""));
        };
        names.into_iter().try_for_each(|name| check_state("states", name))?;
        let mut ends = steps.iter().flat_map(|(from, to)| [from, to]);
        ends.try_for_each(|name| check_state("transitions", name))?;
        let (states, transitions) = (self.states.to_string(), self.transitions.to_string());
        let bytes = states.len() + transitions.len() + self.child_flow.to_string().len();
        if bytes > FLOW_BYTES_MAX {
            return Err(Refusal::invalid(format!(
                "states, transitions and child_flow are too long: at most {FLOW_BYTES_MAX} bytes \
                 together. Split the flow in two"
            )));
        }
        Ok((states, transitions))
    }
}

/// Refuses the name of a state that no task could be in.
fn check_state(field: &str, name: &str) -> Result<(), Refusal> {
    check_bytes(field, Some(name), KEY_BYTES_MAX)?;
    if name.contains('\0') {
        return Err(Refusal::invalid(format!("{field} must not contain NUL")));
    }
    Ok(())
}

fn check_count(field: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        let text = format!("Too many {field}: at most {max}. Split the flow in two");
        return Err(Refusal::invalid(text));
    }
    Ok(())
}

/// What a flow says about states and steps, read from its stored texts. Entries that make no sense
/// are ignored: an old database may hold any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The flow's name.
    pub name: String,
    /// The states, in the order they were given.
    pub states: Vec<String>,
    steps: Vec<(String, String)>,
    child_steps: Vec<(String, String)>,
}

impl Rules {
    /// Reads the stored texts of a flow.
    pub fn new(name: &str, states: &str, transitions: &str, child_flow: Option<&str>) -> Self {
        let parse = |text: &str| kept_json(text).unwrap_or_default();
        let child = child_flow.map(parse).unwrap_or_default();
        Self {
            name: name.to_owned(),
            states: state_names(states),
            steps: steps(&parse(transitions)),
            child_steps: steps(child.get("transitions").unwrap_or(&child)),
        }
    }

    /// The bytes of its texts.
    pub fn text_bytes(&self) -> usize {
        let steps = self.steps.iter().chain(&self.child_steps);
        let steps = steps.map(|(from, to)| from.len() + to.len()).sum::<usize>();
        steps + self.name.len() + self.states.iter().map(String::len).sum::<usize>()
    }

    /// Whether a task may go from one queue to another. The tasks of a project may also take the
    /// steps of the child flow.
    pub fn allows(&self, from: &str, to: &str, in_project: bool) -> bool {
        let has = |steps: &[(String, String)]| steps.iter().any(|(a, b)| a == from && b == to);
        has(&self.steps) || (in_project && has(&self.child_steps))
    }

    /// Whether a queue name is one of the flow's.
    pub fn has_state(&self, queue: &str, in_project: bool) -> bool {
        self.states.iter().any(|state| state == queue)
            || (in_project && self.child_steps.iter().any(|(a, b)| a == queue || b == queue))
    }
}

/// The states in the stored text of a flow, as far as they are texts.
pub fn state_names(states: &str) -> Vec<String> {
    texts(&kept_json(states).unwrap_or_default())
}

/// Checks a queue name against a flow: built-in names are always valid, and without a registered
/// flow every name is.
pub fn check_queue(queue: &str, rules: Option<&Rules>, in_project: bool) -> Result<(), Refusal> {
    match rules {
        Some(rules) if !queue::BUILT_IN.contains(&queue) && !rules.has_state(queue, in_project) => {
            Err(Refusal::InvalidQueue {
                queue: shown(queue).into_owned(),
                flow: rules.name.clone(),
                states: listed(&rules.states),
            })
        }
        _ => Ok(()),
    }
}

/// The queues that a claim may name, by all flows of a scope. `None` if it may name any: the scope
/// has no default flow.
pub fn nameable_queues(flows: &[Rules]) -> Option<Vec<&str>> {
    if !flows.iter().any(|rules| rules.name == DEFAULT) {
        return None;
    }
    let mut queues = queue::BUILT_IN.to_vec();
    for rules in flows {
        queues.extend(rules.states.iter().map(String::as_str));
        queues.extend(rules.child_steps.iter().flat_map(|(from, to)| [&**from, &**to]));
    }
    Some(queues)
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The steps of a list of `{from, to}` objects, or of an object whose keys read `from -> to`.
fn steps(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => items.iter().filter_map(step).collect(),
        Value::Object(items) => items.keys().filter_map(|key| arrow(key)).collect(),
        _ => Vec::new(),
    }
}

fn arrow(key: &str) -> Option<(String, String)> {
    let (from, to) = key.split_once("->")?;
    Some((from.trim().to_owned(), to.trim().to_owned()))
}

fn step(transition: &Value) -> Option<(String, String)> {
    let object = transition.as_object()?;
    let end = |object: &Map<String, Value>, names: [&str; 2]| {
        names.iter().find_map(|name| object.get(*name)?.as_str().map(str::to_owned))
    };
    Some((end(object, ["from", "from_state"])?, end(object, ["to", "to_state"])?))
}

#[cfg(test)]
mod tests {
    use super::{NewFlow, Rules, check_queue};
    use serde_json::json;

    fn rules() -> Rules {
        Rules::new(
            "f",
            r#"["incoming","claimed","review",5,"done","failed"]"#,
            r#"[{"from":"claimed","to":"review"},null,{"from_state":"review","to_state":"done"}]"#,
            Some(r#"{"transitions":{"incoming -> claimed":{},"claimed -> done":{}}}"#),
        )
    }

    #[test]
    fn only_listed_steps_are_allowed_and_children_take_the_child_flows_too() {
        assert!(rules().allows("claimed", "review", false));
        assert!(rules().allows("review", "done", false));
        assert!(!rules().allows("claimed", "done", false));
        assert!(rules().allows("claimed", "done", true));
    }

    #[test]
    fn a_queue_name_is_checked_only_where_a_flow_is_registered() {
        assert!(check_queue("anything", None, false).is_ok());
        assert!(check_queue("review", Some(&rules()), false).is_ok());
        assert!(check_queue("incoming", Some(&Rules::default()), false).is_ok());
        let refusal = check_queue("banana", Some(&rules()), false).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Invalid queue \"banana\". Valid queues for flow \"f\": \
             incoming, claimed, review, done, failed"
        );
    }

    #[test]
    fn a_registration_is_checked_before_it_is_stored() {
        let check = |body| serde_json::from_value::<NewFlow>(body).unwrap().check("f");
        let text = |body| check(body).unwrap_err().to_string();
        assert_eq!(text(json!({})), "Missing required field: states (array)");
        let all = json!(["incoming", "claimed", "done", "failed"]);
        assert_eq!(text(json!({"states": all})), "Missing required field: transitions (array)");
        assert_eq!(
            text(json!({"states": ["incoming", "claimed"], "transitions": []})),
            "Flow states must include built-in state \"done\". Got: incoming, claimed"
        );
        assert!(check(json!({"states": all, "transitions": [null]})).is_err());
        assert!(check(json!({"states": ["incoming", 5], "transitions": []})).is_err());
        assert!(check(json!({"states": all, "transitions": [{"from": "a", "to": "b"}]})).is_ok());
    }

    #[test]
    fn a_flow_has_bounds() {
        let check = |body| serde_json::from_value::<NewFlow>(body).unwrap().check("f");
        let text = |body| check(body).unwrap_err().to_string();
        let states = |more: usize| {
            let more = (0..more).map(|number| format!("s{number}"));
            let built_in = ["incoming", "claimed", "done", "failed"].map(str::to_owned);
            built_in.into_iter().chain(more).collect::<Vec<_>>()
        };
        let steps = |count: usize| vec![json!({"from": "claimed", "to": "incoming"}); count];
        let flow = |more, count| json!({"states": states(more), "transitions": steps(count)});
        assert!(check(flow(96, 1_000)).is_ok());
        assert_eq!(text(flow(97, 0)), "Too many states: at most 100. Split the flow in two");
        assert_eq!(
            text(flow(0, 1_001)),
            "Too many transitions: at most 1000. Split the flow in two"
        );
        let mut long = flow(0, 0);
        long["child_flow"] = "x".repeat(65_536).into();
        assert_eq!(
            text(long),
            "states, transitions and child_flow are too long: at most 65536 bytes together. \
             Split the flow in two"
        );
        let mut long = flow(0, 0);
        long["states"] = states(0).into_iter().chain(["x".repeat(513)]).collect();
        assert_eq!(text(long), "states is too long: at most 512 bytes");
        let mut nul = flow(0, 0);
        nul["states"] = states(0).into_iter().chain(["\0".to_owned()]).collect();
        assert_eq!(text(nul), "states must not contain NUL");
        for (name, why) in [
            ("x".repeat(513), "transitions is too long: at most 512 bytes"),
            ("\0".to_owned(), "transitions must not contain NUL"),
        ] {
            for step in
                [json!({"from": name, "to": "done"}), json!({"from": "done", "to_state": name})]
            {
                let mut bad = flow(0, 0);
                bad["transitions"] = json!([step]);
                assert_eq!(text(bad), why, "{step}");
            }
        }
    }
}
