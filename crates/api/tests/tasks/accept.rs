use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, changes, claimed, common::TestApp, conflict, event, last_event, read,
    register_flow, step, submitted,
};

const FAILED: &str = "Failed to accept task";

#[tokio::test]
async fn whoever_accepts_must_be_named() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    for body in [json!({}), json!({"accepted_by": ""}), json!({"accepted_by": null})] {
        let text = step(&app, "a", "accept", body.clone()).await.error(400);
        assert_eq!(text, "Missing required field: accepted_by", "{body}");
    }
}

#[tokio::test]
async fn accepting_changes_what_the_contract_says_and_nothing_else() {
    let app = TestApp::new().await;
    let before = submitted(&app, "a").await;
    app.passes(60_071);
    let after = step(&app, "a", "accept", json!({"accepted_by": "human"})).await.expect(200);
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "done", "completed_at": "2026-11-21T20:59:58.676Z",
            "updated_at": "2026-11-21 20:59:58", "version": 4,
        })
    );
    assert_eq!(read(&app, "a").await, after);
    assert_eq!(last_event(&app, "a").await, event("accepted", "human", Value::Null));
}

#[tokio::test]
async fn a_time_of_completion_may_be_given_in_any_iso_form() {
    let app = TestApp::new().await;
    for (id, given, shown) in [
        ("a", "2026-03-02T10:00:00.123456+00:00", "2026-03-02T10:00:00.123Z"),
        ("b", "2026-03-02 10:00:00", "2026-03-02T10:00:00.000Z"),
    ] {
        submitted(&app, id).await;
        let body = json!({"accepted_by": "human", "completed_at": given});
        assert_eq!(step(&app, id, "accept", body).await.expect(200)["completed_at"], shown);
    }
    submitted(&app, "c").await;
    let body = json!({"accepted_by": "human", "completed_at": "soon"});
    let text = step(&app, "c", "accept", body).await.error(400);
    assert!(text.starts_with("Invalid value for completed_at: "), "{text}");
}

#[tokio::test]
async fn an_empty_time_of_completion_counts_as_left_out() {
    let app = TestApp::new().await;
    for (id, falsy) in [("a", json!("")), ("b", json!(null)), ("c", json!(0)), ("d", json!(false))]
    {
        submitted(&app, id).await;
        let body = json!({"accepted_by": "human", "completed_at": falsy});
        let task = step(&app, id, "accept", body).await.expect(200);
        assert_eq!(task["completed_at"], "2026-11-21T20:58:58.605Z", "{falsy}");
    }
}

#[tokio::test]
async fn without_a_flow_only_claimed_and_submitted_work_is_accepted() {
    let app = TestApp::new().await;
    let body = json!({"accepted_by": "human"});
    assert_no_task(&step(&app, "none", "accept", body.clone()).await, "none");
    for queue in ["incoming", "done", "failed", "needs_continuation"] {
        app.task(queue, json!({"queue": queue})).await;
        let answer = step(&app, queue, "accept", body.clone()).await;
        assert_eq!(
            conflict(&answer, FAILED),
            format!("Invalid transition: task is in {queue}, expected provisional or claimed")
        );
    }
    app.delete(&format!("{TASKS}/incoming")).await.expect(200);
    claimed(&app, "a").await;
    let task = step(&app, "a", "accept", body).await.expect(200);
    assert_eq!((&task["queue"], &task["claimed_by"]), (&json!("done"), &Value::Null));
    assert_eq!(task["lease_expires_at"], Value::Null);
}

#[tokio::test]
async fn with_a_flow_the_step_must_be_one_of_its() {
    let app = TestApp::new().await;
    register_flow(&app).await;
    claimed(&app, "a").await;
    let body = json!({"accepted_by": "human"});
    assert_eq!(
        conflict(&step(&app, "a", "accept", body.clone()).await, FAILED),
        "Invalid transition: flow \"default\" does not allow claimed \u{2192} done"
    );
    let report = json!({"commits_count": 1, "turns_used": 1});
    step(&app, "a", "submit", report).await.expect(200);
    step(&app, "a", "accept", body).await.expect(200);
}

#[tokio::test]
async fn the_tasks_of_a_project_may_take_the_steps_of_the_child_flow() {
    let app = TestApp::new().await;
    let flow = json!({
        "scope": "s", "states": ["incoming", "claimed", "done", "failed"], "transitions": [],
        "child_flow": {"transitions": [{"from": "claimed", "to": "done"}]},
    });
    app.put("/api/v1/flows/default", flow).await.expect(200);
    let project = json!({"id": "p", "title": "t", "branch": "b", "scope": "s"});
    app.post("/api/v1/projects", project).await.expect(201);
    let body = json!({"accepted_by": "human"});
    app.task("child", json!({"project_id": "p", "queue": "claimed"})).await;
    app.task("single", json!({"queue": "claimed"})).await;
    step(&app, "child", "accept", body.clone()).await.expect(200);
    step(&app, "single", "accept", body).await.expect(409);
}

#[tokio::test]
async fn what_waited_for_the_task_waits_no_longer() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    app.task("only", json!({"blocked_by": "a"})).await;
    app.task("both", json!({"blocked_by": "a,b"})).await;
    app.task("elsewhere", json!({"blocked_by": "a", "scope": "other"})).await;
    app.task("not", json!({"blocked_by": "aa"})).await;
    app.passes(60_000);
    step(&app, "a", "accept", json!({"accepted_by": "human"})).await.expect(200);

    let only = read(&app, "only").await;
    assert_eq!(only["blocked_by"], Value::Null);
    assert_eq!((&only["version"], &only["updated_at"]), (&json!(2), &json!("2026-11-21 20:59:58")));
    assert_eq!(last_event(&app, "only").await, event("unblocked", Value::Null, "a"));
    assert_eq!(read(&app, "both").await["blocked_by"], "b");
    assert_eq!(read(&app, "elsewhere").await["blocked_by"], "a", "an id says nothing elsewhere");
    assert_eq!(read(&app, "not").await["blocked_by"], "aa");
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "only");
    app.claim(json!({})).await.expect(404);
}

#[tokio::test]
async fn a_version_that_is_named_must_be_the_present_one() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let answer = step(&app, "a", "accept", json!({"accepted_by": "human", "version": 2})).await;
    assert_eq!(conflict(&answer, FAILED), "Version mismatch: expected 2, found 3");
    assert_eq!(answer.json()["code"], "version_conflict");
    step(&app, "a", "accept", json!({"accepted_by": "human", "version": 3})).await.expect(200);
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_succeeds() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let accepts = (0..8).map(|_| {
        let app = app.clone();
        let body = json!({"accepted_by": "human"});
        tokio::spawn(async move { step(&app, "a", "accept", body).await.status.as_u16() })
    });
    let mut statuses = Vec::new();
    for accept in accepts.collect::<Vec<_>>() {
        statuses.push(accept.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}
