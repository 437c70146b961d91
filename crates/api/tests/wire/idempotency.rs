//! `Idempotency-Key`: what is sent again is done once.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use axum::{body::Body, http::Request};
use octopoid_api::{AuthMode, jobs::run_jobs};
use serde_json::{Value, json};

use crate::{
    common::{Answer, START, TestApp},
    values,
};

const KEY: &str = "0123456789abcdef";
const TASKS: &str = "/api/v1/tasks";
const REFUSAL: &str = "Invalid Idempotency-Key: send one key of 16 to 255 printable ASCII \
     characters, such as a random UUID";

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    post_raw(app, path, key, body.to_string()).await
}

async fn post_raw(app: &TestApp, path: &str, key: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("idempotency-key", key);
    app.send(request.body(body.into()).unwrap()).await
}

fn is_replayed(answer: &Answer) -> bool {
    values(answer, "idempotency-replayed") == ["true"]
}

/// Sends a request twice. The second answer is the first one, and says so.
async fn twice(app: &TestApp, path: &str, body: Value, status: u16) -> Value {
    let first = post(app, path, KEY, &body).await;
    assert!(!is_replayed(&first), "{path}");
    let done = first.expect(status);
    app.passes(1_000);
    let again = post(app, path, KEY, &body).await;
    assert_eq!(again.expect(status), done, "{path}");
    assert!(is_replayed(&again), "{path}");
    assert_eq!(first.headers.get("etag"), again.headers.get("etag"), "{path}");
    done
}

fn task(id: &str) -> Value {
    json!({"id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": "s"})
}

fn claim() -> Value {
    json!({"orchestrator_id": "box-1", "agent_name": "agent-1", "scope": "s"})
}

#[tokio::test]
async fn every_step_of_a_task_is_taken_once() {
    let app = TestApp::new().await;
    let hooked = json!({"hooks": [{"name": "lint"}]});
    let mut body = task("a");
    body["hooks"] = hooked["hooks"].clone();
    twice(&app, TASKS, body, 201).await;
    let claimed = twice(&app, &format!("{TASKS}/claim"), claim(), 200).await;
    assert!(claimed["lease_token"].as_str().unwrap().starts_with("olt_1_"));
    let take = |verb: &str| format!("{TASKS}/a/{verb}");
    twice(&app, &take("hooks/lint/complete"), json!({"status": "passed"}), 200).await;
    twice(&app, &take("requeue"), json!({}), 200).await;
    app.claim(json!({})).await.expect(200);
    let report = json!({"commits_count": 1, "turns_used": 2});
    twice(&app, &take("submit"), report.clone(), 200).await;
    twice(&app, &take("reject"), json!({"reason": "no", "rejected_by": "human"}), 200).await;
    app.claim(json!({})).await.expect(200);
    twice(&app, &take("fail"), json!({"reason": "crash", "message": "oh"}), 200).await;
    twice(&app, &take("cancel"), json!({"by": "human", "reason": "no"}), 200).await;
    twice(&app, &take("retry"), json!({"by": "human"}), 200).await;
    let order = json!({"queue": "provisional", "reason": "why not"});
    twice(&app, &take("force-queue"), order, 200).await;
    let done = twice(&app, &take("accept"), json!({"accepted_by": "human"}), 200).await;
    let history = app.get(&take("history")).await.expect(200);
    assert_eq!(done["version"], 13, "{history}");
    let messages = app.get(&format!("{TASKS}/a/messages?scope=s")).await.expect(200);
    assert_eq!(messages["total"], 2, "a rejection and a forced move: {messages}");
}

#[tokio::test]
async fn the_other_nouns_are_created_and_changed_once() {
    let app = TestApp::new().await;
    let project = json!({"id": "p", "title": "t", "branch": "b", "scope": "s"});
    twice(&app, "/api/v1/projects", project, 201).await;
    let draft = json!({"title": "t", "author": "human", "scope": "s"});
    let draft = twice(&app, "/api/v1/drafts", draft, 201).await["id"].clone();
    let promotion = json!({"to": "task", "id": "t", "file_path": "t", "branch": "main"});
    twice(&app, &format!("/api/v1/drafts/{draft}/promote"), promotion, 201).await;
    let message = json!({
        "task_id": "t", "from_actor": "a", "type": "info", "content": "c", "scope": "s",
    });
    twice(&app, "/api/v1/messages", message, 201).await;
    let action = json!({
        "entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "p", "scope": "s",
    });
    let action = twice(&app, "/api/v1/actions", action, 201).await;
    let path = |verb| format!("/api/v1/actions/{}/{verb}", action["id"].as_str().unwrap());
    twice(&app, &path("execute"), json!({}), 200).await;
    twice(&app, &path("complete"), json!({"result": "r"}), 200).await;
    let action = json!({
        "entity_type": "task", "entity_id": "t", "label": "m", "proposed_by": "p", "scope": "s",
    });
    let action = post(&app, "/api/v1/actions", "another-key-00001", &action).await.expect(201);
    let path = format!("/api/v1/actions/{}/fail", action["id"].as_str().unwrap());
    twice(&app, &path, json!({"result": "r"}), 200).await;
}

