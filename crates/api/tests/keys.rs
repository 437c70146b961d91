//! Keys: what they open, how they are replaced, and what the administrator does with them.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{ADMIN, START, TestApp};
use octopoid_api::{
    AuthMode, Settings,
    app::{JOBS_PERIOD_MS, LEASE_GRACE_MS},
};
use octopoid_domain::Millis;
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/orchestrators/register";
const KEYS: &str = "/api/v1/admin/keys";
const JOBS: &str = "/api/v1/admin/jobs/run";
const DAY_MS: i64 = 86_400_000;

fn rotation(scope: &str) -> String {
    format!("/api/v1/orchestrators/scopes/{scope}/rotate-key")
}

/// The first key of a scope.
async fn first_key(app: &TestApp, scope: &str) -> String {
    let body = json!({"cluster": "c", "machine_id": scope, "scope": scope});
    let registered = app.post(REGISTER, body).await.expect(201);
    registered["api_key"].as_str().unwrap().to_owned()
}

/// Whether a key still opens its scope.
async fn works(app: &TestApp, key: &str) -> bool {
    let answer = app.holding(key).get("/api/v1/tasks").await;
    match answer.status.as_u16() {
        200 => true,
        401 => false,
        _ => panic!("{}", answer.text),
    }
}

/// Issues a key with these fields besides the scope.
async fn issue(admin: &TestApp, scope: &str, fields: Value) -> Value {
    let mut body = json!({ "scope": scope });
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    admin.post(KEYS, body).await.expect(201)
}

fn text(issued: &Value) -> &str {
    issued["api_key"].as_str().unwrap()
}

#[tokio::test]
async fn rotating_replaces_the_key_that_was_presented() {
    let app = TestApp::new().await;
    let old = first_key(&app, "s").await;
    let rotated = app.holding(&old).post(&rotation("s"), json!({})).await.expect(200);
    assert_eq!(rotated["scope"], "s");
    let new = text(&rotated);
    assert!(new.starts_with("oct_") && new.len() == 68, "{new}");
    assert_ne!(new, old);
    assert!(works(&app, new).await);
    assert!(!works(&app, &old).await);
    let refused = app.holding(&old).post(&rotation("s"), json!({})).await;
    assert_eq!(refused.error(401), "Invalid API key");
}

#[tokio::test]
async fn with_an_overlap_the_replaced_key_works_for_a_while() {
    let app = TestApp::new().await;
    let old = first_key(&app, "s").await;
    let body = json!({ "overlap_seconds": 604_801 });
    let refused = app.holding(&old).post(&rotation("s"), body).await;
    assert_eq!(refused.error(400), "overlap_seconds must be from 0 to 604800, which is a week");
    let body = json!({ "overlap_seconds": 60 });
    let rotated = app.holding(&old).post(&rotation("s"), body).await.expect(200);
    assert!(works(&app, text(&rotated)).await && works(&app, &old).await);
    app.passes(60_000);
    assert!(works(&app, text(&rotated)).await && !works(&app, &old).await);
}

#[tokio::test]
async fn a_rotation_refuses_a_body_that_is_not_json() {
    let app = TestApp::new().await;
    let key = first_key(&app, "s").await;
    let refused = app.holding(&key).raw("POST", &rotation("s"), "overlap_seconds=60").await;
    assert_eq!(refused.error(400), "Invalid JSON body");
    assert!(works(&app, &key).await, "nothing has changed");
}

#[tokio::test]
async fn rotating_needs_no_body() {
    let app = TestApp::new().await;
    let key = first_key(&app, "a scope/ü").await;
    let path = rotation("a%20scope%2F%C3%BC");
    let rotated = app.holding(&key).raw("POST", &path, "").await.expect(200);
    assert_eq!(rotated["scope"], "a scope/ü");
}

#[tokio::test]
async fn rotating_without_a_key_is_401() {
    let app = TestApp::new().await;
    first_key(&app, "s").await;
    assert_eq!(
        app.post(&rotation("s"), json!({})).await.error(401),
        "Authentication required. Provide your current API key in the Authorization header."
    );
}

#[tokio::test]
async fn rotating_another_scopes_key_is_403() {
    let app = TestApp::new().await;
    let key = first_key(&app, "a").await;
    let other = first_key(&app, "b").await;
    let refused = app.holding(&key).post(&rotation("b"), json!({})).await.expect(403);
    assert_eq!(
        refused["error"],
        "Scope mismatch: authenticated as \"a\" but rotating key for \"b\""
    );
    assert_eq!(refused["code"], "scope_mismatch");
    assert!(works(&app, &other).await);
}

#[tokio::test]
async fn a_holder_leaves_the_other_keys_of_its_scope_alone() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    let mine = issue(&admin, "s", json!({"label": "laptop"})).await;
    let other = issue(&admin, "s", json!({"label": "ci"})).await;
    app.holding(text(&mine)).post(&rotation("s"), json!({})).await.expect(200);
    assert!(!works(&app, text(&mine)).await);
    assert!(works(&app, text(&other)).await);
    let listed = admin.get(KEYS).await.expect(200);
    let labels: Vec<_> =
        listed["keys"].as_array().unwrap().iter().map(|key| &key["label"]).collect();
    assert_eq!(labels.iter().filter(|label| **label == "laptop").count(), 2);
}

