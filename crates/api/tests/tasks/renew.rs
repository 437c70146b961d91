//! Renewing leases.

use octopoid_api::{Settings, jobs::run_jobs};
use octopoid_domain::Millis;
use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes, claimed,
    common::{START, TestApp},
    conflict, events, read, step, submit,
};

const ERROR: &str = "Failed to renew task";

fn at(ms: i64) -> String {
    Millis(START + ms).to_iso()
}

/// Creates a task and claims it. Returns the token.
async fn leased(app: &TestApp, id: &str) -> Value {
    claimed(app, id).await["lease_token"].clone()
}

#[tokio::test]
async fn a_renewal_moves_the_end_of_the_lease_and_nothing_else() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    let before = read(&app, "a").await;
    app.passes(1_000);
    let body = json!({"lease_token": token, "lease_duration_seconds": 60});
    let renewed = step(&app, "a", "renew", body).await.expect(200);
    let expected = json!({"task_id": "a", "run": 1, "lease_expires_at": at(61_000),
        "directive": "continue", "reason": null, "messages": []});
    assert_eq!(renewed, expected);
    let changed = changes(&before, &read(&app, "a").await);
    assert_eq!(changed, json!({"lease_expires_at": at(61_000)}));
    assert_eq!(events(&app, "a").await.len(), 2, "no event");
    let renewed = step(&app, "a", "renew", json!({"lease_token": token})).await.expect(200);
    assert_eq!(renewed["lease_expires_at"], at(301_000), "five minutes if it does not say");
}

#[tokio::test]
async fn what_an_agent_reports_is_bounded() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    let renew = |fields: Value| {
        let mut body = json!({"lease_token": token});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let app = app.clone();
        async move { step(&app, "a", "renew", body).await }
    };
    for (fields, text) in [
        (json!({"progress": {"percent": 101}}), "Invalid value for progress.percent: 0 to 100"),
        (json!({"checkpoint": "x".repeat(65_535)}), "checkpoint is too long: at most 65536 bytes"),
        (
            json!({"messages_after": "x".repeat(513)}),
            "messages_after is too long: at most 512 bytes",
        ),
    ] {
        assert_eq!(renew(fields).await.error(400), text);
    }
    for (field, bad) in [
        ("lease_token", json!("olt_1")),
        ("lease_duration_seconds", json!([])),
        ("progress", json!(5)),
        ("usage.turns", json!({"turns": -1})),
    ] {
        let name = field.split('.').next().unwrap();
        let refused = renew(json!({ name: bad })).await.error(400);
        assert!(refused.starts_with(&format!("Invalid value for {field}: ")), "{refused}");
    }
    let missing = step(&app, "a", "renew", json!({})).await;
    assert_eq!(missing.error(400), "Missing required field: lease_token");
    let run = app.get(&format!("{TASKS}/a/runs/1")).await.expect(200);
    assert_eq!((&run["checkpoint"], &run["progress"]), (&Value::Null, &Value::Null));
    let long = json!({"progress": {"message": "ü".repeat(501)}, "checkpoint": "x".repeat(65_534)});
    renew(long).await.expect(200);
    let run = app.get(&format!("{TASKS}/a/runs/1")).await.expect(200);
    assert_eq!(run["progress"]["message"], "ü".repeat(500));
    // What is left out, and `null`, keep what was reported before.
    renew(json!({"checkpoint": null})).await.expect(200);
    assert_eq!(app.get(&format!("{TASKS}/a/runs/1")).await.expect(200), run);
}

#[tokio::test]
async fn a_lapsed_lease_is_resumed_until_another_claims() {
    // The jobs run so rarely that time may pass in a leap.
    let settings = Settings { jobs_period_ms: 100 * 86_400_000, ..Settings::default() };
    let app = TestApp::with(settings).await;
    run_jobs(&app.app).await.unwrap();
    let token = leased(&app, "a").await;
    let before = read(&app, "a").await;
    app.passes(14_400_000 + 120_001);
    assert_eq!(run_jobs(&app.app).await.unwrap().tasks_released, 1);
    let renewed = step(&app, "a", "renew", json!({"lease_token": token})).await.expect(200);
    let after = read(&app, "a").await;
    let expected = json!({"lease_expires_at": renewed["lease_expires_at"], "version": 4,
        "updated_at": after["updated_at"]});
    assert_eq!(changes(&before, &after), expected, "the lapse is undone");
    step(&app, "a", "requeue", json!({})).await.expect(200);
    app.claim(json!({"agent_name": "agent-2"})).await.expect(200);
    let refused = step(&app, "a", "renew", json!({"lease_token": token})).await;
    assert!(conflict(&refused, ERROR).starts_with("Run 1 was ended by requeue at "));
    assert_eq!(refused.json()["code"], "lease_lost");
    assert_eq!(read(&app, "a").await["claimed_by"], "agent-2");
}

#[tokio::test]
async fn a_token_that_is_not_current_is_refused() {
    let app = TestApp::new().await;
    let token = leased(&app, "a").await;
    let unknown = format!("olt_1_{}", "0".repeat(32));
    let refused = step(&app, "a", "renew", json!({"lease_token": unknown})).await;
    assert_eq!(conflict(&refused, ERROR), "The lease token is not one of this task");
    assert_no_task(&step(&app, "b", "renew", json!({"lease_token": token})).await, "b");
    submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await.expect(200);
    let refused = step(&app, "a", "renew", json!({"lease_token": token})).await;
    assert_eq!(conflict(&refused, ERROR), format!("Run 1 was submitted at {}", at(0)));
}

#[tokio::test]
async fn a_renewal_has_the_directive_and_the_messages() {
    let app = TestApp::new().await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    app.task("a", json!({})).await;
    let claimed = app.claim(json!({"orchestrator_id": "c-m"})).await.expect(200);
    let token = claimed["lease_token"].clone();
    app.passes(1_000);
    for (to, kind) in [
        ("agent", "comment"),
        ("agent-1", "question"),
        ("human", "comment"),
        ("agent", "action_command"),
    ] {
        let body = json!({"task_id": "a", "from_actor": "human", "to_actor": to, "type": kind,
            "content": format!("{kind} to {to}"), "scope": "s"});
        app.post("/api/v1/messages", body).await.expect(201);
    }
    let renewed = step(&app, "a", "renew", json!({"lease_token": token})).await.expect(200);
    let contents = |renewed: &Value| {
        let messages = renewed["messages"].as_array().unwrap().iter();
        messages.map(|message| message["content"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(contents(&renewed), ["comment to agent", "question to agent-1"]);
    let body = json!({"lease_token": token, "messages_after": renewed["messages"][0]["id"]});
    let renewed = step(&app, "a", "renew", body.clone()).await.expect(200);
    assert_eq!(contents(&renewed), ["question to agent-1"]);
    let machine = "/api/v1/orchestrators/c-m";
    app.patch(machine, json!({"status": "draining"})).await.expect(200);
    let renewed = step(&app, "a", "renew", body.clone()).await.expect(200);
    assert_eq!(
        (&renewed["directive"], &renewed["reason"]),
        (&json!("wrap_up"), &json!("The machine is being drained"))
    );
    let cancel = json!({"by": "human", "reason": "not wanted"});
    step(&app, "a", "cancel", cancel).await.expect(200);
    let renewed = step(&app, "a", "renew", body).await.expect(200);
    assert_eq!(
        (&renewed["directive"], &renewed["reason"]),
        (&json!("stop"), &json!("The task is cancelled"))
    );
}
