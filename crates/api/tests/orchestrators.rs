//! Registering orchestrators, hearing from them, listing and changing them.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{START, TestApp};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/orchestrators/register";
const LIST: &str = "/api/v1/orchestrators";

/// Registers `c-<machine>` in a scope.
async fn register(app: &TestApp, machine: &str, scope: &str) -> Value {
    let body = json!({"cluster": "c", "machine_id": machine, "scope": scope});
    let answer = app.post(REGISTER, body).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    answer.json()
}

/// Registers a machine and returns the app as the holder of its scope's first key sees it.
async fn holder(app: &TestApp, machine: &str, scope: &str) -> TestApp {
    let registered = register(app, machine, scope).await;
    app.holding(registered["api_key"].as_str().unwrap())
}

async fn ids(app: &TestApp, query: &str) -> Vec<String> {
    let body = app.get(&format!("{LIST}{query}")).await.expect(200);
    let orchestrators = body["orchestrators"].as_array().unwrap();
    assert_eq!(body["total"], orchestrators.len());
    orchestrators.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_machine_is_201_and_takes_its_scopes_first_key() {
    let app = TestApp::new().await;
    let body = json!({"id": "ignored", "cluster": "prb", "machine_id": "m", "scope": "s",
        "repo_url": "https://x/y", "hostname": "h1", "version": "2.0.0", "max_agents": 3,
        "capabilities": {"roles": ["implement"], "max_agents": 3}});
    let mut registered = app.post(REGISTER, body).await.expect(201);
    let key = registered["api_key"].take();
    let key = key.as_str().unwrap();
    assert_eq!(key.len(), 68);
    let digits = key.strip_prefix("oct_").unwrap();
    assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{key}");
    let expected = json!({"orchestrator_id": "prb-m", "status": "active", "api_key": null,
        "registered_at": "2026-11-21T20:58:58.605Z"});
    assert_eq!(registered, expected);
    let row = app.get("/api/v1/orchestrators/prb-m").await.expect(200);
    let expected = json!({"id": "prb-m", "cluster": "prb", "machine_id": "m", "hostname": "h1",
        "repo_url": "https://x/y", "registered_at": "2026-11-21T20:58:58.605Z",
        "last_heartbeat": "2026-11-21T20:58:58.605Z", "status": "active", "version": "2.0.0",
        "capabilities": "{\"roles\":[\"implement\"],\"max_agents\":3}", "scope": "s",
        "slots": null, "busy": null, "roles": null, "queues": null, "pools": null,
        "is_stale": false});
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_known_machine_is_200_with_its_first_registration_and_without_a_key() {
    let app = TestApp::new().await;
    let first = register(&app, "m", "s").await;
    app.passes(5_000);
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    let again = app.post(REGISTER, body).await.expect(200);
    assert_eq!(again["registered_at"], first["registered_at"]);
    assert!(again.get("api_key").is_none(), "{again}");
    let other = register(&app, "n", "s").await;
    assert!(other.get("api_key").is_none(), "{other}");
}

#[tokio::test]
async fn a_known_machine_takes_the_first_key_of_a_new_scope() {
    let app = TestApp::new().await;
    register(&app, "m", "a").await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "b"});
    let moved = app.post(REGISTER, body).await.expect(200);
    assert!(moved["api_key"].is_string());
    assert_eq!(app.get("/api/v1/orchestrators/c-m").await.expect(200)["scope"], "b");
}

#[tokio::test]
async fn the_repository_is_optional_and_stored_empty() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    assert_eq!(app.get("/api/v1/orchestrators/c-m").await.expect(200)["repo_url"], "");
}

