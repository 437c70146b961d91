//! How PostgreSQL finds the rows: never by passing over a table that grows.
//!
//! The statements are those that the store issues on SQLite, each with PostgreSQL's text and the
//! parameters it had there. They are planned on a database that is large enough for passing over it
//! to cost something, and the planner is left as it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use octopoid_store::{
    engine::{Parameter, SharedEngine, Statement},
    lists::{Filter, Page},
    merge::Merged,
};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{
    World, cases,
    every_operation::{lists_everything, uses_everything},
    nouns::Nouns,
    recording::{Recording, Run},
};
use octopoid_testbed::database::Schema;
use serde_json::Value;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// What grows with every task.
const GROWING: [&str; 8] =
    ["tasks", "events", "task_blockers", "messages", "drafts", "projects", "actions", "run"];

/// What may be read from end to end all the same: a part of a statement's text, and why.
const MAY_PASS_OVER: [(&str, &str); 4] = [
    (
        "AND queue = ANY (ARRAY(SELECT json_array_elements_text($2::json))) ORDER BY seq DESC",
        "more than eight open queues by name, which the planner takes for most of all tasks",
    ),
    (
        "FROM events WHERE position IS NULL ORDER BY n",
        "the index of events without a position: those committed since the last read",
    ),
    (
        "COALESCE((SELECT MAX(position) FROM events), 0) AS last",
        "the last entry of the index of positions",
    ),
    ("FROM tasks AS copied GROUP BY queue", "counting the tasks of a backup, which no server uses"),
];

/// Twenty thousand tasks of nineteen tenants, a tenth of them of the one that the cases are about,
/// with all that belongs to tasks. Rows are as long as real ones: passing over short ones is cheap.
const FILL: &str = "
INSERT INTO tasks (id, file_path, queue, priority, role, type, branch, scope, project_id,
    blocked_by, claimed_in, lease_expires_at, has_plan, auto_accept, needs_rebase, created_at,
    updated_at, version, needs_breakdown, needs_intervention, write_id, events, is_awaited,
    content)
SELECT 't' || n, 't' || n, queue, 'P' || n % 4, 'r' || n % 3, 'k' || n % 2, 'main', scope,
    CASE WHEN n % 5 = 0 THEN 'p' || n % 1000 END,
    CASE WHEN queue = 'incoming' AND n % 7 = 0 THEN 't' || n + 1 END,
    CASE WHEN queue = 'claimed' THEN queue END, CASE WHEN queue = 'claimed' THEN n END,
    0, 0, 0, n, n, 1, 0, CASE WHEN n % 500 = 0 THEN 1 ELSE 0 END, n, 3, 0,
    repeat('x', 1500)
FROM (SELECT n, CASE WHEN n / 10 % 20 < 2 THEN 's' ELSE 'scope-' || n / 10 % 20 END AS scope,
    (ARRAY['incoming', 'incoming', 'incoming', 'incoming', 'claimed', 'provisional', 'failed',
    'done', 'done', 'done'])[n % 10 + 1] AS queue FROM generate_series(1, 20000) AS n) AS made;
INSERT INTO task_blockers (scope, blocker_id, task_id, position)
SELECT scope, blocked_by, id, 0 FROM tasks WHERE blocked_by IS NOT NULL;
INSERT INTO task_blockers (scope, blocker_id, task_id, position)
SELECT scope, 'marker-' || id || '-' || number, id, number FROM tasks, generate_series(1, 20) AS more (number)
WHERE blocked_by IS NOT NULL;
INSERT INTO events (position, scope, kind, subject, seq, event, at)
SELECT ROW_NUMBER() OVER (), scope, 'task', id, number, 'created', number
FROM tasks, generate_series(1, 3) AS told (number);
INSERT INTO runs (task_id, run, scope, attempt, kind, source, agent, orchestrator_id, started_at,
    outcome, token_hash)
SELECT id, number, scope, number, 'work', 'incoming', 'a' || seq % 50, 'm' || seq % 10, seq,
    CASE WHEN queue = 'claimed' AND number = 3 THEN 'running' ELSE 'released' END, repeat('0', 64)
FROM tasks, generate_series(1, 3) AS done (number);
INSERT INTO run_outputs (task_id, kind, run, body)
SELECT task_id, 'result', run, repeat('r', 500) FROM runs;
INSERT INTO run_logs (task_id, run, start, bytes, body, at)
SELECT task_id, run, number * 500, 500, repeat('l', 500), started_at
FROM runs, generate_series(0, 2) AS written (number);
INSERT INTO finished_counts (scope, queue, shard, tasks)
SELECT scope, queue, 0, COUNT(*) FROM tasks WHERE queue IN ('done', 'failed')
GROUP BY scope, queue;
INSERT INTO messages (id, task_id, from_actor, to_actor, type, content, created_at, scope,
    parent_message_id)
