//! Reading runs.

use octopoid_domain::Millis;
use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, claimed,
    common::{START, TestApp},
    step,
};

fn at(ms: i64) -> String {
    Millis(START + ms).to_iso()
}

#[tokio::test]
async fn a_run_shows_what_happened_under_its_lease() {
    let app = TestApp::new().await;
    let token = claimed(&app, "a").await["lease_token"].clone();
    app.passes(1_000);
    let report = json!({"lease_token": token, "checkpoint": {"step": 3},
        "progress": {"message": "half", "percent": 50}, "usage": {"turns": 7}});
    step(&app, "a", "renew", report).await.expect(200);
    let mut expected = json!({
        "task_id": "a", "run": 1, "attempt": 1, "kind": "work", "agent": "agent-1",
        "orchestrator_id": "box-1", "started_at": at(0), "ended_at": null, "outcome": "running",
        "reason": null, "message": null,
        "usage": {"input_tokens": null, "cached_tokens": null, "output_tokens": null,
            "cost_usd": null, "turns": 7, "model": null, "wall_seconds": null},
        "summary": null, "verdict": null,
        "progress": {"message": "half", "percent": 50.0, "at": at(1_000)},
    });
    let running = app.get("/api/v1/runs?scope=s&outcome=running").await.expect(200);
    let mut listed = expected.clone();
    (listed["title"], listed["queue"]) = ("a".into(), "claimed".into());
    assert_eq!(running, json!({"runs": [listed], "next_cursor": null}));
    let result = json!({"summary": "done", "branch": "b", "checks": [], "own": true});
    let body = json!({"commits_count": 1, "turns_used": 1, "lease_token": token,
        "result": result});
    step(&app, "a", "submit", body).await.expect(200);
    step(&app, "a", "accept", json!({"accepted_by": "human"})).await.expect(200);
    (expected["ended_at"], expected["outcome"]) = (at(1_000).into(), "submitted".into());
    (expected["summary"], expected["verdict"]) = ("done".into(), "accepted".into());
    let runs = app.get(&format!("{TASKS}/a/runs")).await.expect(200);
    assert_eq!(runs, json!({"runs": [expected], "next_cursor": null}));
    (expected["result"], expected["checkpoint"]) = (result, json!({"step": 3}));
    assert_eq!(app.get(&format!("{TASKS}/a/runs/1")).await.expect(200), expected);
}

