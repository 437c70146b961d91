//! Run keys: what the agent of a run may do, and until when.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

/// A server with two tasks, the claim of the first, and the agent that holds its run key.
async fn claimed() -> (TestApp, Value, TestApp) {
    let app = TestApp::guarded(AuthMode::Required).await;
    let runner = app.permitted("s", "work").await;
    for id in ["t/1", "other"] {
        let task = json!({"id": id, "file_path": id, "branch": "b"});
        runner.post("/api/v1/tasks", task).await.expect(201);
    }
    let body = json!({"orchestrator_id": "o", "agent_name": "a", "run_key": true});
    let claim = runner.post("/api/v1/tasks/claim", body).await.expect(200);
    assert_eq!(claim["id"], "t/1");
    let key = claim["run_key"].as_str().unwrap();
    assert!(key.starts_with("oct_run_1_"), "{key}");
    let agent = app.holding(key);
    (runner, claim, agent)
}

#[tokio::test]
async fn a_claim_returns_a_run_key_only_if_it_asks_for_one() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    assert_eq!(app.claim(json!({})).await.expect(200).get("run_key"), None);
}

#[tokio::test]
async fn an_agent_reads_its_own_task_and_talks_about_it() {
    let (_runner, _, agent) = claimed().await;
    for path in ["", "/history", "/messages", "/why", "/runs", "/runs/1", "/runs/1/log"] {
        let answer = agent.get(&format!("/api/v1/tasks/t%2F1{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    agent.get("/api/v1/messages?task_id=t%2F1").await.expect(200);
    let message = json!({
        "task_id": "t/1", "from_actor": "a", "type": "comment", "content": "hello",
    });
    agent.post("/api/v1/messages", message).await.expect(201);
    let question = json!({
        "entity_type": "task", "entity_id": "t/1", "action_type": "question", "label": "Which?",
        "proposed_by": "a",
    });
    agent.post("/api/v1/actions", question).await.expect(201);
    agent.post("/api/v1/drafts", json!({"title": "An idea", "author": "a"})).await.expect(201);
}

#[tokio::test]
async fn an_agent_can_do_nothing_else() {
    let (_runner, claim, agent) = claimed().await;
    let token = &claim["lease_token"];
    let step = json!({
        "lease_token": token, "commits_count": 1, "turns_used": 1, "reason": "crash",
        "accepted_by": "a", "by": "a", "queue": "done",
    });
    let task = json!({"id": "n", "file_path": "n", "branch": "b"});
    let claim = json!({"orchestrator_id": "o", "agent_name": "a"});
    let proposal = json!({
        "entity_type": "task", "entity_id": "t/1", "label": "l", "proposed_by": "a",
    });
    let foreign = json!({
        "task_id": "other", "from_actor": "a", "type": "comment", "content": "c",
    });
    let mut answers = Vec::new();
    for kind in ["action_command", "answer", "rejection"] {
        let order = json!({
            "task_id": "t/1", "from_actor": "human", "to_actor": "agent", "type": kind,
            "content": "c",
        });
        answers.push((kind, agent.post("/api/v1/messages", order).await));
    }
    for path in ["", "?queue=incoming", "/other", "/other/messages", "/other/runs"] {
        answers.push((path, agent.get(&format!("/api/v1/tasks{path}")).await));
    }
    for path in [
        "messages",
        "messages?task_id=other",
        "messages?task_id=t%2F1&thread_id=x",
        "runs",
        "scopes",
        "events",
        "admin/keys",
    ] {
        answers.push((path, agent.get(&format!("/api/v1/{path}")).await));
    }
    for name in ["submit", "fail", "renew", "requeue", "accept", "cancel", "force-queue", "log"] {
        let path = format!("/api/v1/tasks/t%2F1/{name}");
        answers.push((name, agent.post(&path, step.clone()).await));
    }
    answers.push(("create", agent.post("/api/v1/tasks", task).await));
    answers.push(("claim", agent.post("/api/v1/tasks/claim", claim).await));
    answers.push(("propose", agent.post("/api/v1/actions", proposal).await));
    answers.push(("write about another", agent.post("/api/v1/messages", foreign).await));
    answers.push(("edit", agent.patch("/api/v1/tasks/t%2F1", json!({"title": "t"})).await));
    for (what, answer) in answers {
        assert_eq!(answer.status, 403, "{what}: {}", answer.text);
        assert_eq!(answer.json()["code"], "forbidden", "{what}");
    }
}

#[tokio::test]
async fn a_run_key_ends_with_its_run() {
    let (runner, claim, agent) = claimed().await;
    let key = claim["run_key"].as_str().unwrap().to_owned();
    for bad in [key.replace("oct_run_1_", "oct_run_2_"), key[..key.len() - 2].to_owned()] {
        let answer = agent.holding(&bad).get("/api/v1/tasks/t%2F1").await;
        assert_eq!(answer.error(401), "Invalid run key, or its run has ended");
    }
    let submit = json!({
        "lease_token": claim["lease_token"], "commits_count": 1, "turns_used": 1,
    });
    runner.post("/api/v1/tasks/t%2F1/submit", submit).await.expect(200);
    let answer = agent.get("/api/v1/tasks/t%2F1").await;
    assert_eq!(answer.error(401), "Invalid run key, or its run has ended");
}
