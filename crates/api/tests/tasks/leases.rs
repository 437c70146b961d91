//! What the scheduled jobs make of leases that ended.

use octopoid_api::{Settings, app::JOBS_PERIOD_MS, jobs::run_jobs};
use serde_json::{Value, json};

use crate::{TASKS, changes, claimed, common::TestApp, event, last_event, read, submitted};

const GRACE: i64 = 120_000;

/// An app whose jobs have run, and run so rarely that time may pass in leaps.
async fn attended() -> TestApp {
    let settings = Settings { jobs_period_ms: 100 * 86_400_000, ..Settings::default() };
    let app = TestApp::with(settings).await;
    released(&app).await;
    app
}

/// Time passes as it does while a server runs: with its jobs. Returns how many were taken back.
async fn serves(app: &TestApp, ms: i64) -> usize {
    let mut taken = 0;
    for _ in 0..ms / JOBS_PERIOD_MS {
        app.passes(JOBS_PERIOD_MS);
        taken += released(app).await;
    }
    taken
}

async fn claimed_for_a_minute(app: &TestApp) -> Value {
    app.task("a", json!({})).await;
    app.claim(json!({"lease_duration_seconds": 60})).await.expect(200)
}

async fn released(app: &TestApp) -> usize {
    run_jobs(&app.app).await.unwrap().tasks_released
}

#[tokio::test]
async fn a_lease_is_left_to_the_clients_own_reaper_for_the_grace() {
    let app = attended().await;
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
    let app = attended().await;
    claimed_for_a_minute(&app).await;
    let renewal = json!({"lease_expires_at": "2026-11-21T22:58:58.605123+00:00"});
    app.patch(&format!("{TASKS}/a"), renewal).await.expect(200);
    app.passes(3_600_000);
    assert_eq!(released(&app).await, 0);
    assert_eq!(read(&app, "a").await["claimed_by"], "agent-1");
}

#[tokio::test]
async fn an_abandoned_review_ends_where_it_was() {
    let app = attended().await;
    submitted(&app, "a").await;
    let review = json!({
        "queue": "provisional", "agent_name": "reviewer-1", "lease_duration_seconds": 60,
    });
    let before = app.claim(review.clone()).await.expect(200);
    app.passes(60_000);
    app.claim(review.clone()).await.expect(404);
    app.passes(GRACE + 1);
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
    let app = attended().await;
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
    let app = attended().await;
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
    let app = attended().await;
    for number in 0..205 {
        app.task(&format!("t{number}"), json!({})).await;
        app.claim(json!({"lease_duration_seconds": 1})).await.expect(200);
    }
    app.passes(1_000 + GRACE + 1);
    assert_eq!(released(&app).await, 205);
    assert_eq!(app.get("/api/v1/tasks?scope=s&queue=incoming").await.expect(200)["total"], 205);
}

#[tokio::test]
async fn an_ended_review_is_the_next_reviewers_at_once() {
    let app = attended().await;
    submitted(&app, "a").await;
    let review = |agent: &str| json!({ "queue": "provisional", "agent_name": agent, "lease_duration_seconds": 60 });
    app.claim(review("reviewer-1")).await.expect(200);
    app.passes(60_001);
    let claimed = app.claim(review("reviewer-2")).await.expect(200);
    assert_eq!(claimed["claimed_by"], "reviewer-2");
    let late = json!({ "accepted_by": "reviewer-1", "agent_name": "reviewer-1" });
    let refused = app.post(&format!("{TASKS}/a/accept"), late).await.expect(409);
    assert_eq!(refused["code"], "lease_lost");
    assert_eq!(refused["details"], json!(["Task is claimed by reviewer-2"]));
}

