use octopoid_api::{Settings, app::JOBS_PERIOD_MS, jobs::run_jobs};
use serde_json::{Value, json};

use crate::{
    TASKS, assert_no_task, claimed, common::TestApp, event, last_event, read, step, submitted,
};

#[tokio::test]
async fn a_deleted_task_is_gone() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    assert_eq!(
        app.delete(&format!("{TASKS}/a")).await.expect(200),
        json!({"message": "Task deleted", "task_id": "a"})
    );
    assert_no_task(&app.get(&format!("{TASKS}/a")).await, "a");
    assert_no_task(&app.delete(&format!("{TASKS}/a")).await, "a");
    app.claim(json!({})).await.expect(404);
    assert_eq!(app.get(&format!("{TASKS}?scope=s")).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn a_task_may_be_deleted_whatever_its_queue() {
    let app = TestApp::new().await;
    claimed(&app, "claimed").await;
    submitted(&app, "provisional").await;
    app.task("done", json!({"queue": "done"})).await;
    for id in ["claimed", "provisional", "done"] {
        app.delete(&format!("{TASKS}/{id}")).await.expect(200);
    }
    let report = json!({"commits_count": 1, "turns_used": 1});
    assert_no_task(&step(&app, "claimed", "submit", report).await, "claimed");
}

#[tokio::test]
async fn what_waited_for_a_deleted_task_waits_no_longer() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    app.task("c", json!({"blocked_by": "a,marker"})).await;
    app.delete(&format!("{TASKS}/a")).await.expect(200);
    assert_eq!(read(&app, "b").await["blocked_by"], Value::Null);
    assert_eq!(read(&app, "c").await["blocked_by"], "marker");
    assert_eq!(last_event(&app, "b").await, event("unblocked", Value::Null, "a"));
}

#[tokio::test]
async fn history_and_messages_of_a_deleted_task_stay() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    step(&app, "a", "force-queue", json!({"queue": "failed", "reason": "r"})).await.expect(200);
    app.delete(&format!("{TASKS}/a")).await.expect(200);
    assert_eq!(last_event(&app, "a").await, event("deleted", Value::Null, "was failed"));
    let messages = app.get(&format!("{TASKS}/a/messages?scope=s")).await.expect(200);
    assert_eq!(messages["total"], 1);
}

#[tokio::test]
async fn the_id_and_the_path_of_a_deleted_task_are_free_again() {
    let app = TestApp::new().await;
    app.task("a", json!({"title": "first"})).await;
    app.delete(&format!("{TASKS}/a")).await.expect(200);
    assert_eq!(app.task("a", json!({})).await["version"], 2);
}

/// Runs the jobs, and returns how many tasks they have deleted.
async fn expired(app: &TestApp) -> usize {
    run_jobs(&app.app).await.unwrap().tasks_deleted
}

#[tokio::test]
async fn finished_tasks_are_kept_for_ever_or_as_long_as_is_set() {
    for (retain_done_ms, deleted) in [(None, 0), (Some(86_400_000), 60)] {
        let settings = Settings { retain_done_ms, ..Settings::default() };
        let app = TestApp::with(settings).await;
        app.task("open", json!({})).await;
        for number in 0..60 {
            app.task(&format!("t{number}"), json!({"queue": "done"})).await;
        }
        app.passes(86_400_001);
        assert_eq!(expired(&app).await, deleted, "more than one step");
        assert_eq!(expired(&app).await, 0);
        let total = app.get(&format!("{TASKS}?scope=s")).await.expect(200)["total"].clone();
        assert_eq!(total, 61 - deleted);
    }
}

#[tokio::test]
async fn a_short_run_deletes_few_tasks_and_none_if_it_takes_leases_back() {
    let settings =
        Settings { retain_done_ms: Some(1_000), lease_grace_ms: 0, ..Settings::default() };
    let app = TestApp::with(settings.with_short_jobs()).await;
    expired(&app).await;
    app.task("a", json!({})).await;
    app.claim(json!({"lease_duration_seconds": 15})).await.expect(200);
    for number in 0..4 {
        app.task(&format!("t{number}"), json!({"queue": "failed"})).await;
    }
    let mut runs = Vec::new();
    for _ in 0..3 {
        app.passes(JOBS_PERIOD_MS);
        let done = run_jobs(&app.app).await.unwrap();
        runs.push((done.tasks_released, done.tasks_deleted));
    }
    assert_eq!(runs, [(0, 3), (1, 0), (0, 1)]);
}