#[tokio::test]
async fn registering_asks_for_cluster_and_machine_then_for_the_scope() {
    let app = TestApp::new().await;
    let first = "Missing required fields: cluster, machine_id, repo_url";
    for body in [
        json!({}),
        json!({"cluster": "c", "scope": "s"}),
        json!({"cluster": "", "machine_id": "m", "scope": "s"}),
        json!([]),
    ] {
        assert_eq!(app.post(REGISTER, body).await.error(400), first);
    }
    let body = json!({"cluster": "c", "machine_id": "m"});
    assert_eq!(
        app.post(REGISTER, body).await.error(400),
        "Missing required field: scope. All orchestrators must register with a scope."
    );
    for bad in ["", "null", "{"] {
        let refused = app.raw("POST", REGISTER, bad.to_owned()).await;
        assert_eq!(refused.error(400), "Invalid JSON body");
    }
    let body = json!({"cluster": ["c"], "machine_id": "m", "scope": "s"});
    let refused = app.post(REGISTER, body).await.error(400);
    assert!(refused.starts_with("Invalid value for cluster: "), "{refused}");
}

#[tokio::test]
async fn an_id_made_of_another_pair_is_409() {
    let app = TestApp::new().await;
    let body = json!({"cluster": "x-q", "machine_id": "z", "scope": "a"});
    app.post(REGISTER, body).await.expect(201);
    let body = json!({"cluster": "x", "machine_id": "q-z", "scope": "b"});
    let refused = app.post(REGISTER, body.clone()).await.expect(409);
    assert_eq!(refused["code"], "already_exists");
    assert_eq!(
        refused["error"],
        "Orchestrator x-q-z is already registered by another cluster and machine"
    );
    assert_eq!(app.get("/api/v1/orchestrators/x-q-z").await.expect(200)["scope"], "a");
}

#[tokio::test]
async fn a_holder_registers_in_its_own_scope_only() {
    let app = TestApp::new().await;
    let mine = holder(&app, "m", "a").await;
    let body = json!({"cluster": "c", "machine_id": "n"});
    mine.post(REGISTER, body).await.expect(201);
    assert_eq!(app.get("/api/v1/orchestrators/c-n").await.expect(200)["scope"], "a");
    let body = json!({"cluster": "c", "machine_id": "n", "scope": "b"});
    assert_eq!(
        mine.post(REGISTER, body).await.error(403),
        "Scope mismatch: authenticated as \"a\" but requested \"b\""
    );
}

#[tokio::test]
async fn a_holder_cannot_take_over_a_machine_of_another_scope() {
    let app = TestApp::new().await;
    let mine = holder(&app, "m", "a").await;
    register(&app, "foreign", "b").await;
    let body = json!({"cluster": "c", "machine_id": "foreign"});
    let refused = mine.post(REGISTER, body.clone()).await.expect(409);
    assert_eq!(refused["code"], "already_exists");
    assert_eq!(
        refused["error"],
        "Orchestrator c-foreign is already registered by another cluster and machine"
    );
    assert_eq!(app.get("/api/v1/orchestrators/c-foreign").await.expect(200)["scope"], "b");
}

#[tokio::test]
async fn a_heartbeat_needs_no_body_and_minds_none() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m/heartbeat";
    for body in ["", "{}", "null", "{", r#"{"timestamp":"2999-01-01T00:00:00Z"}"#, "[1]"] {
        app.passes(1_000);
        let beat = app.raw("POST", path, body.to_owned()).await.expect(200);
        let now = octopoid_api::Host::now(&*app.host).to_iso();
        let expected = json!({"success": true, "last_heartbeat": now, "directive": "continue"});
        assert_eq!(beat, expected, "{body}");
    }
    let row = app.get("/api/v1/orchestrators/c-m").await.expect(200);
    assert_eq!(row["last_heartbeat"], octopoid_domain::Millis(START + 6_000).to_iso());
}

#[tokio::test]
async fn a_heartbeat_revives_the_offline_but_leaves_maintenance_and_draining() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m";
    for (before, after) in [
        ("offline", "active"),
        ("maintenance", "maintenance"),
        ("draining", "draining"),
        ("active", "active"),
    ] {
        let set = app.patch(path, json!({ "status": before })).await.expect(200);
        assert_eq!(set["status"], before);
        app.post(&format!("{path}/heartbeat"), json!({})).await.expect(200);
        assert_eq!(app.get(path).await.expect(200)["status"], after);
    }
}

