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
