//! Signing in: codes, and the keys that they are exchanged for.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use axum::{body::Body, http::Request};
use common::{ADMIN, START, TestApp};
use futures_util::future::join_all;
use octopoid_api::AuthMode;
use octopoid_domain::{
    Millis,
    key::{BOARD_KEY_LIFE_MS, CODE_LIFE_MS},
};
use serde_json::{Value, json};

const KEYS: &str = "/api/v1/admin/keys";

/// Issues a code of scope `s` through this caller.
async fn code(caller: &TestApp) -> String {
    let body = json!({"scope": "s", "permission": "login"});
    let issued = caller.post(KEYS, body).await.expect(201);
    issued["api_key"].as_str().unwrap().to_owned()
}

/// What a browser gets for a code.
async fn sign_in(app: &TestApp, code: &str) -> common::Answer {
    app.post("/login", json!({ "code": code })).await
}

#[track_caller]
fn assert_invalid(answer: &common::Answer) {
    let text = "The code is unknown, was used, or has expired: get a new link with \
                `octopoid board`, or sign in with an API key";
    assert_eq!(answer.expect(403), json!({"error": text, "code": "invalid_code"}));
}

#[tokio::test]
async fn a_code_is_exchanged_once_for_a_key_that_manages_its_scope() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = TestApp::guarded(mode).await;
        for issuer in [app.holding(ADMIN), app.permitted("s", "manage").await] {
            let code = code(&issuer).await;
            let answer = sign_in(&app, &code).await;
            assert_eq!(answer.headers["cache-control"], "no-store");
            let signed_in = answer.expect(200);
            let key = signed_in["api_key"].as_str().unwrap();
            let end = Millis(START + BOARD_KEY_LIFE_MS).to_iso();
            let expected = json!({"api_key": key, "scope": "s", "permission": "manage",
                "expires_at": end});
            assert_eq!(signed_in, expected);
            assert!(key.starts_with("oct_") && key != code, "{key}");
            let holder = app.holding(key);
            assert_eq!(holder.get("/api/v1/scopes").await.expect(200)["permission"], "manage");
            let listed = holder.get(KEYS).await.expect(200);
            let keys = listed["keys"].as_array().unwrap();
            let is_board = |key: &&Value| key["label"] == "board" && key["revoked_at"].is_null();
            assert_eq!(keys.iter().rfind(is_board).unwrap()["expires_at"], json!(end));
            assert_invalid(&sign_in(&app, &code).await);
        }
    }
}

#[tokio::test]
async fn of_concurrent_exchanges_one_gets_a_key() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let code = code(&app.holding(ADMIN)).await;
    let exchanges = (0..8).map(|_| {
        let (app, code) = (app.clone(), code.clone());
        tokio::spawn(async move { sign_in(&app, &code).await })
    });
    let mut won = 0;
    for answer in join_all(exchanges).await {
        let answer = answer.unwrap();
        if answer.status == 200 { won += 1 } else { assert_invalid(&answer) }
    }
    assert_eq!(won, 1);
    let listed = app.holding(ADMIN).get(KEYS).await.expect(200);
    assert_eq!(listed["total"], 2, "the code and one key: {listed}");
}

#[tokio::test]
async fn what_is_no_code_or_none_any_more_is_answered_alike() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    let revoked = admin.post(KEYS, json!({"scope": "s", "permission": "login"})).await.expect(201);
    admin.delete(&format!("{KEYS}/{}", revoked["id"].as_str().unwrap())).await.expect(200);
    let key = admin.post(KEYS, json!({"scope": "s"})).await.expect(201);
    let expired = code(&admin).await;
    app.passes(CODE_LIFE_MS);
    let before = app.app.refusals.keys.total();
    let [revoked, key] = [revoked, key].map(|key| key["api_key"].as_str().unwrap().to_owned());
    for bad in [&*revoked, &key, &expired, "oct_unknown", "x", ADMIN] {
        assert_invalid(&sign_in(&app, bad).await);
    }
    assert_eq!(app.app.refusals.keys.total(), before + 6, "attempts are counted");
    assert_eq!(app.holding(&key).get("/api/v1/tasks").await.status, 200);
    for body in [json!({}), json!({"code": ""}), json!({"code": null})] {
        let refused = app.post("/login", body).await;
        assert_eq!(refused.error(400), "Missing required field: code");
    }
    assert_eq!(app.raw("POST", "/login", "{").await.error(400), "Invalid JSON body");
}

#[tokio::test]
async fn a_code_lives_for_24_hours_at_most() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    let issue = async |end: Option<i64>| {
        let end = end.map(|end| Millis(START + end).to_iso());
        admin.post(KEYS, json!({"scope": "s", "permission": "login", "expires_at": end})).await
    };
    let default = issue(None).await.expect(201);
    assert_eq!(default["expires_at"], json!(Millis(START + CODE_LIFE_MS).to_iso()));
    issue(Some(CODE_LIFE_MS)).await.expect(201);
    let short = issue(Some(1_000)).await.expect(201)["api_key"].as_str().unwrap().to_owned();
    assert_eq!(
        issue(Some(CODE_LIFE_MS + 1)).await.error(400),
        "expires_at must be within 24 hours for the permission \"login\": leave it out for 24 hours"
    );
    app.passes(1_000);
    assert_invalid(&sign_in(&app, &short).await);
    app.passes(CODE_LIFE_MS - 1_001);
    sign_in(&app, default["api_key"].as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn a_code_opens_nothing_as_a_key() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = TestApp::guarded(mode).await;
        let code = code(&app.holding(ADMIN)).await;
        let holder = app.holding(&code);
        let rotation = "/api/v1/orchestrators/scopes/s/rotate-key";
        for (method, path) in [
            ("GET", "/api/v1/tasks"),
            ("GET", "/api/v1/scopes"),
            ("GET", "/api/v1/events"),
            ("POST", "/api/v1/tasks/claim"),
            ("POST", "/api/v1/tasks/a/accept"),
            ("POST", rotation),
            ("GET", KEYS),
            ("POST", KEYS),
            ("POST", "/api/v1/admin/jobs/run"),
        ] {
            let refused = holder.raw(method, path, "{}").await;
            assert_eq!(refused.expect(403)["code"], "forbidden", "{method} {path}");
        }
        let refused = holder.get("/api/v1/tasks").await;
        assert!(refused.error(403).contains("POST /login"), "{}", refused.text);
        sign_in(&app, &code).await.expect(200);
    }
}

#[tokio::test]
async fn only_those_who_may_issue_keys_issue_codes() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let body = json!({"scope": "s", "permission": "login"});
    for issuer in [app.clone(), app.permitted("s", "work").await] {
        assert_eq!(issuer.post(KEYS, body.clone()).await.expect(403)["code"], "forbidden");
    }
    let other = app.permitted("t", "manage").await;
    assert_eq!(other.post(KEYS, body).await.expect(403)["code"], "scope_mismatch");
}

#[tokio::test]
async fn a_page_of_another_origin_signs_nobody_in() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let code = code(&app.holding(ADMIN)).await;
    let from = |origin: &str| {
        let request = Request::post("/login").header("host", "localhost:8787");
        let body = Body::from(json!({ "code": code }).to_string());
        app.send(request.header("origin", origin).body(body).unwrap())
    };
    assert_eq!(from("https://evil.example").await.expect(403)["code"], "foreign_origin");
    from("http://localhost:8787").await.expect(200);
}
