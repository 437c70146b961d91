//! What the scheduled jobs make of leases that ended.

use octopoid_api::jobs::run_jobs;
use serde_json::{Value, json};

use crate::{TASKS, changes, claimed, common::TestApp, event, last_event, read, submitted};

const GRACE: i64 = 120_000;

async fn claimed_for_a_minute(app: &TestApp) -> Value {
    app.task("a", json!({})).await;
    app.claim(json!({"lease_duration_seconds": 60})).await.expect(200)
}

async fn released(app: &TestApp) -> usize {
    run_jobs(&app.app).await.unwrap().tasks_released
}

#[tokio::test]
async fn a_lease_is_left_to_the_clients_own_reaper_for_the_grace() {
    let app = TestApp::new().await;
    let before = claimed_for_a_minute(&app).await;
    app.passes(60_000 + GRACE);
    assert_eq!(released(&app).await, 0);
    app.claim(json!({})).await.expect(404);
    app.passes(1);
    assert_eq!(released(&app).await, 1);
    assert_eq!(
        changes(&before, &read(&app, "a").await),
        json!({
            "queue": "incoming", "claimed_by": null, "claimed_at": null, "orchestrator_id": null,
            "lease_expires_at": null, "attempt_count": 1, "version": 3,
            "updated_at": "2026-11-21 21:01:58",
        })
    );
    assert_eq!(last_event(&app, "a").await, event("requeued", "agent-1", "Lease expired"));
    assert_eq!(released(&app).await, 0);
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "a");
}

#[tokio::test]
async fn a_renewed_lease_is_not_taken_back() {
    let app = TestApp::new().await;
    claimed_for_a_minute(&app).await;
    let renewal = json!({"lease_expires_at": "2026-11-21T22:58:58.605123+00:00"});
    app.patch(&format!("{TASKS}/a"), renewal).await.expect(200);
    app.passes(3_600_000);
    assert_eq!(released(&app).await, 0);
    assert_eq!(read(&app, "a").await["claimed_by"], "agent-1");
}

#[tokio::test]
async fn an_abandoned_review_ends_where_it_was() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    let review = json!({
        "queue": "provisional", "agent_name": "reviewer-1", "lease_duration_seconds": 60,
    });
    let before = app.claim(review.clone()).await.expect(200);
    app.passes(60_000 + GRACE + 1);
    app.claim(review.clone()).await.expect(404);
    assert_eq!(released(&app).await, 1);
    let changed = changes(&before, &read(&app, "a").await);
    assert_eq!((&changed["claimed_by"], &changed["version"]), (&Value::Null, &json!(5)));
    assert!(changed.get("queue").is_none() && changed.get("attempt_count").is_none(), "{changed}");
    assert_eq!(
        last_event(&app, "a").await,
        event("review_released", "reviewer-1", "Lease expired")
    );
    app.claim(review).await.expect(200);
}

#[tokio::test]
async fn a_task_claimed_without_a_lease_comes_back_a_day_after_its_last_change() {
    let app = TestApp::new().await;
    app.task("a", json!({"queue": "claimed"})).await;
    app.passes(86_400_000 + GRACE);
    assert_eq!(released(&app).await, 0);
    app.passes(1);
    assert_eq!(released(&app).await, 1);
    assert_eq!(read(&app, "a").await["queue"], "incoming");
    assert_eq!(last_event(&app, "a").await, event("requeued", Value::Null, "Lease expired"));
}

#[tokio::test]
async fn what_was_submitted_or_failed_in_time_is_left_alone() {
    let app = TestApp::new().await;
    submitted(&app, "a").await;
    claimed(&app, "b").await;
    app.patch(&format!("{TASKS}/b"), json!({"queue": "failed"})).await.expect(200);
    app.passes(10 * 86_400_000);
    assert_eq!(released(&app).await, 0);
    assert_eq!(read(&app, "a").await["queue"], "provisional");
    assert_eq!(read(&app, "b").await["queue"], "failed");
}

#[tokio::test]
async fn hundreds_of_leases_are_taken_back_in_one_run() {
    let app = TestApp::new().await;
    for number in 0..205 {
        app.task(&format!("t{number}"), json!({})).await;
        app.claim(json!({"lease_duration_seconds": 1})).await.expect(200);
    }
    app.passes(1_000 + GRACE + 1);
    assert_eq!(released(&app).await, 205);
    assert_eq!(app.get("/api/v1/tasks?scope=s&queue=incoming").await.expect(200)["total"], 205);
}