/// Agents could not renew while the server slept. They get the grace from when it woke up.
#[tokio::test]
async fn after_a_sleep_leases_are_left_to_their_holders_for_the_grace() {
    let app = TestApp::new().await;
    serves(&app, GRACE).await;
    for id in ["renewed", "abandoned", "reviewed"] {
        app.task(id, json!({"type": id})).await;
        app.claim(json!({"type_filter": [id], "lease_duration_seconds": 60})).await.expect(200);
    }
    serves(&app, 30_000).await;
    app.passes(8 * 3_600_000);
    assert_eq!(released(&app).await, 0, "as it wakes up");
    assert_eq!(serves(&app, GRACE - JOBS_PERIOD_MS).await, 0, "and for the grace");
    let path = format!("{TASKS}/renewed");
    let end = app.app.now().plus(3_600_000).to_iso();
    app.patch(&path, json!({"lease_expires_at": end})).await.expect(200);
    let report = json!({"commits_count": 1, "turns_used": 1});
    app.patch(&format!("{TASKS}/reviewed"), json!({"lease_expires_at": end})).await.expect(200);
    app.post(&format!("{TASKS}/reviewed/submit"), report).await.expect(200);
    assert_eq!(serves(&app, 2 * JOBS_PERIOD_MS).await, 1, "then the silent one is given up");
    assert_eq!(read(&app, "abandoned").await["queue"], "incoming");
    assert_eq!(read(&app, "renewed").await["claimed_by"], "agent-1");
    assert_eq!(read(&app, "reviewed").await["queue"], "provisional");
}

/// Jobs that are run by hand during the grace neither shorten it nor begin it again.
#[tokio::test]
async fn jobs_run_by_hand_change_nothing_about_the_grace() {
    let app = TestApp::new().await;
    serves(&app, GRACE).await;
    claimed_for_a_minute(&app).await;
    app.passes(3_600_000);
    for _ in 0..3 {
        assert_eq!(released(&app).await, 0);
    }
    for _ in 0..GRACE / 1_000 {
        app.passes(1_000);
        assert_eq!(released(&app).await, 0);
    }
    app.passes(1_000);
    assert_eq!(released(&app).await, 1);
}

/// A process that has just started does not know how long there was none.
#[tokio::test]
async fn a_server_that_starts_takes_back_only_what_was_over_before() {
    let database = octopoid_testbed::database::Database::fresh().await;
    let start = || TestApp::over(std::sync::Arc::clone(&database.engine), Settings::default());
    let first = start();
    first.app.store.migrate(first.app.now()).await.unwrap();
    serves(&first, GRACE).await;
    claimed_for_a_minute(&first).await;
    serves(&first, 60_000 + GRACE).await;
    first.passes(JOBS_PERIOD_MS - 1);
    // Stopped and started within a period, again and again: the first run takes back nothing new,
    // and the second what the first one would have.
    let mut taken = 0;
    let mut at = first.app.now().0;
    for _ in 0..3 {
        let next = start();
        next.passes(at - next.app.now().0);
        taken += released(&next).await;
        at += JOBS_PERIOD_MS / 2;
    }
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn orchestrators_are_not_offline_because_the_server_slept() {
    let app = TestApp::new().await;
    serves(&app, GRACE).await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let offline = async || run_jobs(&app.app).await.unwrap().orchestrators_offline;
    app.passes(8 * 3_600_000);
    for _ in 0..GRACE / JOBS_PERIOD_MS {
        assert_eq!(offline().await, 0);
        app.passes(JOBS_PERIOD_MS);
    }
    // A period before the sleep, and the rest after it.
    assert_eq!(offline().await, 1);
}

#[tokio::test]
async fn a_lease_lasts_a_day_at_most_and_names_are_bounded() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let path = format!("{TASKS}/a");
    for end in [json!("2099-01-01T00:00:00Z"), json!("9999-12-30"), json!(253_402_207_199_999_i64)]
    {
        let task = app.patch(&path, json!({"lease_expires_at": end})).await.expect(200);
        assert_eq!(task["lease_expires_at"], "2026-11-22T20:58:58.605Z", "{end}");
    }
    let before = read(&app, "a").await;
    let answer = app.patch(&path, json!({"claimed_by": "x".repeat(513)})).await;
    assert_eq!(answer.error(400), "claimed_by is too long: at most 512 bytes");
    assert_eq!(read(&app, "a").await, before);
    app.patch(&path, json!({"claimed_by": "x".repeat(512)})).await.expect(200);
}
