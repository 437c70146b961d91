//! A database that is stopped and comes back.

use octopoid_testbed::postgres::{Mode, Scratch};

use crate::{
    common::{ask, serve, status},
    load::new_task,
    server::{PATIENCE, eventually},
};

const CLAIM: &str = r#"{"scope":"s","agent_name":"a","orchestrator_id":"m"}"#;
const CREATE: &str = r#"{"id":"b","file_path":"b.md","branch":"main","scope":"s"}"#;

#[tokio::test]
async fn a_server_recovers_by_itself_from_a_database_that_was_gone() {
    for mode in [Mode::Fast, Mode::Immediate] {
        let Some(mut database) = Scratch::for_tests() else { return };
        let server = serve(&database.url(), &["--db-connections", "1"]).await;
        let address = &*server.address;
        server.client().create_task(&new_task("a")).await.unwrap();

        database.stop(mode).unwrap();
        let is_down = async || (status(address, "/readyz").await == 503).then_some(());
        eventually("/readyz fails", PATIENCE, is_down).await;
        assert_eq!(status(address, "/livez").await, 200);
        for _ in 0..2 {
            ask(address, "GET", "/api/v1/tasks/a", "").await.assert_unable("unavailable");
            ask(address, "POST", "/api/v1/tasks/claim", CLAIM).await.assert_unable("unavailable");
            ask(address, "POST", "/api/v1/tasks", CREATE).await.assert_unable("unavailable");
        }

        database.start_again().unwrap();
        let is_up = async || (status(address, "/readyz").await == 200).then_some(());
        eventually("/readyz recovers", PATIENCE, is_up).await;
        assert_eq!(ask(address, "GET", "/api/v1/tasks/a", "").await.status, 200);
        assert_eq!(ask(address, "POST", "/api/v1/tasks", CREATE).await.status, 201);
        assert_eq!(ask(address, "POST", "/api/v1/tasks/claim", CLAIM).await.status, 200);
    }
}

#[tokio::test]
async fn a_standby_answers_reads_and_takes_no_writes() {
    let Some(mut database) = Scratch::for_tests() else { return };
    let server = serve(&database.url(), &[]).await;
    let address = &*server.address;
    server.client().create_task(&new_task("a")).await.unwrap();

    // With this file there, PostgreSQL waits for what a primary would send.
    let standby = database.data_directory().join("standby.signal");
    database.stop(Mode::Fast).unwrap();
    std::fs::write(&standby, "").unwrap();
    database.start_again().unwrap();
    let is_up =
        async || (ask(address, "GET", "/api/v1/tasks/a", "").await.status == 200).then_some(());
    eventually("reads are answered", PATIENCE, is_up).await;
    ask(address, "POST", "/api/v1/tasks/claim", CLAIM).await.assert_unable("unavailable");
    ask(address, "POST", "/api/v1/tasks", CREATE).await.assert_unable("unavailable");
    assert_eq!(status(address, "/readyz").await, 503);

    database.stop(Mode::Fast).unwrap();
    std::fs::remove_file(&standby).unwrap();
    database.start_again().unwrap();
    let is_up = async || (status(address, "/readyz").await == 200).then_some(());
    eventually("/readyz recovers", PATIENCE, is_up).await;
    assert_eq!(ask(address, "POST", "/api/v1/tasks/claim", CLAIM).await.status, 200);
}