#[tokio::test]
async fn the_administrator_replaces_all_keys_of_a_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    let keys = [issue(&admin, "s", json!({})).await, issue(&admin, "s", json!({})).await];
    let rotated = admin.post(&rotation("s"), json!({})).await.expect(200);
    assert!(works(&app, text(&rotated)).await);
    for key in &keys {
        assert!(!works(&app, text(key)).await);
    }
    let none = admin.post(&rotation("elsewhere"), json!({})).await;
    assert_eq!(none.error(404), "No API key found for this scope");
}

#[tokio::test]
async fn an_issued_key_is_shown_once_and_opens_its_scope() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    let body = json!({"scope": "s", "label": "ci", "expires_at": "2026-11-22T00:00:00Z"});
    let issued = admin.post(KEYS, body).await.expect(201);
    assert!(works(&app, text(&issued)).await);
    let expected = json!({"api_key": issued["api_key"], "id": issued["id"], "scope": "s",
        "label": "ci", "permission": "manage", "created_at": "2026-11-21T20:58:58.605Z", "last_used_at": null,
        "expires_at": "2026-11-22T00:00:00.000Z", "revoked_at": null, "overlap_ends_at": null});
    assert_eq!(issued, expected);
    let listed = admin.get(KEYS).await.expect(200);
    assert_eq!(listed["keys"][0]["id"], issued["id"]);
    assert_eq!(listed["keys"][0]["last_used_at"], "2026-11-21T20:58:58.605Z");
    assert!(!listed.to_string().contains("oct_"), "{listed}");
}

#[tokio::test]
async fn an_expired_key_is_401() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    let end = Millis(START + DAY_MS).to_iso();
    let issued = issue(&admin, "s", json!({ "expires_at": end })).await;
    app.passes(DAY_MS - 1);
    assert!(works(&app, text(&issued)).await);
    app.passes(1);
    let refused = app.holding(text(&issued)).get("/api/v1/tasks").await;
    assert_eq!(refused.error(401), "API key has expired");
    let none = admin.post(&rotation("s"), json!({})).await;
    assert_eq!(none.error(404), "No API key found for this scope");
}

#[tokio::test]
async fn issuing_asks_for_a_scope_and_a_future() {
    let admin = TestApp::guarded(AuthMode::Open).await.holding(ADMIN);
    for body in [json!({}), json!({"scope": ""}), json!([])] {
        assert_eq!(admin.post(KEYS, body).await.error(400), "Missing required field: scope");
    }
    let past = json!({"scope": "s", "expires_at": "2026-11-21T20:58:58.605Z"});
    assert_eq!(admin.post(KEYS, past).await.error(400), "expires_at must be in the future");
    let bad = json!({"scope": "s", "expires_at": "soon"});
    let refused = admin.post(KEYS, bad).await.error(400);
    assert!(refused.starts_with("Invalid value for expires_at: "), "{refused}");
    assert_eq!(admin.raw("POST", KEYS, "{").await.error(400), "Invalid JSON body");
    assert_eq!(admin.get(KEYS).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn keys_are_listed_by_scope_in_pages() {
    let admin = TestApp::guarded(AuthMode::Open).await.holding(ADMIN);
    for scope in ["b", "a", "b"] {
        issue(&admin, scope, json!({})).await;
    }
    let listed = admin.get(KEYS).await.expect(200);
    let scopes: Vec<_> =
        listed["keys"].as_array().unwrap().iter().map(|key| key["scope"].clone()).collect();
    assert_eq!(scopes, ["a", "b", "b"]);
    let [total, offset, limit] = ["total", "offset", "limit"].map(|name| listed[name].clone());
    assert_eq!((total, offset, limit), (json!(3), json!(0), json!(50)));
    let second = admin.get(&format!("{KEYS}?scope=b&limit=1&offset=1")).await.expect(200);
    assert_eq!(second["keys"].as_array().unwrap().len(), 1);
    assert_eq!(second["total"], 2);
}

#[tokio::test]
async fn a_revoked_key_is_401_and_its_scope_gets_no_other_unasked() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    let issued = issue(&admin, "s", json!({})).await;
    let path = format!("{KEYS}/{}", issued["id"].as_str().unwrap());
    let expected = json!({"message": "API key revoked", "id": issued["id"], "scope": "s"});
    assert_eq!(admin.delete(&path).await.expect(200), expected);
    assert_eq!(admin.delete(&path).await.expect(200), expected);
    let refused = app.holding(text(&issued)).get("/api/v1/tasks").await;
    assert_eq!(refused.error(401), "Invalid API key");
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    let registered = app.post(REGISTER, body).await.expect(201);
    assert!(registered.get("api_key").is_none(), "{registered}");
    let unknown = admin.delete(&format!("{KEYS}/key-0-0")).await;
    assert_eq!(unknown.error(404), "API key not found");
}

#[tokio::test]
async fn running_the_jobs_releases_leases_and_marks_the_silent_offline() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    first_key(&app, "s").await;
    app.task("t", json!({})).await;
    app.claim(json!({"lease_duration_seconds": 1})).await.expect(200);
    let idle = json!({"tasks_released": 0, "orchestrators_offline": 0, "tasks_deleted": 0});
    // A run that comes late would say that the server was not there to be reached.
    for _ in 0..=LEASE_GRACE_MS / JOBS_PERIOD_MS {
        assert_eq!(admin.post(JOBS, json!({})).await.expect(200), idle);
        app.passes(JOBS_PERIOD_MS);
    }
    let done = json!({"tasks_released": 1, "orchestrators_offline": 1, "tasks_deleted": 0});
    assert_eq!(admin.raw("POST", JOBS, "").await.expect(200), done);
    assert_eq!(admin.post(JOBS, json!({})).await.expect(200), idle);
    assert_eq!(app.get("/api/v1/tasks/t").await.expect(200)["queue"], "incoming");
    assert_eq!(app.get("/api/v1/orchestrators/c-s").await.expect(200)["status"], "offline");
}

