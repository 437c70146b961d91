//! `octopoid-server copy` between the two engines.

pub(crate) mod rows;

use octopoid_client::Client;
use octopoid_domain::draft::NewDraft;
use octopoid_store::{
    Store,
    copy::{table, tables},
    engine::{Engine, Statement, Value},
};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_testbed::database::Schema;

use crate::{
    load::{approval, claim_by, events, new_task, report},
    server::{Disk, Ended, Server, command, run},
};

async fn copy(from: &str, to: &str) -> Ended {
    run(command().args(["copy", "--from", from, "--to", to])).await
}

async fn copies(from: &str, to: &str) -> String {
    let ended = copy(from, to).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stdout
}

async fn refuses(from: &str, to: &str, why: &str) {
    let ended = copy(from, to).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

pub(crate) async fn migrate(url: &str) {
    assert!(run(command().args(["migrate", "--database", url])).await.status.success());
}

fn engine(disk: &Disk) -> Sqlite {
    Sqlite::open(&Location::File(disk.file())).unwrap()
}

pub(crate) fn store(disk: &Disk) -> Store {
    Store::new(std::sync::Arc::new(engine(disk)))
}

/// Every row of every table.
pub(crate) async fn all_rows(disk: &Disk) -> Vec<(&'static str, Vec<Vec<Value>>)> {
    let engine = engine(disk);
    let mut found = Vec::new();
    for table in tables() {
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let key: Vec<_> = table.key_columns().iter().map(|column| column.name).collect();
        let (names, key) = (names.join(", "), key.join(", "));
        let sql = format!("SELECT {names} FROM {} ORDER BY {key}", table.name);
        let batch = vec![Statement { sql: sql.into(), parameters: Vec::new() }];
        found.push((table.name, engine.read(batch).await.unwrap().remove(0)));
    }
    found
}

/// A database with rows of every kind, more of them than are copied at once.
pub(crate) async fn filled() -> Disk {
    let disk = Disk::of_file();
    migrate(&disk.url()).await;
    let store = store(&disk);
    for table in tables() {
        store.insert_rows(table, rows::of(table, 720)).await.unwrap();
    }
    store.set_counters(&[("drafts", 1_000)]).await.unwrap();
    disk
}

#[tokio::test]
async fn everything_goes_from_file_to_server_and_back_and_is_the_same() {
    let Some(schema) = Schema::fresh().await else { return };
    let (first, last) = (filled().await, Disk::of_file());
    let there = copies(&first.url(), &schema.url()).await;
    let back = copies(&schema.url(), &last.url()).await;
    assert_eq!(there, back, "the checksums are the same on both engines");
    assert_eq!(there.lines().count(), tables().len() + 1, "{there}");
    let (before, after) = (all_rows(&first).await, all_rows(&last).await);
    for ((table, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(before.len(), 720, "{table}");
        for (before, after) in before.iter().zip(after) {
            assert_eq!(before, after, "{table}");
        }
        assert_eq!(before.len(), after.len(), "{table}");
    }
}

#[tokio::test]
async fn numbers_that_were_given_away_are_not_given_again_by_a_copy() {
    let Some(schema) = Schema::fresh().await else { return };
    let (first, last) = (Disk::of_file(), Disk::of_file());
    let draft = NewDraft { title: "t".into(), author: "me".into(), ..NewDraft::default() };
    let server = first.serve().await;
    for _ in 0..3 {
        server.client().create_draft(&draft).await.unwrap();
    }
    server.client().delete_draft(3).await.unwrap();
    server.kill().await;

    copies(&first.url(), &schema.url()).await;
    let url = schema.url();
    let arguments = ["--listen", "127.0.0.1:0", "--database", &url, "--db-connections", "2"];
    let server = Server::start(command().args(arguments)).await;
    assert_eq!(server.client().create_draft(&draft).await.unwrap().id, 4);
    server.client().delete_draft(4).await.unwrap();
    server.kill().await;

    copies(&schema.url(), &last.url()).await;
    let server = last.serve().await;
    assert_eq!(server.client().create_draft(&draft).await.unwrap().id, 5);
}

async fn live(client: &Client) {
    for number in 0..20 {
        client.create_task(&new_task(&format!("t{number}"))).await.unwrap();
    }
    for agent in ["a", "b", "c"] {
        client.claim_task(&claim_by(agent)).await.unwrap().unwrap();
    }
    client.submit_task("t0", &report()).await.unwrap();
    client.accept_task("t0", &approval()).await.unwrap();
}

#[tokio::test]
async fn work_goes_on_where_it_was_copied_to() {
    let Some(schema) = Schema::fresh().await else { return };
    let disk = Disk::of_file();
    let server = disk.serve().await;
    live(&server.client()).await;
    server.kill().await;

    copies(&disk.url(), &schema.url()).await;
    let url = schema.url();
    let arguments = ["--listen", "127.0.0.1:0", "--database", &url, "--db-connections", "2"];
    let server = Server::start(command().args(arguments)).await;
    let client = server.client();
    assert_eq!(client.claim_task(&claim_by("d")).await.unwrap().unwrap().id, "t3");
    client.submit_task("t1", &report()).await.unwrap();
    client.create_task(&new_task("t20")).await.unwrap();
    let told = events(&client, "t0").await.unwrap();
    let told: Vec<_> = told.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(told, ["created", "claimed", "submitted", "accepted"]);
    let done = client.list_tasks(&[("queue", "done")]).await.unwrap();
    assert_eq!(done.total, 1);
}

#[tokio::test]
async fn a_file_is_copied_into_another() {
    let (first, second) = (filled().await, Disk::of_file());
    let listed = copies(&first.url(), &second.url()).await;
    assert!(listed.contains("\ntasks                   720  "), "{listed}");
    assert_eq!(all_rows(&first).await, all_rows(&second).await);
}

#[tokio::test]
async fn a_target_with_any_row_is_refused_untouched() {
    let first = filled().await;
    for table in tables() {
        let second = Disk::of_file();
        migrate(&second.url()).await;
        store(&second).insert_rows(table, rows::of(table, 1)).await.unwrap();
        let before = all_rows(&second).await;
        let why = format!("it is not empty: the table {} has rows", table.name);
        refuses(&first.url(), &second.url(), &why).await;
        assert_eq!(all_rows(&second).await, before);
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_copied_is_refused() {
    let (none, first, second) = (Disk::of_file(), Disk::of_file(), Disk::of_file());
    refuses(&none.url(), &second.url(), "there is no such file").await;
    assert!(!none.file().exists(), "it was made");
    std::fs::write(first.file(), "").unwrap();
    refuses(&first.url(), &second.url(), "run `octopoid migrate` on it").await;
    migrate(&first.url()).await;
    let newer = "INSERT INTO schema_versions (version, applied_at, readable_from) \
         VALUES (999, 0, 1)";
    engine(&first)
        .write(vec![Statement { sql: newer.into(), parameters: Vec::new() }])
        .await
        .unwrap();
    refuses(&first.url(), &second.url(), "use a newer server").await;
    assert!(!second.file().exists(), "a target was made for nothing");
    refuses(&filled().await.url(), "sqlite::memory:", "would be lost when the command exits").await;
}

#[tokio::test]
async fn a_running_server_keeps_its_database_from_being_copied() {
    let (first, second) = (Disk::of_file(), Disk::of_file());
    let _server = first.serve().await;
    refuses(&first.url(), &second.url(), "is in use by another server").await;
}

#[tokio::test]
async fn a_copy_that_fails_in_the_middle_says_what_it_leaves() {
    let Some(schema) = Schema::fresh().await else { return };
    let first = filled().await;
    // PostgreSQL has no text with such a character, and SQLite does.
    let roles = table("roles").unwrap();
    let mut row = rows::of(roles, 1_000).pop().unwrap();
    row[2] = Value::Text("a\0b".to_owned());
    store(&first).insert_rows(roles, vec![row]).await.unwrap();
    refuses(&first.url(), &schema.url(), "is incomplete: empty it before retrying").await;
    let why = "an import or a copy into the database has not finished";
    refuses(&first.url(), &schema.url(), why).await;
    refuses(&schema.url(), &first.url(), why).await;
}
