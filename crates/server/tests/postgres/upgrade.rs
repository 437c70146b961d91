//! Servers of two versions on one database.

use octopoid_testbed::database::Schema;

use crate::{
    common::{connect, serve, status},
    load::new_task,
    server::{command, run},
};

/// A version that no server knows yet.
const NEXT: i64 = 1_000_000;

#[tokio::test]
async fn a_newer_schema_is_served_as_long_as_it_says_that_older_servers_can_read_it() {
    let Some(schema) = Schema::fresh().await else { return };
    let old = serve(&schema.url(), &["--db-connections", "2"]).await;
    old.client().create_task(&new_task("a")).await.unwrap();
    let database = connect(&schema.url()).await;

    // A newer server has added something, and everybody goes on.
    let expand = "INSERT INTO schema_versions (version, applied_at, readable_from) \
                  SELECT $1, 0, max(version) FROM schema_versions";
    database.execute(expand, &[&NEXT]).await.unwrap();
    assert_eq!(status(&old.address, "/readyz").await, 200);
    let another = serve(&schema.url(), &["--db-connections", "2"]).await;
    assert_eq!(status(&another.address, "/readyz").await, 200);
    assert_eq!(another.client().get_task("a").await.unwrap().id, "a");

    // A newer server has taken something away that these two need.
    let contract = "UPDATE schema_versions SET readable_from = $1 WHERE version = $1";
    database.execute(contract, &[&NEXT]).await.unwrap();
    assert_eq!(status(&old.address, "/readyz").await, 503);
    assert_eq!(status(&old.address, "/livez").await, 200);
    let arguments = ["--listen", "127.0.0.1:0", "--database", &schema.url()];
    let ended = run(command().args(arguments)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("use a newer server"), "{}", ended.stderr);
}
