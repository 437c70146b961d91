//! How the database finds rows: never by passing over a table that grows.

use std::sync::Arc;

use octopoid_domain::action::Outcome;
use octopoid_store::{
    Engine, actions, drafts,
    engine::{Statement, Value},
    messages, projects,
};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::recording::Recording;
use serde_json::json;

use crate::{PAGE, World, read};

async fn world() -> (World, Arc<Recording>) {
    let recording = Arc::new(Recording::of(Arc::new(Sqlite::open(&Location::Memory).unwrap())));
    let world = World::on(recording.clone()).await;
    recording.take();
    (world, recording)
}

/// The lines of the plans of everything that was run, each with its statement.
async fn plans(recording: &Recording) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for Statement { sql, parameters } in recording.take().into_iter().flat_map(|run| run.batch) {
        let Some(sql) = sql.sqlite() else { continue };
        let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {sql}").into(), parameters };
        for row in recording.read(vec![explain]).await.unwrap().remove(0) {
            if let Some(Value::Text(line)) = row.into_iter().nth(3) {
                lines.push((line, sql.to_string()));
            }
        }
    }
    lines
}

/// Uses each write and each read by id.
async fn uses_everything(world: &World) {
    let store = &world.store;
    world.creates_project("p", json!({})).await;
    world.creates_task("t", json!({"project_id": "p"})).await;
    world.patches_project("p", json!({"title": "new"})).await.unwrap();
    store.list_project_tasks("p", Some("s"), None).await.unwrap();
    store.delete_project("p", Some("s")).await.unwrap_err();
    for body in [
        json!({"to": "task", "id": "u", "file_path": "u", "branch": "main", "blocked_by": "t"}),
        json!({"to": "project", "id": "q", "branch": "b"}),
    ] {
        let draft = world.creates_draft(json!({})).await;
        world.patches_draft(draft.id, json!({"title": "new"})).await.unwrap();
        world.promotes(draft.id, body).await.unwrap();
        store.delete_draft(draft.id, Some("s")).await.unwrap();
    }
    let root = world.writes_message(json!({})).await;
    world.writes_message(json!({"parent_message_id": root.id})).await;
    store.list_thread(&root.id, "s").await.unwrap();
    let action = world.proposes(json!({})).await;
    store.execute_action(&action.id, Some("s"), world.stamp()).await.unwrap();
    store.update_action(&action.id, Some("s"), read(&json!({"result": "r"}))).await.unwrap();
    let nothing = read(&json!({}));
    store.end_action(&action.id, Some("s"), Outcome::Failed, nothing).await.unwrap();
}

/// Asks for each list that a scope is asked for, with its filters one by one and in pairs.
async fn lists_everything(world: &World) {
    let store = &world.store;
    let (scope, some) = (|| Some("s".to_owned()), || Some("x".to_owned()));
    for (status, created_by) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        let filter = projects::Filter { scope: scope(), status, created_by };
        store.list_projects(&filter, PAGE).await.unwrap();
    }
    for statuses in [vec![], vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()]] {
        let filter = drafts::Filter { scope: scope(), statuses, ..Default::default() };
        store.list_drafts(&filter, PAGE).await.unwrap();
        let filter = drafts::Filter { author: some(), linked_task_id: some(), ..filter };
        store.list_drafts(&filter, PAGE).await.unwrap();
    }
    for (task_id, to_actor) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        for (kind, is_unreplied) in [(None, false), (some(), true)] {
            let (task_id, to_actor) = (task_id.clone(), to_actor.clone());
            let filter =
                messages::Filter { scope: "s".to_owned(), task_id, to_actor, kind, is_unreplied };
            for window in [messages::Window::Newest(50), messages::Window::Stretch(PAGE)] {
                store.list_messages(&filter, window).await.unwrap();
            }
        }
    }
    for (entity_id, status) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        for entity_type in [None, some()] {
            let (entity_id, status) = (entity_id.clone(), status.clone());
            let filter = actions::Filter { scope: "s".to_owned(), entity_type, entity_id, status };
            store.list_actions(&filter, PAGE, world.stamp().now).await.unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_passes_over_a_table_that_grows() {
    let (world, recording) = world().await;
    uses_everything(&world).await;
    lists_everything(&world).await;
    for (line, sql) in plans(&recording).await {
        let scans = ["tasks", "projects", "drafts", "messages", "actions", "task_history"]
            .iter()
            .any(|table| line.starts_with(&format!("SCAN {table}")));
        assert!(!scans, "{line}\n{sql}");
    }
}

#[tokio::test]
async fn lists_of_a_scope_are_found_in_their_order() {
    let (world, recording) = world().await;
    lists_everything(&world).await;
    for (line, sql) in plans(&recording).await {
        assert!(!line.contains("TEMP B-TREE"), "{line}\n{sql}");
    }
}

#[tokio::test]
async fn each_list_is_found_by_the_narrowest_index() {
    let (world, recording) = world().await;
    lists_everything(&world).await;
    for (line, sql) in plans(&recording).await {
        let expected = [
            ("messages", " task_id = ", "messages_by_task"),
            ("messages", " to_actor = ", "messages_by_reader"),
            ("actions", " entity_id = ", "actions_by_entity"),
            ("actions", " status = ", "actions_by_status"),
            ("projects", " status = ", "projects_by_status"),
            ("drafts", " status = ", "drafts_by_status"),
        ]
        .into_iter()
        .find(|(table, condition, _)| {
            line.starts_with(&format!("SEARCH {table} ")) && sql.contains(condition)
        });
        if let Some((_, _, index)) = expected {
            assert!(line.contains(index), "{line}\n{sql}");
        }
    }
}
