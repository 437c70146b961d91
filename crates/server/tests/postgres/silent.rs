//! A database that takes connections and says nothing.

use std::time::Instant;

use crate::{
    proxy::{GIVE_UP, mute},
    server::{command, run, serving},
};

#[tokio::test]
async fn a_server_does_not_start_on_a_database_that_never_answers() {
    let url = format!("postgres://nobody@127.0.0.1:{}/none?connect_timeout=1", mute().await);
    #[expect(clippy::disallowed_methods, reason = "how long it takes is what matters")]
    let start = Instant::now();
    let ended = run(&mut serving(command(), &url)).await;
    assert!(start.elapsed() < GIVE_UP);
    assert_eq!(ended.status.code(), Some(1));
    let expected = "the database is not available: it did not answer in time";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot use the database postgres://nobody@"));
}

#[tokio::test]
async fn a_server_does_not_start_where_nobody_listens() {
    // Nobody listens on the port that was just given back.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("postgres://nobody@{port}/none");
    let ended = run(&mut serving(command(), &url)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("the database is not available"), "{}", ended.stderr);
}
