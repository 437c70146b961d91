//! Proposing, listing, executing and ending actions.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/actions";

/// Proposes an action in scope `s`, with these fields besides the required ones.
async fn action(app: &TestApp, fields: Value) -> Value {
    let mut body = json!({"entity_type": "task", "entity_id": "t", "label": "l",
        "proposed_by": "p", "scope": "s"});
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    app.post(PATH, body).await.expect(201)
}

fn path(action: &Value, verb: &str) -> String {
    format!("{PATH}/{}{verb}", action["id"].as_str().unwrap())
}

async fn labels(app: &TestApp, query: &str) -> Vec<String> {
    let list = app.get(&format!("{PATH}?scope=s{query}")).await.expect(200);
    let actions = list["actions"].as_array().unwrap();
    assert_eq!(list["total"], actions.len());
    actions.iter().map(|action| action["label"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_action_is_answered_in_the_contracts_shape() {
    let app = TestApp::new().await;
    let made = action(
        &app,
        json!({"entity_id": 1, "description": "d", "metadata": "m", "action_data": {"b": 1},
            "expires_at": "2036-01-01T00:00:00Z", "status": "completed"}),
    )
    .await;
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("act-1795294738605-") && id.len() == 24, "{id}");
    let expected = json!({
        "id": id, "entity_type": "task", "entity_id": "1", "action_type": "proposal",
        "label": "l", "description": "d", "status": "proposed", "proposed_by": "p",
        "proposed_at": "2026-11-21T20:58:58.605Z", "executed_at": null, "result": null,
        "expires_at": "2036-01-01T00:00:00Z", "metadata": "m", "action_data": "{\"b\":1}",
        "scope": "s",
    });
    assert_eq!(made, expected);
    let list = app.get("/api/v1/actions?scope=s&entity_id=1").await.expect(200);
    assert_eq!(
        list,
        json!({"actions": [expected], "total": 1, "offset": 0, "limit": 50, "next_cursor": null})
    );
}

#[tokio::test]
async fn a_bad_action_is_refused_in_words() {
    let app = TestApp::new().await;
    let full = json!({"entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "p"});
    for field in ["entity_type", "entity_id", "label", "proposed_by"] {
        let mut body = full.clone();
        body[field] = Value::Null;
        assert_eq!(
            app.post(PATH, body).await.error(400),
            "Missing required fields: entity_type, entity_id, label, proposed_by"
        );
    }
    let error = app.post(PATH, full).await.error(400);
    assert_eq!(error, "Missing required field: scope. All actions must belong to a scope.");
    assert_eq!(app.raw("POST", PATH, "").await.error(400), "Invalid JSON body");
    let error = app.post(PATH, json!({"metadata": 5})).await.error(400);
    assert!(error.starts_with("Invalid value for metadata"), "{error}");
}

#[tokio::test]
async fn actions_are_listed_newest_first_and_filtered() {
    let app = TestApp::new().await;
    let error = app.get(PATH).await.error(400);
    let expected =
        "Missing required query parameter: scope. Cannot list actions across all scopes.";
    assert_eq!(error, expected);
    let first = action(&app, json!({"label": "a", "entity_type": "draft", "entity_id": 5})).await;
    action(&app, json!({"label": "b"})).await;
    action(&app, json!({"label": "foreign", "scope": "x"})).await;
    app.post(&path(&first, "/execute"), json!({})).await.expect(200);
    assert_eq!(labels(&app, "").await, ["b", "a"]);
    assert_eq!(labels(&app, "&entity_type=draft").await, ["a"]);
    assert_eq!(labels(&app, "&entity_type=task&entity_id=t").await, ["b"]);
    assert_eq!(labels(&app, "&entity_id=5").await, ["a"]);
    assert_eq!(labels(&app, "&status=proposed").await, ["b"]);
    assert!(labels(&app, "&entity_type=draft&status=pending").await.is_empty());
    let page = app.get("/api/v1/actions?scope=s&limit=1&offset=1").await.expect(200);
    assert_eq!(page["actions"][0]["label"], "a");
    let numbers = (&page["total"], &page["offset"], &page["limit"]);
    assert_eq!(numbers, (&json!(2), &json!(1), &json!(1)));
}

#[tokio::test]
async fn what_has_expired_is_neither_listed_nor_executed() {
    let app = TestApp::new().await;
    let soon = action(&app, json!({"label": "a", "expires_at": "2026-11-21 20:58:59"})).await;
    action(&app, json!({"label": "b", "expires_at": "2036-01-01"})).await;
    assert_eq!(labels(&app, "").await, ["b", "a"]);
    app.passes(395);
    assert_eq!(labels(&app, "").await, ["b"]);
    let refused = app.post(&path(&soon, "/execute"), json!({})).await;
    assert_eq!(refused.error(400), "Action has expired");
}

#[tokio::test]
async fn an_action_is_executed_once() {
    let app = TestApp::new().await;
    let made = action(&app, json!({})).await;
    app.passes(1_000);
    let executed = app.raw("POST", &path(&made, "/execute"), "not json").await.expect(200);
    assert_eq!(executed["status"], "execute_requested");
    assert_eq!(executed["executed_at"], "2026-11-21T20:58:59.605Z");
    assert_eq!(
        app.post(&path(&made, "/execute"), json!({})).await.error(400),
        "Cannot execute action with status \"execute_requested\". Only \"proposed\" actions can \
         be executed."
    );
    let missing = app.post("/api/v1/actions/none/execute", json!({})).await;
    assert_eq!(missing.error(404), "Action not found");
}

#[tokio::test]
async fn a_patch_sets_status_and_result() {
    let app = TestApp::new().await;
    let made = action(&app, json!({})).await;
    let one = path(&made, "");
    let body = json!({"status": "executing", "result": {"ok": true}, "scope": "s"});
    let patched = app.patch(&one, body).await.expect(200);
    assert_eq!(patched["status"], "executing");
    assert_eq!(patched["result"], "{\"ok\":true}");
    let cleared = app.patch(&one, json!({"result": null})).await.expect(200);
    assert_eq!((&cleared["status"], &cleared["result"]), (&json!("executing"), &Value::Null));
}

#[tokio::test]
async fn a_bad_patch_is_refused_in_words() {
    let app = TestApp::new().await;
    let made = action(&app, json!({})).await;
    let one = path(&made, "");
    for body in [json!({}), json!({"status": "", "label": "x"})] {
        let error = app.patch(&one, body).await.error(400);
        assert_eq!(error, "No valid fields to update. Updatable fields: status, result");
    }
    assert_eq!(
        app.patch(&one, json!({"status": "pending"})).await.error(400),
        "Invalid status \"pending\". Valid statuses: proposed, execute_requested, executing, \
         completed, failed, expired"
    );
    assert_eq!(app.raw("PATCH", &one, "{").await.error(400), "Invalid JSON body");
    for body in [json!({}), json!({"status": "pending"}), json!({"status": "failed"})] {
        let error = app.patch("/api/v1/actions/none", body).await.error(404);
        assert_eq!(error, "Action not found");
    }
}

#[tokio::test]
async fn an_action_that_has_ended_stays_ended() {
    let app = TestApp::new().await;
    for (verb, status) in [("complete", "completed"), ("fail", "failed")] {
        let made = action(&app, json!({})).await;
        let end = path(&made, &format!("/{verb}"));
        let ended = app.post(&end, json!({"result": {"n": [1]}, "scope": "s"})).await.expect(200);
        assert_eq!(ended["status"], status);
        assert_eq!(ended["result"], "{\"n\":[1]}");
        assert_eq!(
            app.post(&end, json!({})).await.error(400),
            format!(
                "Cannot {verb} action with status \"{status}\". Only \"proposed\", \
                 \"execute_requested\" or \"executing\" actions can be {status}."
            )
        );
        let reopened = app.patch(&path(&made, ""), json!({"status": "proposed"})).await;
        let text = format!("Cannot change the status of an action with status \"{status}\"");
        assert_eq!(reopened.error(400), text);
        app.post(&path(&made, "/execute"), json!({})).await.expect(400);
        let same = app.patch(&path(&made, ""), json!({"status": status, "result": "r"})).await;
        assert_eq!(same.expect(200)["result"], "r");
        let missing = app.post(&format!("/api/v1/actions/none/{verb}"), json!({})).await;
        assert_eq!(missing.error(404), "Action not found");
    }
}

#[tokio::test]
async fn an_action_may_end_from_any_open_status_without_a_body() {
    let app = TestApp::new().await;
    for status in ["proposed", "execute_requested", "executing"] {
        let made = action(&app, json!({})).await;
        let body = json!({"status": status, "result": "r"});
        app.patch(&path(&made, ""), body).await.expect(200);
        let ended = app.raw("POST", &path(&made, "/complete"), "").await.expect(200);
        assert_eq!((&ended["status"], &ended["result"]), (&json!("completed"), &json!("r")));
    }
    let made = action(&app, json!({})).await;
    app.patch(&path(&made, ""), json!({"status": "expired"})).await.expect(200);
    app.post(&path(&made, "/fail"), json!({})).await.expect(400);
    let bad = app.post(&path(&made, "/fail"), json!({"result": 5})).await.error(400);
    assert!(bad.starts_with("Invalid value for result"), "{bad}");
}

#[tokio::test]
async fn the_holder_of_a_key_sees_only_its_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let foreign = action(&app, json!({"scope": "x"})).await;
    let holder = app.holder("s").await;
    let body = json!({"entity_type": "task", "entity_id": "t", "label": "own",
        "proposed_by": "p"});
    assert_eq!(holder.post(PATH, body).await.expect(201)["scope"], "s");
    assert_eq!(holder.get(PATH).await.expect(200)["total"], 1);
    for answer in [
        holder.post(&path(&foreign, "/execute"), json!({})).await,
        holder.post(&path(&foreign, "/complete"), json!({})).await,
        holder.post(&path(&foreign, "/fail"), json!({})).await,
        holder.patch(&path(&foreign, ""), json!({"result": "r"})).await,
    ] {
        assert_eq!(answer.error(404), "Action not found");
    }
}
