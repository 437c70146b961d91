//! A server as a part of another program: here, of the test.

use std::{path::Path, time::Duration};

use octopoid_client::Client;
use octopoid_domain::{
    input::{Id, Text},
    key::NewKey,
    task::NewTask,
};
use octopoid_server::{Embedded, EmbeddedOptions};
use tokio::net::TcpListener;

async fn start(database: &Path, in_use_wait: Duration) -> anyhow::Result<Embedded> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let administrator = "administrator-of-the-test".to_owned();
    let options = EmbeddedOptions { database: database.to_owned(), administrator, in_use_wait };
    Embedded::start(listener, &options).await
}

fn client(server: &Embedded) -> Client {
    Client::new(&format!("http://{}", server.address())).unwrap().with_scope("s")
}

fn task() -> NewTask {
    let text = |text: &str| Text(Some(text.to_owned()));
    let id = Id(Some("a".to_owned()));
    NewTask { id, file_path: text("a.md"), branch: text("main"), ..NewTask::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_needs_keys_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let server = start(&database, Duration::ZERO).await.unwrap();
    let anyone = client(&server);
    assert_eq!(anyone.health().await.unwrap().status, "healthy");
    assert_eq!(anyone.create_task(&task()).await.unwrap_err().status(), Some(401));
    let administrator = anyone.with_key("administrator-of-the-test");
    let issued = administrator.issue_key(&NewKey::default()).await.unwrap();
    let holder = client(&server).with_key(&issued.api_key);
    holder.create_task(&task()).await.unwrap();

    // No second server on the same file; it gets the file once this one has ended.
    let error = start(&database, Duration::ZERO).await.err().unwrap();
    assert!(format!("{error:#}").contains("is in use by another server"), "{error:#}");
    let (second, ended) =
        tokio::join!(start(&database, Duration::from_secs(30)), server.shutdown());
    ended.unwrap();
    let second = second.unwrap();
    let holder = client(&second).with_key(&issued.api_key);
    assert_eq!(holder.get_task("a").await.unwrap().id, "a");
    second.shutdown().await.unwrap();
    assert!(holder.health().await.is_err(), "it has stopped");
}
