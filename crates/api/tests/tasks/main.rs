//! The queue over HTTP: every status and every text of the contract, one file for each operation.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../common/mod.rs"]
mod common;

mod accept;
mod claim;
mod claim_source;
mod create;
mod cycles;
mod dates;
mod delete;
mod fail;
mod force_queue;
mod get;
mod history;
mod hooks;
mod leases;
mod list;
mod logs;
mod races;
mod reject;
mod renew;
mod requeue;
mod runs;
mod submit;
mod trace;
mod update;
mod update_fields;
mod waiting;
mod why;

use serde_json::{Map, Value, json};

use common::{Answer, TestApp};

const TASKS: &str = "/api/v1/tasks";

/// The flow that the clients ship.
async fn register_flow(app: &TestApp) {
    let body = json!({
        "scope": "s",
        "states": ["incoming", "claimed", "provisional", "done", "failed", "requires-intervention"],
        "transitions": [
            {"from": "incoming", "to": "claimed", "agent": "implementer"},
            {"from": "claimed", "to": "provisional", "runs": ["push_branch"]},
            {"from": "provisional", "to": "done", "conditions": [{"type": "manual"}]},
            {"from": "provisional", "to": "incoming"},
            {"from": "requires-intervention", "to": "claimed"},
        ],
    });
    app.put("/api/v1/flows/default", body).await.expect(200);
}

/// Registers an orchestrator of a scope, and roles with the queues they claim from.
async fn register_roles(app: &TestApp, scope: &str, roles: &[(&str, &str)]) {
    let machine = json!({"cluster": "c", "machine_id": scope, "repo_url": "u", "scope": scope});
    let answer = app.post("/api/v1/orchestrators/register", machine).await;
    let id = answer.expect(201)["orchestrator_id"].clone();
    let roles: Vec<_> =
        roles.iter().map(|(name, from)| json!({"name": name, "claims_from": from})).collect();
    let body = json!({"orchestrator_id": id, "roles": roles});
    app.post("/api/v1/roles/register", body).await.expect(200);
}

/// Creates a task and claims it.
async fn claimed(app: &TestApp, id: &str) -> Value {
    app.task(id, json!({})).await;
    app.claim(json!({})).await.expect(200)
}

/// Creates a task, claims it and hands it in.
async fn submitted(app: &TestApp, id: &str) -> Value {
    claimed(app, id).await;
    submit(app, id, json!({"commits_count": 3, "turns_used": 42})).await.expect(200)
}

/// Creates a task and sees it through to its end.
async fn done(app: &TestApp, id: &str) -> Value {
    submitted(app, id).await;
    step(app, id, "accept", json!({"accepted_by": "human"})).await.expect(200)
}

async fn submit(app: &TestApp, id: &str, body: Value) -> Answer {
    step(app, id, "submit", body).await
}

async fn step(app: &TestApp, id: &str, step: &str, body: Value) -> Answer {
    app.post(&format!("{TASKS}/{id}/{step}"), body).await
}

async fn read(app: &TestApp, id: &str) -> Value {
    app.get(&format!("{TASKS}/{id}")).await.expect(200)
}

/// What happened to a task: event, agent and details.
async fn events(app: &TestApp, id: &str) -> Vec<(String, Value, Value)> {
    let history = app.get(&format!("{TASKS}/{id}/history?limit=500")).await.expect(200);
    let events = history["events"].as_array().expect("a list of events");
    let text = |event: &Value| event["event"].as_str().expect("a name").to_owned();
    events
        .iter()
        .map(|event| (text(event), event["agent"].clone(), event["details"].clone()))
        .collect()
}

/// The last event of a task.
async fn last_event(app: &TestApp, id: &str) -> (String, Value, Value) {
    events(app, id).await.pop().expect("a task has at least one event")
}

fn event(name: &str, agent: impl Into<Value>, details: impl Into<Value>) -> (String, Value, Value) {
    (name.to_owned(), agent.into(), details.into())
}

/// Takes from the answer to a claim what is for the holder alone, without the token.
fn holders_own(claimed: &mut Value) -> Value {
    let claimed = claimed.as_object_mut().expect("an object");
    let token = claimed.remove("lease_token").expect("a claim has a token");
    assert!(token.as_str().is_some_and(|token| token.starts_with("olt_")), "{token}");
    let own = ["attempt", "feedback", "checkpoint", "previous"];
    let own = own.map(|name| (name.to_owned(), claimed.remove(name).expect("a claim has all")));
    Value::Object(own.into_iter().collect())
}

/// The keys whose values differ, with their new values.
fn changes(before: &Value, after: &Value) -> Value {
    let after = after.as_object().expect("an object");
    let changed = after.iter().filter(|(key, value)| before[key.as_str()] != **value);
    Value::Object(changed.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

/// The one reason of a 409, whose `error` must be the given one.
#[track_caller]
fn conflict(answer: &Answer, error: &str) -> String {
    let body = answer.expect(409);
    assert_eq!(body["error"], error);
    match body["details"].as_array().map(Vec::as_slice) {
        Some([reason]) => reason.as_str().expect("a reason in words").to_owned(),
        _ => panic!("expected one reason in {body}"),
    }
}

/// The answer to a request about a task that does not exist.
#[track_caller]
fn assert_no_task(answer: &Answer, id: &str) {
    assert_eq!(
        answer.expect(404),
        json!({"error": "Task not found", "code": "task_not_found", "task_id": id})
    );
}

/// The ids of a list of tasks, in its order.
#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.expect(200);
    let tasks = body["tasks"].as_array().expect("a list of tasks");
    tasks.iter().map(|task| task["id"].as_str().expect("an id").to_owned()).collect()
}