SELECT 'm' || seq, id, 'a', CASE WHEN seq % 2 = 0 THEN 'human' END, 'info', repeat('x', 500), seq, scope,
    CASE WHEN seq % 3 = 0 THEN 'm' || seq - 1 END FROM tasks;
INSERT INTO projects (id, title, status, auto_accept, created_at, scope)
SELECT 'project-' || seq, id, 'draft', 0, seq, scope FROM tasks;
INSERT INTO drafts (title, status, author, created_at, updated_at, scope)
SELECT id, 'idea', 'human', seq, seq, scope FROM tasks;
INSERT INTO actions (id, entity_type, entity_id, action_type, label, status, proposed_by, proposed_at, scope)
SELECT 'act-' || seq, 'task', id, 'other', 'l', 'proposed', 'p', seq, scope FROM tasks;
ANALYZE";

/// A connection to a database that is full, and the schema that it is in.
struct Full {
    client: Client,
    _schema: Schema,
}

impl Full {
    /// `None` if there is no server and the test is to be skipped.
    async fn new() -> Option<Self> {
        Self::with(FILL).await
    }

    /// The same, filled otherwise.
    async fn with(rows: &str) -> Option<Self> {
        let schema = Schema::fresh().await?;
        let engine = Arc::new(schema.engine(octopoid_store_postgres::Options::default()));
        World::on(engine).await.expect("an empty schema takes the tables");
        let connecting = tokio_postgres::connect(&schema.url(), NoTls).await;
        let (client, connection) = connecting.expect("the server for tests can be reached");
        tokio::spawn(connection);
        client.batch_execute(rows).await.expect("the tables take the rows");
        Some(Self { client, _schema: schema })
    }

    /// The plan of a statement, in one of the two ways in which a prepared one is planned: for these
    /// parameters, or for any.
    async fn plan(&self, text: &str, parameters: &[Parameter], mode: &str) -> Value {
        self.explain("FORMAT JSON", text, parameters, mode).await
    }

    async fn explain(&self, how: &str, text: &str, parameters: &[Parameter], mode: &str) -> Value {
        self.explain_known(how, text, &parameters.iter().map(typed).collect::<Vec<_>>(), mode).await
    }

    /// The plan of a merged statement with the parameters of one batch, for any parameters.
    async fn merged_plan(&self, merged: &Merged, parameters: &[Parameter]) -> Value {
        let array = |(kind, value): (String, String)| {
            (format!("{kind}[]"), format!("ARRAY[{value}]::{kind}[]"))
        };
        let parameters = parameters.iter().map(typed).enumerate();
        let parameters =
            parameters.map(
                |(number, parameter)| {
                    if number < merged.shared { parameter } else { array(parameter) }
                },
            );
        let parameters: Vec<_> = parameters.collect();
        self.explain_known("FORMAT JSON", merged.text, &parameters, "force_generic_plan").await
    }

    /// The plan of a statement with parameters as types and values.
    async fn explain_known(
        &self,
        how: &str,
        text: &str,
        parameters: &[(String, String)],
        mode: &str,
    ) -> Value {
        let list = |items: Vec<&str>| match &*items {
            [] => String::new(),
            items => format!("({})", items.join(", ")),
        };
        let types = list(parameters.iter().map(|(kind, _)| &**kind).collect());
        let values = list(parameters.iter().map(|(_, value)| &**value).collect());
        let sql = format!(
            "SET plan_cache_mode = {mode}; PREPARE known {types} AS {text};
            EXPLAIN ({how}) EXECUTE known {values}; DEALLOCATE known"
        );
        let answers = self.client.simple_query(&sql).await;
        let answers = answers.unwrap_or_else(|error| panic!("{error:?}\nby {text}"));
        let row = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        serde_json::from_str(row.expect("a plan is a row")).expect("it is JSON, as was asked")
    }
}

/// The type of a parameter and its value, as a statement writes them.
fn typed(parameter: &Parameter) -> (String, String) {
    let (kind, value) = match parameter {
        Parameter::Int(number) => ("bigint", number.map(|number| number.to_string())),
        Parameter::Text(text) => {
            let quoted = text.as_ref().map(|text| format!("'{}'", text.replace('\'', "''")));
            ("text", quoted)
        }
    };
    (kind.to_owned(), value.unwrap_or_else(|| "NULL".to_owned()))
}

