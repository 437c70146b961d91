//! What `octopoid doctor` finds about a configuration and its database.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use clap::Parser;
use octopoid_domain::task::NewTask;
use octopoid_server::{
    Configuration,
    doctor::{Finding, State, examine},
};
use octopoid_store::engine::Statement;

use crate::{
    load::new_task,
    server::{Disk, PATIENCE, Server},
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    configuration: Configuration,
}

/// The findings with this database.
async fn findings(url: &str, is_deep: bool) -> Vec<Finding> {
    let line = Line::try_parse_from(["octopoid", "--database", url]).unwrap();
    examine(&line.configuration, is_deep).await
}

/// The only finding of this name.
fn find<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    let mut found = findings.iter().filter(|finding| finding.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in {findings:?}"));
    assert_eq!(found.next(), None);
    first
}

/// The state of the database, what is said of it, and the remedy.
async fn database(url: &str) -> (State, String, String) {
    let found = findings(url, false).await;
    let finding = find(&found, "database").clone();
    (finding.state, finding.text, finding.remedy.unwrap_or_default())
}

/// Adds a schema version of a newer server, which servers can work with that know `readable_from`.
async fn enter_newer(disk: &Disk, readable_from: i64) {
    let sql = format!(
        "INSERT INTO schema_versions (version, applied_at, readable_from) \
         VALUES (999, 0, {readable_from})"
    );
    let statement = Statement { sql: sql.into(), parameters: Vec::new() };
    disk.engine().write(vec![statement]).await.unwrap();
}

/// Ends a server in order, which closes its database.
async fn stop(server: Server) {
    server.terminate().await;
    assert!(server.ends(PATIENCE).await.status.success());
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_database_is_fine_before_and_while_a_server_uses_it() {
    let disk = Disk::new().await;
    let (state, text, _) = database(&disk.url()).await;
    assert_eq!(state, State::Ok, "{text}");
    assert!(names(disk.path()).is_empty(), "it creates nothing");
    let server = disk.serve().await;
    let (state, text, _) = database(&disk.url()).await;
    assert_eq!(state, State::Ok, "{text}");
    assert!(text.contains("has schema version "), "{text}");
    stop(server).await;
    let before = names(disk.path());
    let (state, text, _) = database(&disk.url()).await;
    assert_eq!((state, names(disk.path())), (State::Ok, before), "{text}");
}

#[tokio::test]
async fn a_file_has_room_is_private_and_undamaged() {
    let disk = Disk::of_file();
    let server = disk.serve().await;
    stop(server).await;
    let found = findings(&disk.url(), true).await;
    assert_eq!(find(&found, "file modes").state, State::Ok, "{found:?}");
    assert_eq!(find(&found, "integrity").state, State::Ok, "{found:?}");
    assert!(find(&found, "disk space").text.contains(" MiB are free"), "{found:?}");

    fs::set_permissions(disk.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let found = findings(&disk.url(), false).await;
    let modes = find(&found, "file modes");
    let file = disk.file().display().to_string();
    assert_eq!(modes.state, State::Warning);
    assert_eq!(modes.remedy, Some(format!("chmod o-rw {file}")));
    assert!(!found.iter().any(|finding| finding.name == "integrity"), "only a deep one reads all");
}

#[tokio::test]
async fn a_damaged_page_is_found_by_a_deep_look() {
    let disk = Disk::of_file();
    let server = disk.serve().await;
    // The last page is one of its content, and not of the schema, without which nothing is opened.
    let content = "x".repeat(100_000).into();
    server.client().create_task(&NewTask { content, ..new_task("a") }).await.unwrap();
    stop(server).await;
    let mut bytes = fs::read(disk.file()).unwrap();
    // A page of zeros is none.
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let start = bytes.len() - page;
    bytes[start..].fill(0xAA);
    fs::write(disk.file(), bytes).unwrap();
    let found = findings(&disk.url(), true).await;
    let integrity = find(&found, "integrity");
    assert_eq!(integrity.state, State::Problem, "{integrity:?}");
    assert!(integrity.text.contains("is damaged: "), "{integrity:?}");
}

#[tokio::test]
async fn a_file_that_is_not_ours_or_not_there_is_a_problem() {
    let disk = Disk::of_file();
    let url = format!("sqlite:{}", disk.path().join("none/test.db").display());
    let (state, text, _) = database(&url).await;
    assert_eq!(state, State::Problem);
    assert!(text.contains("none does not exist"), "{text}");

    fs::write(disk.file(), "this is no database, however long it may be".repeat(100)).unwrap();
    let (state, text, _) = database(&disk.url()).await;
    assert_eq!(state, State::Problem);
    assert!(text.contains("not a database"), "{text}");

    fs::remove_file(disk.file()).unwrap();
    let sql = "CREATE TABLE songs (title)";
    let statement = Statement { sql: sql.into(), parameters: Vec::new() };
    disk.engine().write(vec![statement]).await.unwrap();
    let (state, text, remedy) = database(&disk.url()).await;
    assert_eq!(state, State::Problem);
    assert!(text.contains("another program's") && text.contains("songs"), "{text}");
    assert!(remedy.contains("--database"), "{remedy}");
}

#[tokio::test]
async fn the_schema_of_a_newer_server_is_told() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    stop(server).await;
    enter_newer(&disk, 1).await;
    let (state, text, _) = database(&disk.url()).await;
    assert_eq!(state, State::Warning, "{text}");
    assert!(text.contains("schema version 999"), "{text}");
    let sql = "DELETE FROM schema_versions WHERE version = 999";
    let statement = Statement { sql: sql.into(), parameters: Vec::new() };
    disk.engine().write(vec![statement]).await.unwrap();
    enter_newer(&disk, 999).await;
    let (state, text, remedy) = database(&disk.url()).await;
    assert_eq!(state, State::Problem, "{text}");
    assert!(remedy.contains("newer program"), "{remedy}");
}

#[tokio::test]
async fn a_database_in_memory_is_lost() {
    let (state, text, _) = database("sqlite::memory:").await;
    assert_eq!(state, State::Warning, "{text}");
}