#[tokio::test]
async fn a_list_of_tasks_has_their_last_runs_for_work_if_asked() {
    let app = TestApp::new().await;
    let token = claimed(&app, "a").await["lease_token"].clone();
    let result = json!({"summary": "done", "branch": "b", "files_changed": 3, "insertions": 48,
        "deletions": 0, "pr_url": "https://example.com/1", "patch": "+a",
        "checks": [{"name": "x", "exit_code": 0}, {"name": "y", "exit_code": 1}]});
    let body = json!({"commits_count": 1, "turns_used": 1, "lease_token": token,
        "result": result});
    step(&app, "a", "submit", body).await.expect(200);
    app.claim(json!({"queue": "provisional"})).await.expect(200);
    app.task("b", json!({"blocked_by": "a"})).await;
    let tasks = |query: &'static str| {
        let app = app.clone();
        async move {
            let list = app.get(&format!("{TASKS}?scope=s&limit=500{query}")).await.expect(200);
            (list["limit"].clone(), list["tasks"].clone())
        }
    };
    let (limit, plain) = tasks("").await;
    assert_eq!((limit, plain[1].get("last_run")), (json!(500), None));
    let (limit, listed) = tasks("&include=run").await;
    assert_eq!((limit, listed[0].get("last_run")), (json!(100), Some(&Value::Null)));
    let expected = json!({
        "task_id": "a", "run": 1, "attempt": 1, "kind": "work", "agent": "agent-1",
        "orchestrator_id": "box-1", "started_at": at(0), "ended_at": at(0),
        "outcome": "submitted", "reason": null, "message": null, "usage": null,
        "summary": "done", "verdict": null, "progress": null,
        "branch": "b", "pr_url": "https://example.com/1", "files_changed": 3, "insertions": 48,
        "deletions": 0, "checks": {"passed": 1, "failed": 1}, "patch_truncated": false,
    });
    assert_eq!(listed[1]["last_run"], expected);
    assert_eq!(listed[1].get("waiting"), None);
    let (_, both) = tasks("&include=waiting,run").await;
    assert_eq!(
        (&both[0]["waiting"]["code"], &both[1]["last_run"]),
        (&json!("waits_for"), &expected)
    );
    claimed(&app, "c").await;
    let (_, listed) = tasks("&include=run").await;
    let unknown = json!({"branch": null, "pr_url": null, "files_changed": null,
        "insertions": null, "deletions": null, "checks": null, "patch_truncated": null});
    for (name, value) in unknown.as_object().unwrap() {
        assert_eq!(listed[0]["last_run"].get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn runs_are_listed_in_pages_with_a_link() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    step(&app, "a", "requeue", json!({})).await.expect(200);
    app.claim(json!({})).await.expect(200);
    let first = app.get(&format!("{TASKS}/a/runs?limit=1")).await;
    let body = first.expect(200);
    assert_eq!((&body["runs"][0]["run"], body["runs"].as_array().unwrap().len()), (&json!(2), 1));
    let cursor = body["next_cursor"].as_str().unwrap();
    let link = first.headers["link"].to_str().unwrap();
    assert_eq!(link, format!("<{TASKS}/a/runs?limit=1&cursor={cursor}>; rel=\"next\""));
    let rest = app.get(&format!("{TASKS}/a/runs?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!((&rest["runs"][0]["run"], &rest["next_cursor"]), (&json!(1), &Value::Null));
    assert_eq!(rest["runs"][0]["outcome"], "released");
    let other = app.get(&format!("{TASKS}/b/runs?cursor={cursor}")).await;
    assert_eq!(other.error(400), "Invalid cursor");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_no_number_400() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let none = app.get(&format!("{TASKS}/a/runs")).await.expect(200);
    assert_eq!(none, json!({"runs": [], "next_cursor": null}));
    for path in ["runs/1", "runs/1/log"] {
        let missing = app.get(&format!("{TASKS}/a/{path}")).await;
        assert_eq!(missing.error(404), "Task has no run 1");
        assert_no_task(&app.get(&format!("{TASKS}/b/{path}")).await, "b");
    }
    assert_no_task(&app.get(&format!("{TASKS}/b/runs")).await, "b");
    assert_no_task(&app.get(&format!("{TASKS}/a/runs?scope=t")).await, "a");
    for bad in ["x", "-1", "1.5", "0", "9007199254740992", "99999999999999999999"] {
        let refused = app.get(&format!("{TASKS}/a/runs/{bad}")).await;
        let wanted = "a whole number from 1 to 9007199254740991";
        assert_eq!(refused.error(400), format!("Invalid run \"{bad}\": {wanted}"));
    }
}

#[tokio::test]
async fn only_running_runs_are_listed_across_tasks() {
    let app = TestApp::new().await;
    let refused = |query: &str| {
        let (app, path) = (app.clone(), format!("/api/v1/runs?{query}"));
        async move { app.get(&path).await.error(400) }
    };
    assert_eq!(
        refused("scope=s&outcome=failed").await,
        "Invalid value for outcome: \"failed\". Only running runs are listed across tasks; list \
         those that have ended with /api/v1/tasks/{id}/runs"
    );
    assert_eq!(
        refused("scope=s&kind=play").await,
        "Invalid value for kind: \"play\". Valid values: work, review"
    );
    assert_eq!(
        refused("outcome=running").await,
        "Missing required query parameter: scope. Cannot list runs across all scopes."
    );
    for (id, agent) in [("a", "x"), ("b", "y")] {
        app.task(id, json!({"type": id})).await;
        app.claim(json!({"type_filter": [id], "agent_name": agent})).await.expect(200);
    }
    for (query, expected) in [
        ("", json!(["a", "b"])),
        ("&kind=work", json!(["a", "b"])),
        ("&kind=review", json!([])),
        ("&agent=y", json!(["b"])),
        ("&orchestrator_id=box-1&agent=x", json!(["a"])),
        ("&orchestrator_id=box-2", json!([])),
    ] {
        let body = app.get(&format!("/api/v1/runs?scope=s{query}")).await.expect(200);
        let runs = body["runs"].as_array().unwrap();
        let ids: Vec<_> = runs.iter().map(|run| run["task_id"].clone()).collect();
        assert_eq!(Value::from(ids), expected, "{query}");
    }
}
