use serde_json::{Value, json};

use super::{ClaimRequest, NewTask};
use crate::{Refusal, Task, input::parse_body, time::Millis};

#[test]
fn required_fields_are_asked_for_in_the_contracts_order() {
    let text = |body: &str| {
        let body: NewTask = parse_body(body.as_bytes()).unwrap();
        body.into_task(None, Millis(0)).unwrap_err().to_string()
    };
    assert_eq!(text(r#"{"id":"a"}"#), "Missing required fields: id, file_path");
    assert_eq!(
        text(r#"{"id":"a","file_path":"f"}"#),
        "Missing required field: branch. Caller must set branch explicitly."
    );
    assert_eq!(
        text(r#"{"id":"a","file_path":"f","branch":"b"}"#),
        "Missing required field: scope. All tasks must belong to a scope."
    );
}

#[test]
fn a_task_cannot_be_called_like_the_marker() {
    let refused = create("id", "awaiting-input").unwrap_err().to_string();
    assert_eq!(
        refused,
        "id must not be \"awaiting-input\": blocked_by has this name for tasks that wait for a \
         person's answer"
    );
    assert!(create("blocked_by", "awaiting-input").is_ok());
}

#[test]
fn lease_lengths_are_numbers_held_between_the_bounds() {
    let ms = |value: &str| {
        let body = format!("{{\"lease_duration_seconds\":{value}}}");
        parse_body::<ClaimRequest>(body.as_bytes())
            .map(|request| request.lease_duration_seconds.as_ms())
    };
    assert_eq!(ms("null"), Ok(300_000));
    assert_eq!(ms("0"), Ok(300_000));
    assert_eq!(ms("14400"), Ok(14_400_000));
    assert_eq!(ms("1.5"), Ok(1_500));
    assert_eq!(ms("\"60\""), Ok(60_000));
    assert_eq!(ms("-5"), Ok(1_000));
    assert_eq!(ms("1e300"), Ok(86_400_000));
    for bad in ["\"abc\"", "true", "[]", "{}", "\"NaN\"", "\"inf\""] {
        assert!(ms(bad).is_err(), "{bad}");
    }
}

fn create(field: &str, value: impl Into<Value>) -> Result<Task, Refusal> {
    let mut body = json!({ "id": "a", "file_path": "f", "branch": "b", "scope": "s" });
    body[field] = value.into();
    let body: NewTask = parse_body(body.to_string().as_bytes()).unwrap();
    body.into_task(None, Millis(0))
}

#[test]
fn what_is_in_an_index_is_no_longer_than_it_takes() {
    let keys = ["id", "branch", "scope", "queue", "priority", "role", "type", "flow"];
    let limits = keys.map(|field| (field, 512)).into_iter().chain([("file_path", 1024)]);
    for (field, max) in limits {
        assert!(create(field, "a".repeat(max)).is_ok(), "{field}");
        let text = create(field, "a".repeat(max + 1)).unwrap_err().to_string();
        assert_eq!(text, format!("{field} is too long: at most {max} bytes"));
    }
    assert!(create("content", "a".repeat(100_000)).is_ok());
}

#[test]
fn a_new_task_has_a_hundred_blockers_at_most() {
    let list = |count: i32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(create("blocked_by", list(100)).is_ok());
    let text = create("blocked_by", list(101)).unwrap_err().to_string();
    assert_eq!(text, "Too many blockers: at most 100");
}

fn claim(body: &Value) -> ClaimRequest {
    parse_body(body.to_string().as_bytes()).unwrap()
}

#[test]
fn a_claim_is_short() {
    let body = json!({ "orchestrator_id": "m", "agent_name": "a" });
    let check = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        claim(&body).check().map_err(|refusal| refusal.to_string())
    };
    for field in ["orchestrator_id", "agent_name"] {
        assert_eq!(check(field, "a".repeat(512).into()), Ok(()));
        let text = format!("{field} is too long: at most 512 bytes");
        assert_eq!(check(field, "a".repeat(513).into()), Err(text));
    }
    for field in ["role_filter", "type_filter"] {
        assert_eq!(check(field, vec!["a"; 100].into()), Ok(()));
        let text = format!("Too many entries in {field}: at most 100");
        assert_eq!(check(field, vec!["a"; 101].into()), Err(text));
    }
}

#[test]
fn a_machine_may_be_a_number() {
    let claim = claim(&json!({ "orchestrator_id": 7, "agent_name": "a" }));
    assert_eq!(claim.orchestrator_id.0.as_deref(), Some("7"));
}
