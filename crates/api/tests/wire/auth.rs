//! Who gets in, in the order of the contract.

use octopoid_api::AuthMode;
use serde_json::{Value, json};

use crate::{
    assert_no_endpoint,
    common::{ADMIN, Answer, TestApp},
    values, with_headers,
};

const KEYS: &str = "/api/v1/admin/keys";

async fn authorized(app: &TestApp, path: &str, header: &str) -> Answer {
    with_headers(app, "GET", path, &[("authorization", header)]).await
}

#[tokio::test]
async fn without_a_key_an_open_server_lets_anyone_in_also_to_scopes_that_have_one() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.holder("s").await.task("a", json!({})).await;
    assert_eq!(app.get("/api/v1/tasks?scope=s").await.expect(200)["total"], 1);
    assert_eq!(authorized(&app, "/api/v1/tasks?scope=s", "").await.status, 200);
    app.patch("/api/v1/tasks/a", json!({"title": "t"})).await.expect(200);
}

#[tokio::test]
async fn without_a_key_a_guarded_server_lets_nobody_in() {
    let app = TestApp::guarded(AuthMode::Required).await;
    for answer in [
        app.get("/api/v1/tasks?scope=s").await,
        authorized(&app, "/api/v1/tasks?scope=s", "").await,
        app.post("/api/v1/tasks", json!({})).await,
        app.get("/api/v1/nothing").await,
    ] {
        assert_eq!(
            answer.expect(401),
            json!({
                "error":
                    "Authentication required. Provide your API key in the Authorization header.",
                "code": "unauthorized",
            })
        );
        assert_eq!(values(&answer, "www-authenticate"), ["Bearer"]);
    }
}

#[tokio::test]
async fn a_header_that_is_wrong_is_refused_in_both_modes() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = TestApp::guarded(mode).await;
        let form = "Invalid Authorization header. Expected: Bearer <api_key>";
        let format = "Invalid API key format. Keys must start with oct_";
        for (header, text) in [
            ("oct_1", form),
            ("Basic abc", form),
            ("Bearer", form),
            ("Bearer  ", form),
            ("Bearer abc", format),
            ("Bearer OCT_1", format),
            ("bearer \t abc", format),
            ("Bearer oct_", "Invalid API key"),
            ("Bearer oct_1", "Invalid API key"),
            ("BEARER   oct_1", "Invalid API key"),
        ] {
            let answer = authorized(&app, "/api/v1/tasks?scope=s", header).await;
            assert_eq!(answer.error(401), text, "{header}");
            assert_eq!(values(&answer, "www-authenticate"), ["Bearer"], "{header}");
        }
    }
}

#[tokio::test]
async fn a_key_is_taken_whatever_the_case_of_its_scheme_but_not_with_another_word() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let body = json!({"scope": "s"});
    let key = app.holding(ADMIN).post(KEYS, body).await.expect(201)["api_key"].clone();
    let key = key.as_str().unwrap();
    assert_eq!(key.len(), 68);
    for header in [format!("Bearer {key}"), format!("bEARER  \t{key}")] {
        assert_eq!(authorized(&app, "/api/v1/tasks", &header).await.status, 200, "{header}");
    }
    for header in
        [format!("Bearer {key} x"), format!("Bearer {key}0"), format!("Bearer {}", &key[..67])]
    {
        let answer = authorized(&app, "/api/v1/tasks", &header).await;
        assert_eq!(answer.error(401), "Invalid API key", "{header}");
    }
}

#[tokio::test]
async fn keys_are_asked_for_before_paths_and_bodies_are_looked_at() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let stranger = app.holding("oct_1");
    stranger.get("/api/v1/nothing").await.expect(401);
    stranger.raw("POST", "/api/v1/tasks", "{").await.expect(401);
    assert_no_endpoint(&app.holder("s").await.get("/api/v1/nothing").await, "a good key");
}