/// A database in memory whose statements are noted, and an engine behind the notes.
fn recorded() -> (Arc<Recording>, SharedEngine) {
    let engine: SharedEngine =
        Arc::new(Sqlite::open(&Location::Memory).expect("memory can always be opened"));
    (Arc::new(Recording::of(Arc::clone(&engine))), engine)
}

/// Statements by their texts.
type Statements = BTreeMap<String, Statement>;

/// Every statement that the store issues, each once, without the migrations'; and those that may be
/// merged, by the texts for many.
async fn issued() -> (Statements, BTreeMap<&'static str, (Merged, Statement)>) {
    let (mut issued, mut merged) = (BTreeMap::new(), BTreeMap::new());
    for case in cases() {
        let (recording, engine) = recorded();
        let world = World::over(recording.clone(), engine).await;
        // Whether it keeps its rule is told elsewhere.
        case.run(&world.expect("an empty database takes the schema")).await.ok();
        let runs = recording.take();
        add_merged(&mut merged, &runs);
        add(&mut issued, runs);
    }
    let (recording, _) = recorded();
    let nouns = Nouns::on(recording.clone()).await;
    uses_everything(&nouns).await;
    lists_everything(&nouns).await;
    let runs = recording.take();
    add_merged(&mut merged, &runs);
    add(&mut issued, runs);
    (issued, merged)
}

fn add_merged(merged: &mut BTreeMap<&'static str, (Merged, Statement)>, runs: &[Run]) {
    for run in runs {
        for statement in &run.batch {
            let count = statement.parameters.len();
            let found = match run {
                Run { is_write: true, .. } => statement.sql.for_writes(count),
                Run { is_by_key: true, .. } => statement.sql.for_reads(count),
                _ => None,
            };
            if let Some(found) = found {
                merged.entry(found.text).or_insert_with(|| (found, statement.clone()));
            }
        }
    }
}

fn add(issued: &mut Statements, runs: Vec<Run>) {
    for statement in runs.into_iter().flat_map(|run| run.batch) {
        let Some(text) = statement.sql.postgres() else { continue };
        let first = text.split_whitespace().next().unwrap_or_default();
        if ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].contains(&first) {
            issued.entry(text.into_owned()).or_insert(statement);
        }
    }
}

/// The tables that a plan reads from end to end: without an index, or all of an index.
fn passed_over(plan: &Value, found: &mut BTreeSet<String>) {
    match plan {
        Value::Array(parts) => parts.iter().for_each(|part| passed_over(part, found)),
        Value::Object(node) => {
            let is_scan = node.get("Node Type").and_then(Value::as_str).is_some_and(|kind| {
                let is_by_index = kind.contains("Index") && node.contains_key("Index Cond");
                // This one reads what an index scan below it has found.
                kind.ends_with("Scan") && kind != "Bitmap Heap Scan" && !is_by_index
            });
            let name = node.get("Relation Name").or_else(|| node.get("Index Name"));
            if let (true, Some(name)) = (is_scan, name.and_then(Value::as_str)) {
                found.insert(name.to_owned());
            }
            node.values().for_each(|part| passed_over(part, found));
        }
        _ => {}
    }
}

/// Only a caller that no key confines can list the drafts or projects of all scopes. Their pages are
/// read in the order of the primary key, and counting them reads all.
fn is_list_of_all_scopes(text: &str) -> bool {
    let is_list = text.starts_with("SELECT COUNT(*)") || text.contains(" ORDER BY ");
    let is_of_noun = text.contains(" FROM drafts") || text.contains(" FROM projects");
    text.starts_with("SELECT") && is_list && is_of_noun && !text.contains("scope = ")
}

#[tokio::test]
async fn no_statement_passes_over_a_table_that_grows() {
    let Some(full) = Full::new().await else { return };
    let (issued, merged) = issued().await;
    assert!(issued.len() > 100, "only {} statements were recorded", issued.len());
    let mut wrong = Vec::new();
    for (text, statement) in &issued {
        let may_pass_over = MAY_PASS_OVER.iter().any(|(part, _)| text.contains(part))
            || is_list_of_all_scopes(text);
        // Only a text that is prepared once may be planned without its parameters.
        let modes = ["force_custom_plan", "force_generic_plan"];
        for mode in &modes[..if statement.sql.is_constant() { 2 } else { 1 }] {
            let plan = full.plan(text, &statement.parameters, mode).await;
            let mut found = BTreeSet::new();
            passed_over(&plan, &mut found);
            let grows = |name: &&String| GROWING.iter().any(|table| name.starts_with(table));
            let found: Vec<_> = found.iter().filter(grows).collect();
            if !found.is_empty() && !may_pass_over {
                wrong.push(format!("{found:?} ({mode}) by {text} {:?}", statement.parameters));
            }
        }
    }
    assert!(merged.len() > 30, "only {} merged statements were recorded", merged.len());
    wrong.extend(merged_that_pass_over(&merged).await);
    println!("{} statements, {} merged", issued.len(), merged.len());
    assert!(wrong.is_empty(), "read from end to end: {}", wrong.join("\n"));
}

