//! A server whose connections are all in use.

use octopoid_test_database::Schema;

use crate::{
    common::{ask, connect, migrate, serve, status},
    load::new_task,
    server::{PATIENCE, eventually},
};

#[tokio::test]
async fn who_finds_no_free_connection_is_told_so_in_time() {
    let Some(schema) = Schema::fresh().await else { return };
    // The name by which the server's connection is found among all others.
    let name = format!("pool-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    let server = serve(&url, &["--db-connections", "1", "--db-wait", "300ms"]).await;
    let address = server.address.clone();
    server.client().create_task(&new_task("a")).await.unwrap();

    let mut other = connect(&schema.url()).await;
    let holding = other.transaction().await.unwrap();
    holding.query("SELECT 1 FROM tasks WHERE id = 'a' FOR UPDATE", &[]).await.unwrap();
    let title = r#"{"title":"t"}"#;
    let task = "/api/v1/tasks/a";
    let held = tokio::spawn({
        let address = address.clone();
        async move { ask(&address, "PATCH", task, title).await }
    });
    let is_waiting = async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 \
                   AND wait_event_type = 'Lock'";
        (!holding.query(sql, &[&name]).await.unwrap().is_empty()).then_some(())
    };
    eventually("the only connection waits", PATIENCE, is_waiting).await;

    for _ in 0..3 {
        ask(&address, "GET", task, "").await.assert_unable("unavailable");
        ask(&address, "PATCH", task, title).await.assert_unable("unavailable");
    }
    assert_eq!(status(&address, "/readyz").await, 503);
    assert_eq!(status(&address, "/livez").await, 200);

    holding.commit().await.unwrap();
    assert_eq!(held.await.unwrap().status, 200);
    assert_eq!(ask(&address, "GET", task, "").await.status, 200);
    assert_eq!(status(&address, "/readyz").await, 200);
}

#[tokio::test]
async fn a_change_that_waits_too_long_is_unconfirmed_and_whole_or_nothing() {
    let Some(schema) = Schema::fresh().await else { return };
    let name = format!("patience-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    migrate(&url).await;
    let server = serve(&url, &["--db-patience", "2s"]).await;
    server.client().create_task(&new_task("a")).await.unwrap();
    let mut other = connect(&schema.url()).await;
    let holding = other.transaction().await.unwrap();
    holding.query("SELECT 1 FROM tasks WHERE id = 'a' FOR UPDATE", &[]).await.unwrap();
    let answer = ask(&server.address, "PATCH", "/api/v1/tasks/a", r#"{"title":"t"}"#).await;
    answer.assert_unable("unconfirmed");
    holding.commit().await.unwrap();
    server.kill().await;

    // PostgreSQL may notice that nobody listens before it commits, or after.
    let is_over = async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1";
        other.query(sql, &[&name]).await.unwrap().is_empty().then_some(())
    };
    eventually("the server's connections end", PATIENCE, is_over).await;
    let sql = "SELECT version, title, (SELECT count(*) FROM task_history) FROM tasks";
    let row = other.query_one(sql, &[]).await.unwrap();
    let task: (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
    assert!(task == (1, "a".into(), 1) || task == (2, "t".into(), 2), "{task:?}");
}
