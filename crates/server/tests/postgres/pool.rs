//! A server whose connections are all in use.

use octopoid_testbed::database::Schema;
use tokio::task::JoinSet;

use crate::{
    common::{ask, connect, migrate, serve, status},
    load::new_task,
    server::{PATIENCE, eventually},
};

/// Makes every change of a task wait, not for a lock, until this connection lets go.
const HOLD: &str = "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     WHILE NOT pg_try_advisory_xact_lock_shared(hashtext(current_schema())) LOOP \
     PERFORM pg_sleep(0.01); END LOOP; RETURN NEW; END $$; \
     CREATE TRIGGER held BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION held(); \
     SELECT pg_advisory_lock(hashtext(current_schema()))";

#[tokio::test]
async fn who_finds_no_free_connection_is_told_so_in_time() {
    // Without prepared statements there are no groups, which have connections of their own.
    no_free_connection("pool", &["--db-prepare", "false"], false).await;
}

#[tokio::test]
async fn who_waits_for_a_group_is_told_so_in_time() {
    no_free_connection("group", &[], true).await;
}

/// A change that waits in PostgreSQL keeps the connection that others need. In a group, that is the
/// connection of writes alone.
async fn no_free_connection(test: &str, options: &[&str], has_groups: bool) {
    let Some(schema) = Schema::fresh().await else { return };
    // The name by which the server's connection is found among all others.
    let name = format!("{test}-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    let limits = ["--db-connections", "1", "--db-acquire-timeout", "300ms"];
    let server = serve(&url, &[&limits, options].concat()).await;
    let address = server.address.clone();
    server.client().create_task(&new_task("a")).await.unwrap();

    let holding = connect(&schema.url()).await;
    holding.batch_execute(HOLD).await.unwrap();
    let title = r#"{"title":"t"}"#;
    let task = "/api/v1/tasks/a";
    let held = tokio::spawn({
        let address = address.clone();
        async move { ask(&address, "PATCH", task, title).await }
    });
    let is_waiting = async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 \
                   AND wait_event = 'PgSleep'";
        (!holding.query(sql, &[&name]).await.unwrap().is_empty()).then_some(())
    };
    eventually("the only connection waits", PATIENCE, is_waiting).await;

    for _ in 0..3 {
        let read = ask(&address, "GET", task, "").await;
        if has_groups {
            assert_eq!(read.status, 200);
        } else {
            read.assert_unable("unavailable");
        }
        ask(&address, "PATCH", task, title).await.assert_unable("unavailable");
    }
    // The database is well, and health has a connection of its own.
    assert_eq!(status(&address, "/readyz").await, 200);
    assert_eq!(status(&address, "/livez").await, 200);

    holding.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    assert_eq!(held.await.unwrap().status, 200);
    assert_eq!(ask(&address, "GET", task, "").await.status, 200);
    assert_eq!(status(&address, "/readyz").await, 200);
}

#[tokio::test]
async fn a_change_that_takes_too_long_is_ended_and_was_not_done() {
    let Some(schema) = Schema::fresh().await else { return };
    let name = format!("patience-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    migrate(&url).await;
    let server = serve(&url, &["--db-timeout", "2s"]).await;
    server.client().create_task(&new_task("a")).await.unwrap();
    let other = connect(&schema.url()).await;
    other.batch_execute(HOLD).await.unwrap();
    let title = r#"{"title":"t"}"#;
    ask(&server.address, "PATCH", "/api/v1/tasks/a", title).await.assert_unable("unavailable");

    let is_over = async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'";
        other.query(sql, &[&name]).await.unwrap().is_empty().then_some(())
    };
    eventually("nothing of it runs any more", PATIENCE, is_over).await;
    let sql = "SELECT version, title, (SELECT count(*) FROM events) FROM tasks";
    let row = other.query_one(sql, &[]).await.unwrap();
    let task: (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(task, (1, "a".into(), 1));
    other.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    assert_eq!(ask(&server.address, "PATCH", "/api/v1/tasks/a", title).await.status, 200);
}

#[tokio::test]
async fn a_locked_table_takes_neither_the_servers_connections_nor_postgresqls() {
    let Some(schema) = Schema::fresh().await else { return };
    let name = format!("locked-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    migrate(&url).await;
    let limits = ["--db-connections", "4", "--db-timeout", "3s", "--db-acquire-timeout", "2s"];
    let server = serve(&url, &limits).await;
    let address = &*server.address;
    server.client().create_task(&new_task("a")).await.unwrap();
    let (mut other, watching) = (connect(&schema.url()).await, connect(&schema.url()).await);
    let count = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        watching.query_one(sql, &[&name]).await.unwrap().get::<_, i64>(0)
    };
    let holding = other.transaction().await.unwrap();
    holding.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut held = JoinSet::new();
    for number in 0..8 {
        let address = address.to_owned();
        held.spawn(async move {
            match number % 2 {
                0 => ask(&address, "GET", "/api/v1/tasks/a", "").await,
                _ => ask(&address, "PATCH", "/api/v1/tasks/a", r#"{"title":"t"}"#).await,
            }
        });
    }
    while let Some(answer) = held.join_next().await {
        answer.unwrap().assert_unable("unavailable");
        // Other tables are served meanwhile. One more connection is for hints, one for health.
        assert_eq!(status(address, "/api/v1/projects").await, 200);
        assert_eq!(status(address, "/livez").await, 200);
        assert_eq!(status(address, "/readyz").await, 200);
        assert!(count().await <= 6);
    }
    holding.commit().await.unwrap();
    assert_eq!(ask(address, "GET", "/api/v1/tasks/a", "").await.status, 200);
    assert_eq!(server.client().get_task("a").await.unwrap().version, 1);
}
