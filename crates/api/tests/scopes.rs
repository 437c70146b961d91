//! The list of scopes over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{ADMIN, TestApp};
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const SCOPES: &str = "/api/v1/scopes";

fn scope(name: &str, open_tasks: i64, machines: i64) -> Value {
    json!({"scope": name, "open_tasks": open_tasks, "machines": machines, "is_partial": false})
}

#[tokio::test]
async fn a_key_sees_its_scope_and_others_see_all() {
    let app = TestApp::guarded(AuthMode::Open).await;
    app.task("t", json!({"scope": "b"})).await;
    app.task("u", json!({"scope": "b", "queue": "done"})).await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "b"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let reader = app.permitted("a", "read").await;
    let own = json!({"scopes": [scope("a", 0, 0)], "is_partial": false, "permission": "read"});
    assert_eq!(reader.get(SCOPES).await.expect(200), own);
    assert_eq!(reader.get(&format!("{SCOPES}?scope=a")).await.expect(200), own);
    let mismatch = reader.get(&format!("{SCOPES}?scope=b")).await.expect(403);
    assert_eq!(mismatch["code"], "scope_mismatch");
    for (caller, permission) in [(app.clone(), "manage"), (app.holding(ADMIN), "admin")] {
        let seen = |scopes: &[Value]| json!({"scopes": scopes, "is_partial": false, "permission": permission});
        let all = [scope("a", 0, 0), scope("b", 1, 1)];
        assert_eq!(caller.get(SCOPES).await.expect(200), seen(&all));
        let one = caller.get(&format!("{SCOPES}?scope=b")).await.expect(200);
        assert_eq!(one, seen(&all[1..]));
    }
}

#[tokio::test]
async fn a_server_without_scopes_lists_none() {
    let app = TestApp::new().await;
    let none = json!({"scopes": [], "is_partial": false, "permission": "manage"});
    assert_eq!(app.get(SCOPES).await.expect(200), none);
}

#[tokio::test]
async fn a_key_is_told_its_permission() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = TestApp::guarded(mode).await;
        for permission in ["read", "work", "manage"] {
            let holder = app.permitted("s", permission).await;
            assert_eq!(holder.get(SCOPES).await.expect(200)["permission"], permission);
        }
        app.holding(ADMIN).task("t", json!({})).await;
        let claimed = app.permitted("s", "work").await.claim(json!({"run_key": true})).await;
        let run = app.holding(claimed.expect(200)["run_key"].as_str().unwrap());
        assert_eq!(run.get(SCOPES).await.expect(403)["code"], "forbidden");
    }
}
