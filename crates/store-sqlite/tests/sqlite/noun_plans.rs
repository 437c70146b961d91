//! How SQLite finds the rows of the other nouns: never by passing over a table that grows.

use std::sync::Arc;

use octopoid_store::{
    Engine,
    engine::{Statement, Value},
};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{
    every_operation::{lists_everything, uses_everything},
    nouns::Nouns,
    recording::Recording,
};

async fn world() -> (Nouns, Arc<Recording>) {
    let engine = Sqlite::open(&Location::Memory).expect("memory can always be opened");
    let recording = Arc::new(Recording::of(Arc::new(engine)));
    let world = Nouns::on(recording.clone()).await;
    recording.take();
    (world, recording)
}

/// The lines of the plans of everything that was run, each with its statement.
async fn plans(recording: &Recording) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for Statement { sql, parameters } in recording.take().into_iter().flat_map(|run| run.batch) {
        let Some(sql) = sql.sqlite() else { continue };
        let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {sql}").into(), parameters };
        let rows = recording.read(vec![explain]).await;
        for row in rows.expect("a statement that ran can be explained").remove(0) {
            if let Some(Value::Text(line)) = row.into_iter().nth(3) {
                lines.push((line, sql.to_string()));
            }
        }
    }
    lines
}

#[tokio::test]
async fn nothing_passes_over_a_table_that_grows() {
    let (world, recording) = world().await;
    uses_everything(&world).await;
    lists_everything(&world).await;
    for (line, sql) in plans(&recording).await {
        let scans =
            ["tasks", "projects", "drafts", "messages", "actions", "events", "runs", "run_logs"]
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

/// The page behind a cursor begins there in the index.
#[tokio::test]
async fn a_page_behind_a_cursor_is_found_without_passing_over_what_is_before_it() {
    let (world, recording) = world().await;
    uses_everything(&world).await;
    for _ in 0..2 {
        world.creates_draft(serde_json::json!({})).await;
        world.writes_message(serde_json::json!({})).await;
        world.proposes(serde_json::json!({})).await;
    }
    recording.take();
    lists_everything(&world).await;
    let mut seen = Vec::new();
    for (line, sql) in plans(&recording).await {
        let behind = [
            ("projects", "(seq) <", "rowid<?"),
            ("drafts", "(id) <", "rowid<?"),
            ("actions", "(seq) <", "rowid<?"),
            ("messages", "(created_at, seq)", " AND created_at"),
        ];
        for (table, condition, bound) in behind {
            if line.starts_with(&format!("SEARCH {table} ")) && sql.contains(condition) {
                assert!(line.contains(bound), "{line}\n{sql}");
                seen.push(table);
            }
        }
    }
    for table in ["projects", "drafts", "actions", "messages"] {
        assert!(seen.contains(&table), "no second page of {table}");
    }
}