/// The merged statements that read a table from end to end. Their plans are made once for each
/// connection, perhaps while the tables are empty and have no statistics, and are used when they
/// have grown.
async fn merged_that_pass_over(
    merged: &BTreeMap<&'static str, (Merged, Statement)>,
) -> Vec<String> {
    let empty = Full::with("SELECT 1").await.expect("there is a server");
    for (name, value) in octopoid_store_postgres::GROUP_PLANNER {
        empty.client.batch_execute(&format!("SET {name} = {value}")).await.expect("it is known");
    }
    let mut wrong = Vec::new();
    for (merged, statement) in merged.values() {
        let plan = empty.merged_plan(merged, &statement.parameters).await;
        let mut found = BTreeSet::new();
        passed_over(&plan, &mut found);
        found.retain(|name| GROWING.iter().any(|table| name.starts_with(table)));
        if !found.is_empty() {
            wrong.push(format!("{found:?} (merged, planned on empty tables) by {}", merged.text));
        }
    }
    wrong
}

/// A tenant with twenty of everything beside one with a hundred thousand, and a queue of the large
/// one in which nothing of the small one is. The statistics know both.
const TWO_TENANTS: &str = "
INSERT INTO tasks (id, file_path, queue, priority, role, branch, scope, project_id, has_plan,
    auto_accept, needs_rebase, created_at, updated_at, version, needs_breakdown,
    needs_intervention, write_id, events, is_awaited)
SELECT 't' || n, 't' || n,
    (ARRAY['incoming', 'done', 'done', 'failed', 'provisional', 'own'])[n % 6 + 1], 'P' || n % 5,
    'r' || n % 3, 'main', CASE WHEN n <= 20 THEN 's' ELSE 'large' END,
    CASE WHEN n <= 20 THEN 'p' ELSE 'q' || n % 7 END, 0, 0, 0, n, n, 1, 0,
    CASE WHEN n % 2 = 0 THEN 1 ELSE 0 END, n, 1, 0
FROM generate_series(1, 100000) AS n;
INSERT INTO finished_counts (scope, queue, shard, tasks)
SELECT scope, queue, 0, COUNT(*) FROM tasks WHERE queue IN ('done', 'failed')
GROUP BY scope, queue;
INSERT INTO projects (id, title, status, auto_accept, created_at, scope)
SELECT id, id, CASE WHEN seq % 2 = 0 THEN 'x' ELSE 'active' END, 0, seq, scope FROM tasks;
INSERT INTO projects (id, title, status, auto_accept, created_at, scope)
VALUES ('p', 'p', 'active', 0, 0, 's');
INSERT INTO drafts (title, status, author, created_at, updated_at, scope)
SELECT id, CASE WHEN seq % 2 = 0 THEN 'a' ELSE 'b' END, 'x', seq, seq, scope FROM tasks;
INSERT INTO messages (id, task_id, from_actor, to_actor, type, content, created_at, scope)
SELECT 'm' || seq, 'x', 'a', 'x', 'x', 'c', seq, scope FROM tasks;
INSERT INTO actions (id, entity_type, entity_id, action_type, label, status, proposed_by,
    proposed_at, scope)
SELECT 'a' || seq, 'x', 'x', 'c', 'l', 'x', 'p', seq, scope FROM tasks;
INSERT INTO orchestrators (id, cluster, machine_id, repo_url, registered_at, last_heartbeat,
    status, scope)
SELECT 'c-' || id, 'x', id, 'r', seq, seq, 'active', scope FROM tasks;
INSERT INTO runs (task_id, run, scope, attempt, kind, source, agent, orchestrator_id, started_at,
    outcome, token_hash)
SELECT id, 1, scope, 1, 'work', 'incoming', 'x', 'x', seq,
    CASE WHEN seq % 2 = 0 THEN 'running' ELSE 'released' END, 'x' FROM tasks;