#[tokio::test]
async fn a_status_must_be_one_of_four() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m";
    for body in [json!({}), json!({"status": ""}), json!({"status": null, "scope": "s"})] {
        assert_eq!(app.patch(path, body).await.error(400), "Missing field: status");
    }
    assert_eq!(
        app.patch(path, json!({"status": "banana"})).await.error(400),
        "Invalid status \"banana\". Valid statuses: active, offline, maintenance, draining"
    );
    let refused = app.patch(path, json!({"status": 5})).await.error(400);
    assert!(refused.starts_with("Invalid value for status: "), "{refused}");
}

#[tokio::test]
async fn a_heartbeat_tells_what_the_machine_can_do_and_is_shown() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m";
    let body = json!({"slots": 4, "busy": 1, "roles": ["implement"], "queues": [],
        "pools": ["anthropic"], "version": "2.1", "other": 1});
    app.post(&format!("{path}/heartbeat"), body).await.expect(200);
    app.passes(120_000);
    let shown = app.get(path).await.expect(200);
    let expected = json!({"slots": 4, "busy": 1, "roles": ["implement"], "queues": [],
        "pools": ["anthropic"], "version": "2.1", "is_stale": false});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    app.passes(1);
    assert_eq!(app.get(path).await.expect(200)["is_stale"], true);
    assert_eq!(app.get(LIST).await.expect(200)["orchestrators"][0]["is_stale"], true);
    let refused = app.post(&format!("{path}/heartbeat"), json!({"slots": "four"})).await;
    assert!(refused.error(400).starts_with("Invalid value for slots: "), "{}", refused.text);
    let refused = app.post(&format!("{path}/heartbeat"), json!({"leases": {}})).await;
    assert!(refused.error(400).starts_with("Invalid value for leases: "), "{}", refused.text);
    let many = json!({"leases": vec![json!({}); 101]});
    assert_eq!(
        app.post(&format!("{path}/heartbeat"), many).await.error(400),
        "Too many leases: at most 100; send the others in another heartbeat"
    );
}

#[tokio::test]
async fn a_heartbeat_renews_leases_and_tells_their_agents_what_to_do() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m";
    let mut tokens = Vec::new();
    for id in ["a", "b"] {
        app.task(id, json!({"type": id})).await;
        let claimed = app.claim(json!({"type_filter": [id]})).await.expect(200);
        tokens.push(claimed["lease_token"].clone());
    }
    let body = json!({"by": "human", "reason": "not wanted"});
    app.post("/api/v1/tasks/b/cancel", body).await.expect(200);
    app.patch(path, json!({"status": "draining"})).await.expect(200);
    let leases = json!([
        {"task_id": "b", "lease_token": tokens[1]},
        {"task_id": "a", "lease_token": tokens[0], "lease_duration_seconds": 60},
        {"task_id": "a", "lease_token": tokens[1]},
        {"task_id": "a"},
        null,
    ]);
    let heard = app.post(&format!("{path}/heartbeat"), json!({"leases": leases})).await.expect(200);
    assert_eq!(heard["directive"], "drain");
    let until = |ms| octopoid_domain::Millis(START + ms).to_iso();
    let lost = |id: Value| {
        json!({"task_id": id, "state": "lost", "lease_expires_at": null, "directive": null,
            "reason": "The token is not that of the task's current lease: stop, renew tells what \
                       happened",
            "has_messages": false})
    };
    let expected = json!([
        {"task_id": "b", "state": "renewed", "lease_expires_at": until(300_000),
            "directive": "stop", "reason": "The task is cancelled", "has_messages": false},
        {"task_id": "a", "state": "renewed", "lease_expires_at": until(60_000),
            "directive": "wrap_up", "reason": "The machine is being drained",
            "has_messages": false},
        lost("a".into()),
        lost("a".into()),
        lost(Value::Null),
    ]);
    assert_eq!(heard["leases"], expected);
    assert_eq!(app.get("/api/v1/tasks/a").await.expect(200)["lease_expires_at"], until(60_000));
}

