//! Many servers that start at the same moment.

use octopoid_testbed::database::Schema;
use tokio::task::JoinSet;

use crate::{
    common::{connect, serve, status},
    load::new_task,
};

#[tokio::test]
async fn ten_servers_that_start_at_once_migrate_an_empty_database_once() {
    let Some(schema) = Schema::fresh().await else { return };
    let mut starting = JoinSet::new();
    for _ in 0..10 {
        let url = schema.url();
        starting.spawn(async move { serve(&url, &["--db-connections", "1"]).await });
    }
    let servers = starting.join_all().await;
    for (number, server) in servers.iter().enumerate() {
        assert_eq!(status(&server.address, "/readyz").await, 200);
        server.client().create_task(&new_task(&format!("task-{number}"))).await.unwrap();
    }
    let listed = servers[0].client().list_tasks(&[]).await.unwrap();
    assert_eq!(listed.total, servers.len());

    let client = connect(&schema.url()).await;
    let sql = "SELECT version FROM schema_versions ORDER BY version";
    let rows = client.query(sql, &[]).await.unwrap();
    let versions: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    // Each version leaves one row; so one server at a time has entered it.
    assert!(!versions.is_empty());
    assert_eq!(versions, (versions[0]..).take(versions.len()).collect::<Vec<i64>>());
}
