//! How SQLite finds the rows: never by passing over a table that grows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use octopoid_domain::queue;
use octopoid_store::{
    Engine,
    engine::{Statement, Value},
    lists::{Filter, Page},
};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{
    World, cases,
    recording::{Recording, Run},
    world::{SCOPE, everything},
};
use serde_json::json;

/// What may be read from end to end, and why. Subqueries may too: what they read has its own lines.
const MAY_BE_SCANNED: [(&str, &str); 33] = [
    ("json_each", "a parameter of the statement, no table"),
    ("CONSTANT", "no table at all"),
    ("lanes", "the lanes of one queue: as many as it has pairs of role and type"),
    ("few", "the same, as far as they are counted"),
    ("first", "the names that an error lists"),
    ("links", "the pairs that lead on from a task's blockers, a thousand at most"),
    ("near", "the same"),
    ("names", "the names of scopes, a thousand at most"),
    ("places", "the pairs of scope and queue, ten thousand at most"),
    ("open", "the open tasks of a scope, up to a bound"),
    ("counted", "its machines, up to the same bound"),
    ("fitting", "those of the lanes that fit"),
    ("thread", "the messages of one thread"),
    ("bounded", "a bounded part of a thread"),
    ("stretch", "a bounded part of the journal"),
    ("search", "the steps of the search for a cursor in a task's events, about twenty"),
    ("sqlite_schema", "the schema itself"),
    ("schema_versions", "one row, the last"),
    ("api_keys", "counting all keys, for which only the administrator can ask"),
    ("drafts", "counting those of all scopes, for which only an unconfined caller can ask"),
    ("projects", "the same"),
    ("orchestrators", "listing those of all scopes, for which only such a caller can ask"),
    ("roles", "the same"),
    ("part", "a part of a page, limited to what the page can need"),
    ("found", "the parts of a page together"),
    ("hours", "the hours of a summary, 24"),
    ("grouped", "the same, five at a time"),
    ("walk", "the finished tasks of one queue that a page can need"),
    ("due", "the logs that the jobs look at, a few at a time"),
    ("recent", "the last messages about a task, a thousand at most"),
    ("examined", "the tasks that a step of the retention looks at"),
    ("looked", "the finished tasks that a list may look at"),
    ("copied", "counting the tasks of a backup, which no server uses"),
];

fn recorded() -> Arc<Recording> {
    let engine = Sqlite::open(&Location::Memory).expect("memory can always be opened");
    Arc::new(Recording::of(Arc::new(engine)))
}

/// A world whose store is recorded from now on, but not the cases' own glances at the database.
async fn world_over(recording: &Arc<Recording>) -> World {
    let world = World::over(recording.clone(), recording.inner()).await;
    recording.take();
    world.expect("an empty database takes the schema")
}

/// The lines of a statement's plan.
async fn plan(engine: &dyn Engine, statement: &Statement) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql.sqlite().unwrap_or_default());
    let explain = Statement { sql: sql.into(), parameters: statement.parameters.clone() };
    let rows = engine.read(vec![explain]).await.expect("a statement that ran can be explained");
    let lines = rows.into_iter().flatten().filter_map(|row| match row.into_iter().nth(3) {
        Some(Value::Text(line)) => Some(line),
        _ => None,
    });
    lines.collect()
}

/// The statements among those that were run, each once, without the migrations'.
fn statements(runs: Vec<Run>) -> BTreeMap<String, Statement> {
    let batches = runs.into_iter().flat_map(|run| run.batch);
    let mut statements = BTreeMap::new();
    for statement in batches {
        let Some(text) = statement.sql.sqlite().map(str::to_owned) else { continue };
        let first = text.split_whitespace().next().unwrap_or_default();
        if ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].contains(&first) {
            statements.entry(text).or_insert(statement);
        }
    }
    statements
}

/// What a line of a plan reads from end to end, if it does: `SCAN tasks USING INDEX …` → `tasks`.
fn scanned(line: &str) -> Option<&str> {
    line.strip_prefix("SCAN ")?.split_whitespace().next()
}

/// Every statement that the cases make the store issue, with its plan.
async fn plans_of_all_cases() -> Vec<(String, Vec<String>)> {
    let mut issued = BTreeMap::new();
    for case in cases() {
        let recording = recorded();
        let world = world_over(&recording).await;
        // Whether it keeps its rule is told elsewhere.
        case.run(&world).await.ok();
        issued.extend(statements(recording.take()));
    }
    let world = crate::in_memory().await;
    let mut plans = Vec::new();
    for (sql, statement) in issued {
        plans.push((sql, plan(&*world.engine, &statement).await));
    }
    plans
}

#[tokio::test]
async fn no_statement_passes_over_a_table_that_grows() {
    let plans = plans_of_all_cases().await;
    assert!(plans.len() > 40, "only {} statements were recorded", plans.len());
    let mut seen = BTreeSet::new();
    for (sql, plan) in &plans {
        for line in plan {
            // An index made for one statement is made by passing over the table.
            assert!(!line.contains("AUTOMATIC"), "{line}\nby {sql}");
        }
        for name in plan.iter().filter_map(|line| scanned(line)) {
            let is_allowed = name.starts_with("(subquery-")
                || MAY_BE_SCANNED.iter().any(|(allowed, _)| *allowed == name);
            assert!(is_allowed, "`{name}` is read from end to end:\n{plan:#?}\nby {sql}");
            seen.insert(name);
        }
    }
    println!("{} statements; read from end to end: {seen:?}", plans.len());
}

/// Its rows are in the order of creation already, in the index.
#[tokio::test]
async fn a_page_of_finished_tasks_is_found_without_sorting() {
    for queue in queue::FINISHED {
        let recording = recorded();
        let world = world_over(&recording).await;
        let filter = Filter { queues: vec![queue.to_owned()], ..everything() };
        world.store.list_tasks(&filter, &Page::at(50, 100)).await.unwrap();
        for (sql, statement) in statements(recording.take()) {
            let plan = plan(&*world.engine, &statement).await;
            let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE"));
            assert!(!sorts, "something is sorted:\n{plan:#?}\nby {sql}");
        }
    }
}

/// What can be claimed stands in the domain's table and, once more, in the schema.
#[tokio::test]
async fn the_schema_and_the_domain_agree_on_what_can_be_claimed() {
    const LANES: &str = "SELECT queue FROM tasks WHERE claim_lane IS NOT NULL ORDER BY queue";
    let world = crate::in_memory().await;
    let queues = [
        queue::INCOMING,
        queue::CLAIMED,
        queue::PROVISIONAL,
        queue::NEEDS_CONTINUATION,
        queue::DONE,
        queue::FAILED,
        "anything",
    ];
    for queue in queues {
        world.creates_with(queue, json!({ "queue": queue, "scope": SCOPE })).await.unwrap();
    }
    let mut expected = queues.to_vec();
    expected.retain(|queue| !queue::NOT_CLAIMABLE.contains(queue));
    expected.sort_unstable();
    let found = world.runs(LANES, vec![]).await.unwrap();
    let expected: Vec<_> = expected.into_iter().map(|queue| vec![queue.into()]).collect();
    assert_eq!(found, expected, "the queues whose tasks have a lane");
}