#[tokio::test]
async fn outside_the_versioned_prefix_nobody_looks_at_keys() {
    let app = TestApp::guarded(AuthMode::Required).await.holding("nonsense");
    for path in ["/", "/api/health", "/livez", "/readyz", "/openapi.json", "/docs"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_key_opens_no_other_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let holder = app.holder("mine").await;
    let text = "Scope mismatch: authenticated as \"mine\" but requested \"theirs\"";
    let body = json!({"scope": "theirs"});
    for answer in [
        holder.get("/api/v1/tasks?scope=theirs").await,
        holder.delete("/api/v1/tasks/a?scope=theirs").await,
        holder.post("/api/v1/tasks?scope=theirs", json!({})).await,
        holder.post("/api/v1/tasks", body.clone()).await,
        holder.post("/api/v1/tasks/claim", body.clone()).await,
        holder.patch("/api/v1/tasks/a", body.clone()).await,
        holder.put("/api/v1/flows/f", body.clone()).await,
        holder.get("/api/v1/nothing?scope=theirs").await,
        // The last of duplicate keys counts here as it does everywhere.
        holder.raw("POST", "/api/v1/tasks", r#"{"scope":"mine","scope":"theirs"}"#).await,
        holder.raw("POST", "/api/v1/tasks", r#"{"scope":"mine","\u0073cope":"theirs"}"#).await,
    ] {
        assert_eq!(answer.error(403), text);
        assert_eq!(answer.json()["code"], "scope_mismatch");
    }
}

#[tokio::test]
async fn only_a_scope_that_is_named_counts() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let holder = app.holder("mine").await;
    assert_eq!(holder.get("/api/v1/tasks?scope=").await.status, 200);
    assert_eq!(holder.get("/api/v1/tasks?scope=mine&scope=theirs").await.status, 200);
    for falsy in [json!(null), json!(""), json!(0), json!(false)] {
        assert_eq!(holder.claim(json!({"scope": falsy})).await.status, 404, "{falsy}");
    }
    // What cannot be read is the operation's to refuse; the body of a DELETE is not read at all.
    let text = holder.raw("POST", "/api/v1/tasks", "{\"scope\":\"theirs\"").await.error(400);
    assert_eq!(text, "Invalid JSON body");
    holder.raw("DELETE", "/api/v1/tasks/a", r#"{"scope":"theirs"}"#).await.expect(404);
}

#[tokio::test]
async fn a_scope_that_is_left_out_is_the_keys() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let holder = app.holder("mine").await;
    let new = json!({"id": "a", "file_path": "a.md", "branch": "main"});
    assert_eq!(holder.post("/api/v1/tasks", new).await.expect(201)["scope"], "mine");
    assert_eq!(holder.get("/api/v1/tasks").await.expect(200)["total"], 1);
    let poll = holder.get("/api/v1/scheduler/poll").await.expect(200);
    assert_eq!((&poll["scope"], &poll["queue_counts"]["incoming"]), (&json!("mine"), &json!(1)));
    let claim = json!({"orchestrator_id": "o", "agent_name": "a"});
    assert_eq!(holder.post("/api/v1/tasks/claim", claim).await.expect(200)["id"], "a");
    // The administrator has no scope of its own.
    app.holding(ADMIN).get("/api/v1/tasks").await.expect(400);
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let body = json!({"scope": "s", "expires_at": "2026-11-21T21:58:58.605Z"});
    let key = app.holding(ADMIN).post(KEYS, body).await.expect(201)["api_key"].clone();
    let holder = app.holding(key.as_str().unwrap());
    app.passes(3_599_999);
    assert_eq!(holder.get("/api/v1/tasks").await.status, 200);
    app.passes(1);
    assert_eq!(holder.get("/api/v1/tasks").await.error(401), "API key has expired");
    assert_eq!(app.get("/api/v1/tasks?scope=s").await.status, 200);
}

#[tokio::test]
async fn a_key_ends_when_it_is_revoked() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let admin = app.holding(ADMIN);
    let issued = admin.post(KEYS, json!({"scope": "s"})).await.expect(201);
    let holder = app.holding(issued["api_key"].as_str().unwrap());
    assert_eq!(holder.get("/api/v1/tasks").await.status, 200);
    let path = format!("{KEYS}/{}", issued["id"].as_str().unwrap());
    admin.delete(&path).await.expect(200);
    assert_eq!(holder.get("/api/v1/tasks").await.error(401), "Invalid API key");
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let holder = app.holder("s").await;
    let used = async || -> Value {
        app.holding(ADMIN).get(KEYS).await.expect(200)["keys"][0]["last_used_at"].clone()
    };
    assert_eq!(used().await, Value::Null);
    holder.get("/api/v1/tasks").await;
    assert_eq!(used().await, "2026-11-21T20:58:58.605Z");
    app.passes(59_999);
    holder.get("/api/v1/tasks").await;
    assert_eq!(used().await, "2026-11-21T20:58:58.605Z");
    app.passes(1);
    holder.get("/api/v1/tasks").await;
    assert_eq!(used().await, "2026-11-21T20:59:58.605Z");
}

#[tokio::test]
async fn the_administrator_acts_in_every_scope() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    for scope in ["a", "b"] {
        admin.task(scope, json!({"scope": scope})).await;
        assert_eq!(admin.get(&format!("/api/v1/tasks/{scope}")).await.expect(200)["scope"], scope);
        let list = admin.get(&format!("/api/v1/tasks?scope={scope}")).await;
        assert_eq!(list.expect(200)["total"], 1);
    }
    let wrong = app.holding("the-administrators-tokem").get(KEYS).await;
    assert_eq!(wrong.error(401), "Invalid API key format. Keys must start with oct_");
}

#[tokio::test]
async fn only_the_administrator_sees_what_is_the_administrators() {
    let app = TestApp::guarded(AuthMode::Open).await;
    for caller in [app.clone(), app.holder("s").await] {
        let text = caller.post("/api/v1/admin/jobs/run", json!({})).await.error(403);
        assert_eq!(text, "Only the holder of API_SECRET_KEY may do this");
    }
    // Where there is no administrator, there is nothing to see.
    let app = TestApp::new().await;
    for answer in [
        app.get(KEYS).await,
        app.post(KEYS, json!({"scope": "s"})).await,
        app.delete(&format!("{KEYS}/k")).await,
        app.post("/api/v1/admin/jobs/run", json!({})).await,
    ] {
        assert_no_endpoint(&answer, "no administrator");
    }
}

#[tokio::test]
async fn requests_without_a_valid_key_are_counted() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let holder = app.holder("s").await;
    assert_eq!(app.app.refusals.keys.total(), 0);
    app.get("/api/v1/tasks").await.expect(401);
    app.holding("oct_1").get("/api/v1/tasks").await.expect(401);
    authorized(&app, "/api/v1/tasks", "Basic x").await.expect(401);
    // A good key in a wrong place, and what needs none, are not.
    holder.get("/api/v1/tasks?scope=theirs").await.expect(403);
    holder.get("/api/v1/tasks").await.expect(200);
    app.get("/api/health").await.expect(200);
    assert_eq!(app.app.refusals.keys.total(), 3);
}