#[tokio::test]
async fn quotes_around_a_key_do_not_count_and_bad_keys_are_refused() {
    let app = TestApp::new().await;
    post(&app, TASKS, KEY, &task("a")).await.expect(201);
    let again = post(&app, TASKS, &format!("\"{KEY}\""), &task("a")).await;
    again.expect(201);
    assert!(is_replayed(&again));
    for bad in ["", "short", "\"0123456789abcde\"", &"k".repeat(256)] {
        let answer = post(&app, TASKS, bad, &task("b")).await;
        assert_eq!(answer.error(400), REFUSAL, "{bad}");
        assert_eq!(answer.json()["code"], "invalid_request");
    }
    app.get(&format!("{TASKS}/b")).await.expect(404);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_422() {
    let app = TestApp::new().await;
    post(&app, TASKS, KEY, &task("a")).await.expect(201);
    // Also the same JSON in other bytes.
    let spaced = format!(" {}", task("a"));
    for body in [task("b").to_string(), spaced] {
        let answer = post_raw(&app, TASKS, KEY, body).await;
        let text = "Idempotency-Key was used with another request: repeat a request unchanged, and \
                    give each new one a key of its own";
        assert_eq!(answer.error(422), text);
        assert_eq!(answer.json()["code"], "idempotency_mismatch");
        assert!(!is_replayed(&answer));
    }
    // The path is a part of the request.
    app.task("b", json!({})).await;
    let cancel = json!({"by": "human", "reason": "no"});
    post(&app, &format!("{TASKS}/a/cancel"), KEY, &cancel).await.expect(200);
    let answer = post(&app, &format!("{TASKS}/b/cancel"), KEY, &cancel).await;
    assert_eq!(answer.expect(422)["code"], "idempotency_mismatch");
    assert_eq!(app.get(&format!("{TASKS}/b")).await.expect(200)["queue"], "incoming");
}

#[tokio::test]
async fn what_was_refused_is_tried_again() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let (path, body) = (format!("{TASKS}/a/submit"), json!({"commits_count": 1, "turns_used": 2}));
    let refused = post(&app, &path, KEY, &body).await;
    assert_eq!(refused.expect(409)["code"], "wrong_state");
    assert!(!is_replayed(&refused));
    app.claim(json!({})).await.expect(200);
    let done = post(&app, &path, KEY, &body).await;
    assert_eq!(done.expect(200)["queue"], "provisional");
    assert!(!is_replayed(&done));
}

#[tokio::test]
async fn what_is_gone_by_now_is_404_and_a_lost_lease_409() {
    let app = TestApp::new().await;
    post(&app, TASKS, KEY, &task("a")).await.expect(201);
    post(&app, &format!("{TASKS}/claim"), KEY, &claim()).await.expect(200);
    let requeue = format!("{TASKS}/a/requeue");
    post(&app, &requeue, KEY, &json!({})).await.expect(200);
    let lost = post(&app, &format!("{TASKS}/claim"), KEY, &claim()).await;
    assert_eq!(lost.error(409), "Failed to claim task");
    assert_eq!(lost.json()["code"], "lease_lost");
    assert_eq!(
        lost.json()["details"],
        json!(["Run 1 was ended by requeue at 2026-11-21T20:58:58.605Z"])
    );
    assert!(is_replayed(&lost));
    app.delete(&format!("{TASKS}/a")).await.expect(200);
    for (path, body) in [(TASKS, task("a")), (&requeue, json!({}))] {
        let gone = post(&app, path, KEY, &body).await;
        assert_eq!(gone.expect(404)["code"], "task_not_found");
        assert!(is_replayed(&gone), "{path}");
    }
    let lost = post(&app, &format!("{TASKS}/claim"), KEY, &claim()).await;
    assert_eq!(lost.expect(409)["details"], json!(["The task was deleted"]));
}

