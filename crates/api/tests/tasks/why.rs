//! Why tasks wait.

use serde_json::{Value, json};

use crate::{TASKS, common::TestApp};

async fn pause(app: &TestApp, target: &str, until: Value) {
    let body = json!({"scope": "s", "reason": "lunch", "by": "ann", "until": until});
    app.put(&format!("/api/v1/pauses/{target}"), body).await.expect(200);
}

async fn has_machine(app: &TestApp) {
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", body).await.expect(201);
}

#[tokio::test]
async fn a_task_that_can_be_claimed_says_so() {
    let app = TestApp::new().await;
    app.task("t", json!({})).await;
    let why = app.get(&format!("{TASKS}/t/why")).await.expect(200);
    let text = "No machine of the scope has sent a heartbeat lately: start one";
    let expected = json!({"claimable": true, "reasons": [{"code": "no_machine", "text": text}]});
    assert_eq!(why, expected);
    has_machine(&app).await;
    let why = app.get(&format!("{TASKS}/t/why")).await.expect(200);
    assert_eq!(why, json!({"claimable": true, "reasons": []}));
}

#[tokio::test]
async fn every_reason_is_told_with_what_ends_it() {
    let app = TestApp::new().await;
    has_machine(&app).await;
    app.task("a", json!({})).await;
    let fields = json!({
        "blocked_by": "a", "not_before": "2026-11-21T21:00:00Z", "role": null,
    });
    app.task("t", fields).await;
    pause(&app, "queue:incoming", json!("2026-11-21T20:59:00Z")).await;
    let why = app.get(&format!("{TASKS}/t/why?scope=s")).await.expect(200);
    let expected = json!({"claimable": false, "reasons": [
        {
            "code": "waits_for", "task_id": "a",
            "text": "It waits for task a, which is in queue \"incoming\"",
        },
        {
            "code": "not_before", "until": "2026-11-21T21:00:00.000Z",
            "text": "It is delayed until 2026-11-21T21:00:00.000Z",
        },
        {
            "code": "paused", "until": "2026-11-21T20:59:00.000Z",
            "text": "Queue \"incoming\" is paused by ann until 2026-11-21T20:59:00.000Z: lunch",
        },
    ]});
    assert_eq!(why, expected);
    app.delete("/api/v1/pauses/queue:incoming?scope=s").await.expect(200);
    app.claim(json!({})).await.expect(200);
    let held = app.get(&format!("{TASKS}/a/why")).await.expect(200);
    let expected = json!({"claimable": false, "reasons": [{
        "code": "held", "holder": "agent-1", "until": "2026-11-22T00:58:58.605Z",
        "text": "It is held by agent-1 until 2026-11-22T00:58:58.605Z, unless renewed",
    }]});
    assert_eq!(held, expected);
}

#[tokio::test]
async fn an_unknown_task_is_404() {
    let app = TestApp::new().await;
    app.task("t", json!({})).await;
    assert_eq!(app.get(&format!("{TASKS}/x/why")).await.expect(404)["code"], "task_not_found");
    let elsewhere = app.get(&format!("{TASKS}/t/why?scope=other")).await.expect(404);
    assert_eq!(elsewhere["code"], "task_not_found");
}

#[tokio::test]
async fn a_list_says_why_its_tasks_wait_if_asked() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    let plain = app.get(&format!("{TASKS}?scope=s")).await.expect(200);
    assert_eq!(plain["tasks"][0].get("waiting"), None);
    let listed = app.get(&format!("{TASKS}?scope=s&include=waiting&limit=500")).await.expect(200);
    assert_eq!((&listed["limit"], &listed["total"]), (&json!(100), &json!(2)));
    let waiting = json!({
        "code": "waits_for", "task_id": "a",
        "text": "It waits for task a, which is in queue \"incoming\"",
    });
    assert_eq!(listed["tasks"][0]["waiting"], waiting);
    assert_eq!(listed["tasks"][1].get("waiting"), Some(&Value::Null));
    let text = app.get(&format!("{TASKS}?scope=s&include=x")).await.error(400);
    assert_eq!(text, "Invalid value for include: \"x\". The values are waiting and run");
}

#[tokio::test]
async fn a_list_has_what_can_be_claimed_or_the_rest() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    app.task("c", json!({"queue": "done"})).await;
    for (query, ids) in [
        ("claimable=true", json!(["a"])),
        ("claimable=false", json!(["c", "b"])),
        ("claimable=false&queue=incoming", json!(["b"])),
        ("claimable=maybe", json!(["c", "b", "a"])),
    ] {
        let listed = app.get(&format!("{TASKS}?scope=s&{query}")).await.expect(200);
        let tasks = listed["tasks"].as_array().unwrap();
        let found: Value = tasks.iter().map(|task| task["id"].clone()).collect();
        assert_eq!(found, ids, "{query}");
        assert_eq!(listed["total"], tasks.len(), "{query}");
    }
}

#[tokio::test]
async fn a_claim_that_a_pause_keeps_from_everything_says_when_to_come_back() {
    let app = TestApp::new().await;
    app.task("t", json!({"role": "r"})).await;
    pause(&app, "pool:anthropic", json!("2026-11-21T20:59:00Z")).await;
    let nothing = app.claim(json!({"pools": ["anthropic", "x"]})).await.expect(404);
    assert_eq!(nothing, json!({"message": "No tasks available", "retry_after_seconds": 2}));
    let nothing = app.claim(json!({"queue": "provisional"})).await.expect(404);
    assert_eq!(nothing, json!({"message": "No tasks available"}));
    pause(&app, "scope", Value::Null).await;
    let nothing = app.claim(json!({})).await.expect(404);
    assert_eq!(nothing["retry_after_seconds"], 300);
    app.delete("/api/v1/pauses/scope?scope=s").await.expect(200);
    assert_eq!(app.claim(json!({"pools": ["x"]})).await.expect(200)["id"], "t");
}

#[tokio::test]
async fn a_delayed_task_is_claimable_once_the_jobs_have_run_after_its_delay() {
    let app = TestApp::new().await;
    let text = app.post(TASKS, json!({"id": "x", "not_before": "soon"})).await.error(400);
    assert!(text.starts_with("Invalid value for not_before: "), "{text}");
    let task = app.task("t", json!({"not_before": "2026-11-21T20:59:00Z"})).await;
    assert_eq!(task["not_before"], "2026-11-21T20:59:00.000Z");
    octopoid_api::jobs::run_jobs(&app.app).await.unwrap();
    app.claim(json!({})).await.expect(404);
    app.passes(2_000);
    octopoid_api::jobs::run_jobs(&app.app).await.unwrap();
    assert_eq!(app.claim(json!({})).await.expect(200)["not_before"], Value::Null);
    let over = app.task("u", json!({"not_before": "2026-11-21T20:59:00Z"})).await;
    assert_eq!(over["not_before"], Value::Null, "it has passed already");
    let patched =
        app.patch(&format!("{TASKS}/u"), json!({"not_before": 1_795_300_000_000_i64})).await;
    assert_eq!(patched.expect(200)["not_before"], "2026-11-21T22:26:40.000Z");
    app.claim(json!({})).await.expect(404);
    app.patch(&format!("{TASKS}/u"), json!({"not_before": null})).await.expect(200);
    app.claim(json!({})).await.expect(200);
}
