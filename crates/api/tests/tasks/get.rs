use serde_json::json;

use crate::{TASKS, assert_no_task, common::TestApp};

#[tokio::test]
async fn a_task_is_read_by_its_id() {
    let app = TestApp::new().await;
    let task = app.task("a", json!({})).await;
    assert_eq!(app.get(&format!("{TASKS}/a")).await.expect(200), task);
    assert_eq!(app.get(&format!("{TASKS}/a?scope=s")).await.expect(200), task);
    assert_eq!(app.get(&format!("{TASKS}/a?scope=")).await.expect(200), task);
}

#[tokio::test]
async fn a_task_that_does_not_exist_is_a_404_with_its_id() {
    let app = TestApp::new().await;
    assert_no_task(&app.get(&format!("{TASKS}/none")).await, "none");
}

#[tokio::test]
async fn a_task_of_another_scope_does_not_exist_for_a_query_that_names_one() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    assert_no_task(&app.get(&format!("{TASKS}/a?scope=other")).await, "a");
    // Scopes are case-sensitive.
    assert_no_task(&app.get(&format!("{TASKS}/a?scope=S")).await, "a");
}

#[tokio::test]
async fn a_task_called_like_a_route_is_readable() {
    let app = TestApp::new().await;
    app.task("claim", json!({})).await;
    assert_eq!(app.get(&format!("{TASKS}/claim")).await.expect(200)["id"], "claim");
}