#[tokio::test]
async fn a_machine_that_is_drained_stays_so_until_its_operator_ends_it() {
    let app = TestApp::new().await;
    register(&app, "m", "s").await;
    let path = "/api/v1/orchestrators/c-m";
    let set = app.patch(path, json!({"status": "draining"})).await.expect(200);
    assert_eq!(set["status"], "draining");
    assert_eq!(register(&app, "m", "s").await["status"], "draining");
    app.passes(3_600_000);
    octopoid_api::jobs::run_jobs(&app.app).await.unwrap();
    let shown = app.get(path).await.expect(200);
    assert_eq!((&shown["status"], &shown["is_stale"]), (&json!("draining"), &json!(true)));
    app.patch(path, json!({"status": "active"})).await.expect(200);
    let heard = app.post(&format!("{path}/heartbeat"), json!({})).await.expect(200);
    assert_eq!(heard["directive"], "continue");
}

#[tokio::test]
async fn an_unknown_orchestrator_is_404() {
    let app = TestApp::new().await;
    let path = "/api/v1/orchestrators/nobody";
    let status = json!({"status": "active"});
    let answers = [
        app.get(path).await,
        app.patch(path, status).await,
        app.post(&format!("{path}/heartbeat"), json!({})).await,
    ];
    for answer in answers {
        let body = answer.expect(404);
        assert_eq!(body["error"], "Orchestrator not found");
        assert_eq!(body["code"], "not_found");
    }
}

#[tokio::test]
async fn an_orchestrator_of_another_scope_is_404_for_a_holder() {
    let app = TestApp::new().await;
    let mine = holder(&app, "m", "a").await;
    register(&app, "n", "b").await;
    for (id, status) in [("c-m", 200), ("c-n", 404)] {
        let path = format!("/api/v1/orchestrators/{id}");
        mine.get(&path).await.expect(status);
        mine.patch(&path, json!({"status": "active"})).await.expect(status);
        mine.post(&format!("{path}/heartbeat"), json!({})).await.expect(status);
    }
    app.get("/api/v1/orchestrators/c-n?scope=a").await.expect(404);
    app.get("/api/v1/orchestrators/c-n?scope=b").await.expect(200);
}

#[tokio::test]
async fn the_list_begins_with_the_one_heard_of_last() {
    let app = TestApp::new().await;
    for machine in ["old", "new"] {
        register(&app, machine, "s").await;
        app.passes(10);
    }
    assert_eq!(ids(&app, "").await, ["c-new", "c-old"]);
    app.post("/api/v1/orchestrators/c-old/heartbeat", json!({})).await.expect(200);
    assert_eq!(ids(&app, "").await, ["c-old", "c-new"]);
}

#[tokio::test]
async fn the_list_is_filtered_by_scope_cluster_and_status() {
    let app = TestApp::new().await;
    let mine = holder(&app, "1", "a").await;
    register(&app, "2", "b").await;
    let body = json!({"cluster": "d", "machine_id": "3", "scope": "a"});
    app.post(REGISTER, body).await.expect(201);
    app.patch("/api/v1/orchestrators/d-3", json!({"status": "offline"})).await.expect(200);
    assert_eq!(ids(&app, "").await, ["c-1", "c-2", "d-3"]);
    assert_eq!(ids(&app, "?scope=a").await, ["c-1", "d-3"]);
    assert_eq!(ids(&mine, "").await, ["c-1", "d-3"]);
    assert_eq!(ids(&app, "?cluster=c").await, ["c-1", "c-2"]);
    assert_eq!(ids(&app, "?status=offline").await, ["d-3"]);
    assert_eq!(ids(&app, "?status=active,offline&scope=a").await, ["c-1", "d-3"]);
    assert_eq!(ids(&app, "?status=&cluster=&scope=").await.len(), 3);
    assert!(ids(&app, "?status=banana").await.is_empty());
    assert_eq!(
        mine.get("/api/v1/orchestrators?scope=b").await.error(403),
        "Scope mismatch: authenticated as \"a\" but requested \"b\""
    );
}