#[tokio::test]
async fn a_claim_that_found_nothing_is_made_again() {
    let app = TestApp::new().await;
    let path = format!("{TASKS}/claim");
    let nothing = post(&app, &path, KEY, &claim()).await;
    assert_eq!(nothing.expect(404), json!({"message": "No tasks available"}));
    assert!(!is_replayed(&nothing));
    app.task("a", json!({})).await;
    assert_eq!(post(&app, &path, KEY, &claim()).await.expect(200)["id"], "a");
}

/// The same request on two connections: both are answered with the same task.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_claim_finds_what_the_same_request_was_given() {
    let app = TestApp::new().await;
    app.host.waits.store(true, Ordering::SeqCst);
    let waiter = |app: TestApp| async move {
        let request = Request::post(format!("{TASKS}/claim"))
            .header("idempotency-key", KEY)
            .header("prefer", "wait=50");
        app.send(request.body(Body::from(claim().to_string())).unwrap()).await
    };
    let waiters = [tokio::spawn(waiter(app.clone())), tokio::spawn(waiter(app.clone()))];
    app.task("a", json!({})).await;
    let mut number = 0;
    while !waiters.iter().all(tokio::task::JoinHandle::is_finished) {
        // A hint for the one that still waits.
        app.task(&format!("b{number}"), json!({})).await;
        number += 1;
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    for waiter in waiters {
        answers.push(waiter.await.unwrap());
    }
    let tokens: BTreeSet<_> =
        answers.iter().map(|answer| answer.expect(200)["lease_token"].to_string()).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(answers.iter().filter(|answer| is_replayed(answer)).count(), 1);
    let held = app.get(&format!("{TASKS}?scope=s&queue=claimed")).await.expect(200);
    assert_eq!(held["total"], 1);
}

#[tokio::test]
async fn each_scope_has_its_own_keys() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let mut body = task("a");
    body.as_object_mut().unwrap().remove("scope");
    let (first, second) = (app.holder("s").await, app.holder("t").await);
    post(&first, TASKS, KEY, &body).await.expect(201);
    // The id is taken, and nothing tells whose key was the same.
    let answer = post(&second, TASKS, KEY, &body).await;
    assert_eq!(answer.expect(409)["code"], "already_exists");
    assert!(!is_replayed(&answer));
    let again = post(&first, TASKS, KEY, &body).await;
    assert_eq!(again.expect(201)["scope"], "s");
    assert!(is_replayed(&again));
}

#[tokio::test]
async fn the_jobs_forget_requests_after_a_day() {
    let app = TestApp::new().await;
    let message = json!({
        "task_id": "t", "from_actor": "a", "type": "info", "content": "c", "scope": "s",
    });
    let path = "/api/v1/messages";
    let first = post(&app, path, KEY, &message).await.expect(201);
    app.passes(86_400_000);
    run_jobs(&app.app).await.unwrap();
    assert_eq!(post(&app, path, KEY, &message).await.expect(201)["id"], first["id"]);
    app.passes(1);
    run_jobs(&app.app).await.unwrap();
    let another = post(&app, path, KEY, &message).await;
    assert_ne!(another.expect(201)["id"], first["id"]);
    assert!(!is_replayed(&another));
    assert_eq!(app.app.now().0, START + 86_400_001);
}

/// The POSTs that take a key, as the document says; all others ignore it.
#[tokio::test]
async fn the_document_names_the_operations_that_take_a_key() {
    let document: Value = serde_json::from_str(octopoid_api::openapi::document()).unwrap();
    let (mut named, mut found) = (BTreeSet::new(), BTreeSet::new());
    let app = TestApp::guarded(AuthMode::Open).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            if parameters.any(|parameter| parameter["name"] == "Idempotency-Key") {
                named.insert(id);
            }
            let path = path.replace("{id}", "1").replace("{hook}", "h").replace("{name}", "n");
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(path)
                .header("idempotency-key", "bad");
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            if answer.text.contains("Invalid Idempotency-Key") {
                found.insert(id);
            }
        }
    }
    assert_eq!(named, found);
    let expected = BTreeSet::from([
        "accept_task",
        "cancel_task",
        "claim_task",
        "complete_action",
        "complete_hook",
        "create_action",
        "create_draft",
        "create_message",
        "create_project",
        "create_task",
        "execute_action",
        "fail_action",
        "fail_task",
        "force_queue_task",
        "promote_draft",
        "reject_task",
        "requeue_task",
        "retry_task",
        "submit_task",
    ]);
    assert_eq!(found, expected);
}