/// Every operation of the administrator, with a body that would do.
async fn try_everything(caller: &TestApp) -> [common::Answer; 4] {
    [
        caller.get(KEYS).await,
        caller.post(KEYS, json!({"scope": "s"})).await,
        caller.delete(&format!("{KEYS}/key-0-0")).await,
        caller.post(JOBS, json!({})).await,
    ]
}

#[tokio::test]
async fn without_an_administrator_the_routes_do_not_exist() {
    let app = TestApp::new().await;
    let nowhere = app.get("/api/v1/nowhere").await.expect(404);
    for answer in try_everything(&app).await {
        assert_eq!(answer.expect(404), nowhere);
    }
    let mine = app.holding(&first_key(&app, "s").await);
    assert_eq!(mine.post(JOBS, json!({})).await.expect(404), nowhere);
}

#[tokio::test]
async fn with_an_administrator_a_caller_without_a_key_is_403() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let administrators = "Only the holder of API_SECRET_KEY may do this";
    let keepers = "Only the holder of API_SECRET_KEY, or of a key with the permission \"manage\", \
                   may do this";
    let texts = [keepers, keepers, keepers, administrators];
    for (answer, text) in try_everything(&app).await.iter().zip(texts) {
        assert_eq!(answer.expect(403), json!({"error": text, "code": "forbidden"}));
    }
    let mine = app.holding(&first_key(&app, "s").await);
    assert_eq!(mine.post(JOBS, json!({})).await.error(403), administrators);
    // Not even the body is looked at.
    app.raw("POST", KEYS, "{").await.expect(403);
}

#[tokio::test]
async fn where_keys_are_required_the_administrator_makes_the_first() {
    let settings = Settings { auth: AuthMode::Required, ..Settings::default() };
    let closed = TestApp::with(settings).await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    assert_eq!(
        closed.post(REGISTER, body.clone()).await.error(401),
        "Authentication required. Provide your API key in the Authorization header."
    );
    let app = TestApp::guarded(AuthMode::Required).await;
    app.post(KEYS, json!({"scope": "s"})).await.expect(401);
    let key = issue(&app.holding(ADMIN), "s", json!({})).await;
    let registered = app.holding(text(&key)).post(REGISTER, body).await.expect(201);
    assert!(registered.get("api_key").is_none(), "{registered}");
}

#[tokio::test]
async fn a_key_for_work_passes_a_verdict_only_with_the_token_of_a_review() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let agent = app.permitted("s", "work").await;
    let claim = async |queue: &str| {
        let body = json!({"orchestrator_id": "o", "agent_name": "a", "queue": queue});
        agent.post("/api/v1/tasks/claim", body).await.expect(200)["lease_token"].clone()
    };
    let step = async |step: &str, token: &Value| {
        let body = json!({
            "lease_token": token, "accepted_by": "a", "rejected_by": "a", "reason": "r",
            "commits_count": 1, "turns_used": 1,
        });
        agent.post(&format!("/api/v1/tasks/t/{step}"), body).await
    };
    let task = json!({"id": "t", "file_path": "t", "branch": "b"});
    agent.post("/api/v1/tasks", task).await.expect(201);
    let work = claim("incoming").await;
    let text = "Forbidden: a key with the permission \"work\" can accept and reject only with the \
                lease token of a review";
    for verdict in ["accept", "reject"] {
        assert_eq!(step(verdict, &work).await.error(403), text);
        let malformed = step(verdict, &json!("x")).await;
        assert!(malformed.error(400).starts_with("Invalid value for lease_token"), "{verdict}");
        let foreign = json!(format!("olt_9_{}", "0".repeat(32)));
        assert_eq!(step(verdict, &foreign).await.expect(409)["code"], "lease_lost", "{verdict}");
    }
    step("requeue", &work).await.expect(200);
    let work = claim("incoming").await;
    step("submit", &work).await.expect(200);
    let review = claim("provisional").await;
    step("accept", &review).await.expect(200);
}
