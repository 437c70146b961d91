//! A connection that is lost between a commit and its answer.

use octopoid_testbed::database::Schema;

use crate::{
    common::{ask, migrate, serve},
    load::{events, new_task},
    proxy::{COMMIT, End, Proxy, SYNC},
};

/// Where a URL says its host and port begin and end.
fn through(proxy: &Proxy, url: &str) -> String {
    let (start, end) = host(url);
    format!("{}127.0.0.1:{}{}", &url[..start], proxy.port(), &url[end..])
}

/// The host and port in a URL.
fn upstream(url: &str) -> String {
    let (start, end) = host(url);
    let host = &url[start..end];
    if host.contains(':') { host.to_owned() } else { format!("{host}:5432") }
}

fn host(url: &str) -> (usize, usize) {
    let address = url.find("://").unwrap() + 3;
    let end = url[address..].find('/').unwrap() + address;
    let start = url[address..end].rfind('@').map_or(address, |at| address + at + 1);
    (start, end)
}

/// A URL of the schema that leads through a proxy which loses the answer to one batch.
async fn losing(lost: &'static str, end: End, schema: &Schema) -> (Proxy, String) {
    let url = schema.url();
    let proxy = Proxy::losing(lost, end, upstream(&url)).await;
    // The proxy has to see where a transaction ends.
    let url = format!("{}&sslmode=disable", through(&proxy, &url));
    (proxy, url)
}

#[tokio::test]
async fn a_claim_whose_commit_was_not_confirmed_is_made_once_and_said_to_be_unsure() {
    let Some(schema) = Schema::fresh().await else { return };
    let (proxy, url) = losing("agent-without-answer", SYNC, &schema).await;
    let server = serve(&url, &["--reap-interval", "1h"]).await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    client.create_task(&new_task("b")).await.unwrap();

    let claim = r#"{"scope":"s","agent_name":"agent-without-answer","orchestrator_id":"m"}"#;
    let answer = ask(&server.address, "POST", "/api/v1/tasks/claim", claim).await;
    answer.assert_unable("unconfirmed");
    assert_eq!(proxy.batches(), 1, "the server has sent it again");

    // The server connects again by itself.
    let task = client.get_task("a").await.unwrap();
    assert_eq!(task.claimed_by.as_deref(), Some("agent-without-answer"));
    let agent = Some("agent-without-answer".to_owned());
    let expected = [("created".to_owned(), None), ("claimed".to_owned(), agent)];
    assert_eq!(events(&client, "a").await.unwrap(), expected);
    assert_eq!(client.get_task("b").await.unwrap().queue, "incoming");
}

#[tokio::test]
async fn a_task_whose_creation_was_not_confirmed_is_there_once() {
    let Some(schema) = Schema::fresh().await else { return };
    let (proxy, url) = losing("task-without-answer", COMMIT, &schema).await;
    let server = serve(&url, &["--reap-interval", "1h"]).await;
    let body = r#"{"id":"task-without-answer","file_path":"x.md","branch":"main","scope":"s"}"#;
    ask(&server.address, "POST", "/api/v1/tasks", body).await.assert_unable("unconfirmed");
    assert_eq!(proxy.batches(), 1, "the server has sent it again");
    let client = server.client();
    assert_eq!(client.get_task("task-without-answer").await.unwrap().version, 1);
    let again = ask(&server.address, "POST", "/api/v1/tasks", body).await;
    assert_eq!((again.status, &*again.code()), (409, "already_exists"));
    assert_eq!(client.list_tasks(&[]).await.unwrap().total, 1);
}

#[tokio::test]
async fn a_network_that_falls_silent_is_a_503_in_time() {
    let Some(schema) = Schema::fresh().await else { return };
    let (proxy, url) = losing("(nothing)", COMMIT, &schema).await;
    let url = format!("{url}&connect_timeout=1");
    migrate(&url).await;
    let limits = ["--db-connections", "2", "--db-acquire-timeout", "500ms", "--db-timeout", "2s"];
    let server = serve(&url, &limits).await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    proxy.set_silent(true);
    for _ in 0..4 {
        let answer = ask(&server.address, "GET", "/api/v1/tasks/a", "").await;
        answer.assert_unable("unavailable");
    }
    let claim = r#"{"scope":"s","agent_name":"x","orchestrator_id":"m"}"#;
    let answer = ask(&server.address, "POST", "/api/v1/tasks/claim", claim).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    proxy.set_silent(false);
    assert_eq!(client.get_task("a").await.unwrap().id, "a");
}
