//! Which queue a claim takes from.

use serde_json::{Value, json};

use crate::{
    TASKS, changes, claimed, common::TestApp, event, holders_own, last_event, register_flow,
    register_roles, submitted,
};

#[tokio::test]
async fn a_claim_takes_from_incoming_or_from_the_queue_it_names() {
    let app = TestApp::new().await;
    app.task("a", json!({"queue": "backlog"})).await;
    app.task("b", json!({})).await;
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "b");
    app.claim(json!({})).await.expect(404);
    let task = app.claim(json!({"queue": "backlog"})).await.expect(200);
    assert_eq!((&task["id"], &task["queue"]), (&json!("a"), &json!("claimed")));
}

#[tokio::test]
async fn work_that_is_held_or_over_cannot_be_claimed() {
    let app = TestApp::new().await;
    claimed(&app, "claimed").await;
    for queue in ["done", "failed"] {
        app.task(queue, json!({"queue": queue})).await;
    }
    for queue in ["claimed", "done", "failed"] {
        let text = app.claim(json!({"queue": queue})).await.error(400);
        assert_eq!(
            text,
            format!("Cannot claim from queue \"{queue}\": tasks there are held or over")
        );
    }
}

#[tokio::test]
async fn a_named_queue_must_be_one_of_any_flow_of_the_scope_if_it_has_a_default_flow() {
    let app = TestApp::new().await;
    app.claim(json!({"queue": "banana"})).await.expect(404);
    let side = json!({
        "scope": "s", "states": ["incoming", "claimed", "done", "failed", "side"],
        "transitions": [],
    });
    app.put("/api/v1/flows/side", side).await.expect(200);
    app.claim(json!({"queue": "banana"})).await.expect(404);

    register_flow(&app).await;
    let answer = app.claim(json!({"queue": "banana"})).await;
    assert_eq!(
        answer.error(400),
        "Invalid queue \"banana\". Valid queues for flow \"default\": incoming, claimed, \
         provisional, done, failed, requires-intervention"
    );
    for queue in ["side", "requires-intervention", "incoming"] {
        app.claim(json!({"queue": queue})).await.expect(404);
    }
    app.claim(json!({"queue": "banana", "scope": "other"})).await.expect(404);
}

#[tokio::test]
async fn the_first_role_says_where_to_claim_from_unless_the_queue_is_named() {
    let app = TestApp::new().await;
    register_roles(&app, "s", &[("review", "provisional"), ("implement", "incoming")]).await;
    submitted(&app, "a").await;
    app.patch(&format!("{TASKS}/a"), json!({"role": "review"})).await.expect(200);
    app.task("b", json!({"role": "implement"})).await;
    let roles = json!({"role_filter": ["implement", "review"]});
    assert_eq!(app.claim(roles.clone()).await.expect(200)["id"], "b");
    app.claim(roles).await.expect(404);
    app.claim(json!({"role_filter": "review", "queue": "incoming"})).await.expect(404);
    assert_eq!(app.claim(json!({"role_filter": "review"})).await.expect(200)["id"], "a");
}

#[tokio::test]
async fn a_role_of_another_scope_says_where_to_claim_from_if_the_own_has_none() {
    let app = TestApp::new().await;
    register_roles(&app, "other", &[("review", "provisional")]).await;
    submitted(&app, "a").await;
    app.patch(&format!("{TASKS}/a"), json!({"role": "review"})).await.expect(200);
    assert_eq!(app.claim(json!({"role_filter": "review"})).await.expect(200)["id"], "a");
}

#[tokio::test]
async fn an_unknown_role_is_refused_only_where_roles_are_registered() {
    let app = TestApp::new().await;
    register_roles(&app, "other", &[("review", "incoming")]).await;
    app.claim(json!({"role_filter": "cook"})).await.expect(404);
    register_roles(&app, "s", &[("review", "incoming"), ("implement", "incoming")]).await;
    let answer = app.claim(json!({"role_filter": ["review", "cook", "smith"]})).await;
    assert_eq!(answer.error(400), "Unknown role 'cook'. Registered roles: implement, review");
}

#[tokio::test]
async fn a_review_leaves_the_task_where_it_is_and_is_exclusive() {
    let app = TestApp::new().await;
    let before = submitted(&app, "a").await;
    let review = json!({"queue": "provisional", "agent_name": "reviewer-1"});
    let mut after = app.claim(review.clone()).await.expect(200);
    let own = holders_own(&mut after);
    assert_eq!((&own["attempt"], &own["previous"]["outcome"]), (&Value::Null, &json!("submitted")));
    assert_eq!(
        changes(&before, &after),
        json!({
            "claimed_by": "reviewer-1", "claimed_at": "2026-11-21 20:58:58",
            "orchestrator_id": "box-1", "lease_expires_at": "2026-11-22T00:58:58.605Z",
            "version": 4, "run": 2,
        })
    );
    assert_eq!(last_event(&app, "a").await, event("review_claimed", "reviewer-1", Value::Null));
    app.claim(review).await.expect(404);
}

#[tokio::test]
async fn a_task_moved_on_by_its_worker_is_claimable_at_once() {
    let app = TestApp::new().await;
    for queue in ["needs_continuation", "provisional"] {
        claimed(&app, queue).await;
        let moved = app.patch(&format!("{TASKS}/{queue}"), json!({"queue": queue})).await;
        assert_eq!(moved.expect(200)["claimed_by"], "agent-1");
        let claim = json!({"queue": queue, "agent_name": "agent-2"});
        assert_eq!(app.claim(claim).await.expect(200)["claimed_by"], "agent-2");
    }
}