INSERT INTO roles (name, scope, claims_from, orchestrator_id, created_at)
SELECT id, scope, 'incoming', 'c-' || id, seq FROM tasks;
INSERT INTO flows (scope, name, states, transitions, registered_at, updated_at)
SELECT scope, id, '[]', '[]', seq, seq FROM tasks;
INSERT INTO api_keys (key_hash, id, scope, permission, created_at)
SELECT id, 'k' || id, scope, 'manage', seq FROM tasks;
ANALYZE";

/// More rows than the small tenant has, in all that a list reads: each of them several times.
const READS_MAX: u64 = 400;

/// How many rows the nodes of a plan have read, those that a condition removed among them.
fn rows_read(plan: &Value) -> u64 {
    match plan {
        Value::Array(parts) => parts.iter().map(rows_read).sum(),
        Value::Object(node) => {
            let number = |name: &str| node.get(name).and_then(Value::as_f64).unwrap_or_default();
            let is_scan = node.get("Node Type").and_then(Value::as_str).is_some_and(|kind| {
                kind.ends_with("Scan") && !kind.starts_with("Subquery") && kind != "CTE Scan"
            });
            let removed = ["Rows Removed by Filter", "Rows Removed by Index Recheck"];
            let read = number("Actual Rows") + removed.iter().map(|name| number(name)).sum::<f64>();
            let own = if is_scan { read * number("Actual Loops") } else { 0.0 };
            // A count is not negative, and far from where it would be rounded.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as said")]
            let own = own.round() as u64;
            own + node.values().map(rows_read).sum::<u64>()
        }
        _ => 0,
    }
}

/// Every list of the small tenant, first pages and later ones, with the filters they have.
async fn lists_of_the_small_tenant() -> BTreeMap<String, Statement> {
    let mut issued = BTreeMap::new();
    let (recording, _) = recorded();
    let nouns = Nouns::on(recording.clone()).await;
    uses_everything(&nouns).await;
    recording.take();
    lists_everything(&nouns).await;
    for limit in [2, 50, 500] {
        for filter in lists_of_tasks() {
            nouns.store.list_tasks(&filter, &Page::first(limit)).await.expect("a list is read");
        }
        let page = Page::first(limit);
        nouns.store.list_project_tasks("p", None, Some("s"), &page).await.expect("it is there");
    }
    add(&mut issued, recording.take());
    issued
}

fn lists_of_tasks() -> Vec<Filter> {
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let all = || Filter { scope: "s".to_owned(), ..Filter::default() };
    let mut filters = vec![
        all(),
        Filter { queues: list(&["incoming"]), ..all() },
        Filter { queues: list(&["done"]), ..all() },
        Filter { queues: list(&["done", "failed", "own", "provisional"]), ..all() },
        Filter { queues: list(&["a", "b", "c", "d", "e", "f", "g", "h", "own"]), ..all() },
        Filter { priorities: list(&["P0", "P4"]), ..all() },
        Filter { roles: list(&["r1"]), ..all() },
        Filter { claimed_by: Some("nobody".to_owned()), ..all() },
        Filter { search: Some("t".to_owned()), ..all() },
        Filter { project_id: Some("p".to_owned()), ..all() },
        Filter { needs_intervention: Some(true), ..all() },
        Filter { blocked_by: Some("t-1".to_owned()), ..all() },
        Filter { needs_intervention: Some(false), ..all() },
    ];
    let urgent: Vec<_> =
        filters.iter().map(|filter| Filter { by_priority: true, ..filter.clone() }).collect();
    filters.extend(urgent);
    filters
}

#[tokio::test]
async fn a_small_tenant_beside_a_large_one_reads_its_own_rows_only() {
    let Some(full) = Full::with(TWO_TENANTS).await else { return };
    let mut wrong = Vec::new();
    let lists = lists_of_the_small_tenant().await;
    assert!(lists.len() > 80, "only {} lists were recorded", lists.len());
    for (text, statement) in &lists {
        // A list of more than one scope is for those whom no key confines.
        let modes = ["force_custom_plan", "force_generic_plan"];
        for mode in &modes[..if statement.sql.is_constant() { 2 } else { 1 }] {
            let how = "ANALYZE, TIMING OFF, FORMAT JSON";
            let plan = full.explain(how, text, &statement.parameters, mode).await;
            let read = rows_read(&plan);
            if read > READS_MAX {
                wrong.push(format!("{read} rows ({mode}) by {text} {:?}", statement.parameters));
            }
        }
    }
    println!("{} statements", lists.len());
    assert!(wrong.is_empty(), "rows of others are read: {}", wrong.join("\n"));
}
