//! What operations read: the same few rows, however many tasks there are.

use std::sync::Arc;

use octopoid_domain::journal::{self, Start};
use octopoid_store::{
    engine::{Parameter, Statement},
    lists::{Filter, Page},
};
use octopoid_store_sqlite::Sqlite;
use octopoid_store_testkit::{
    World,
    recording::Recording,
    world::{SCOPE, everything},
};
use rusqlite::{Connection, Statement as Prepared, StatementStatus};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::location;

/// A queue that is as long as wanted, and a second connection to look at what SQLite does.
struct Queue {
    world: World,
    recording: Arc<Recording>,
    connection: Connection,
    _directory: TempDir,
}

/// What a statement did, by SQLite's own counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    /// Steps of the virtual machine.
    steps: i32,
    /// Steps to the next row of a table that is passed over without an index.
    full_scan_steps: i32,
    /// Rows that were sorted, in runs.
    sorts: i32,
}

impl Queue {
    /// A queue of so many tasks of each role.
    async fn new(roles: &[&str], tasks: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let engine = Sqlite::open(&location(&directory)).expect("a new file can be opened");
        let recording = Arc::new(Recording::of(Arc::new(engine)));
        let world = World::over(recording.clone(), recording.inner()).await.expect("a new file");
        let path = directory.path().join("octopoid.db");
        let connection = Connection::open(path).expect("a second connection to the file");
        for role in roles {
            world
                .creates_with(role, json!({ "role": role, "type": "t" }))
                .await
                .expect("the first of a role");
            multiply(&connection, role, tasks);
        }
        Self { world, recording, connection, _directory: directory }
    }

    /// The statements of a claim, made ready to be run again under another mark.
    async fn claim(&self, fields: Json) -> Vec<Statement> {
        self.recording.take();
        let claimed = self.world.claims_with(fields).await.expect("a claim never fails");
        assert!(claimed.is_some(), "there is something to claim");
        let runs = self.recording.take();
        let batches = runs.into_iter().filter(|run| run.is_write).map(|run| run.batch);
        let mut statements: Vec<_> = batches.flatten().collect();
        assert_eq!(statements.len(), 3, "a claim is three statements");
        // The second parameter of the statement that records the event is the write's mark.
        let mark = statements[1].parameters[1].clone();
        for parameter in statements.iter_mut().flat_map(|statement| &mut statement.parameters) {
            if *parameter == mark {
                *parameter = Parameter::Int(Some(1));
            }
        }
        statements
    }

    /// Runs statements once more, on the next task, and undoes it.
    fn measure(&self, statements: &[Statement]) -> Vec<Effort> {
        self.connection.execute_batch("BEGIN").expect("nobody writes now");
        let efforts = statements.iter().map(|statement| {
            let mut prepared = self.connection.prepare(text(statement)).expect("it was run before");
            bind(&mut prepared, &statement.parameters);
            let mut rows = prepared.raw_query();
            while rows.next().expect("it was run before").is_some() {}
            drop(rows);
            Effort {
                steps: prepared.get_status(StatementStatus::VmStep),
                full_scan_steps: prepared.get_status(StatementStatus::FullscanStep),
                sorts: prepared.get_status(StatementStatus::Sort),
            }
        });
        let efforts = efforts.collect();
        self.connection.execute_batch("ROLLBACK").expect("a transaction is open");
        efforts
    }

    fn plan(&self, statement: &Statement) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", text(statement));
        let mut prepared = self.connection.prepare(&sql).expect("it was run before");
        bind(&mut prepared, &statement.parameters);
        let rows = prepared.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>();
        rows.expect("a plan has texts")
    }
}

/// Copies a task so many times.
fn multiply(connection: &Connection, id: &str, tasks: u32) {
    // Generated columns are not among these.
    let columns = "SELECT group_concat(name, ', ') FROM pragma_table_info('tasks') \
                   WHERE name NOT IN ('seq', 'id', 'file_path')";
    let columns: String =
        connection.query_row(columns, [], |row| row.get(0)).expect("tasks have columns");
    let copy = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2) \
         INSERT INTO tasks (id, file_path, {columns}) \
         SELECT id || '-' || n, id || '-' || n, {columns} FROM tasks, numbers WHERE id = ?1"
    );
    let copies = connection.execute(&copy, (id, tasks - 1)).expect("copies differ in their ids");
    assert_eq!(u32::try_from(copies), Ok(tasks - 1));
}

fn text(statement: &Statement) -> &str {
    statement.sql.sqlite().expect("what was run has a text")
}

fn bind(prepared: &mut Prepared<'_>, parameters: &[Parameter]) {
    for (index, value) in (1..).zip(parameters) {
        match value {
            Parameter::Int(number) => prepared.raw_bind_parameter(index, number),
            Parameter::Text(text) => prepared.raw_bind_parameter(index, text),
        }
        .expect("it was bound before");
    }
}

const LENGTHS: [u32; 3] = [100, 1_000, 20_000];

#[tokio::test]
async fn a_claim_takes_the_same_steps_however_long_the_queue_is() {
    for (roles, filter, kind) in [
        (&["a"][..], json!(null), json!(null)),
        (&["a"], json!("a"), json!(null)),
        (&["a", "b", "c", "d"], json!(null), json!(null)),
        (&["a", "b", "c", "d"], json!("d"), json!(null)),
        (&["a", "b", "c", "d"], json!("d"), json!("t")),
    ] {
        let mut efforts = Vec::new();
        for tasks in LENGTHS {
            let queue = Queue::new(roles, tasks).await;
            let filters = json!({ "role_filter": filter, "type_filter": kind });
            let statements = queue.claim(filters).await;
            efforts.push(queue.measure(&statements));
        }
        println!("roles {roles:?}, filter {filter}: {:?}", efforts[0]);
        assert_eq!(efforts[0], efforts[1], "a thousand tasks of each of {roles:?}");
        assert_eq!(efforts[0], efforts[2], "twenty thousand tasks of each of {roles:?}");
        let passes_over = efforts[0].iter().any(|effort| effort.full_scan_steps > 0);
        assert!(!passes_over, "a table is passed over");
    }
}

/// How often a line of the claim's plan reads a row: once, for each lane of the queue, and for each
/// lane that fits the filter. A lane is a pair of role and type.
struct Reads(&'static str, [usize; 3]);

/// Each seek is for a single row or index entry. That no more are read, and that the rows behind
/// the index are not, was seen once with a SQLite that counts how often each cursor moves.
const CLAIM: [Reads; 12] = [
    // The row that is taken.
    Reads("SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)", [1, 0, 0]),
    // The first lane, and then from each lane to the next.
    Reads(
        "SEARCH tasks USING INDEX tasks_by_queue (scope=? AND queue=? AND claim_lane>?)",
        [1, 0, 0],
    ),
    Reads(
        "SEARCH tasks USING INDEX tasks_by_queue (scope=? AND queue=? AND claim_lane>?)",
        [0, 1, 0],
    ),
    // Whether the scope has any pause. If it has, those of the scope, the queue, the pools and the
    // role of each lane are looked up.
    Reads("SEARCH pauses USING PRIMARY KEY (scope=?)", [1, 0, 0]),
    Reads("SEARCH pauses USING PRIMARY KEY (scope=? AND target=?)", [0, 0, 0]),
    Reads("SEARCH pauses USING PRIMARY KEY (scope=? AND target=?)", [0, 0, 0]),
    Reads("SEARCH pauses USING PRIMARY KEY (scope=? AND target=?)", [0, 0, 0]),
    Reads("SEARCH pauses USING PRIMARY KEY (scope=? AND target=?)", [0, 0, 0]),
    // The machine, which may be drained.
    Reads("SEARCH orchestrators USING PRIMARY KEY (id=?)", [1, 0, 0]),
    // The entry at the head of a lane, which says all that is compared.
    Reads(
        "SEARCH tasks USING INDEX tasks_by_queue (scope=? AND queue=? AND claim_lane=?)",
        [0, 0, 1],
    ),
    // Whether the request was carried out before. Without a key, nothing is compared with null.
    Reads("SEARCH idempotency USING PRIMARY KEY (scope=? AND route=? AND key=?)", [0, 0, 0]),
    // Whether there are messages about the task. If there are, its first entry is read.
    Reads(
        "SEARCH messages USING COVERING INDEX messages_by_task (scope=? AND task_id=? AND created_at>?)",
        [0, 0, 0],
    ),
];

/// The entry of the row that was taken, the row, and whether the event's number is free.
const RECORD: [Reads; 1] =
    [Reads("SEARCH tasks USING INDEX tasks_by_reap_at (reap_at=? AND write_id=?)", [3, 0, 0])];

/// The entry of the row that was taken, and the row.
const BEGIN: [Reads; 1] =
    [Reads("SEARCH tasks USING INDEX tasks_by_reap_at (reap_at=? AND write_id=?)", [2, 0, 0])];

/// How many rows a plan reads, which must be the one that was thought about.
fn reads(plan: &[String], known: &[Reads], lanes: usize, fitting: usize) -> usize {
    // The lanes themselves are no rows: the query makes them as it goes.
    let is_seek = |line: &&String| line.starts_with("SEARCH") && *line != "SEARCH lanes";
    let seeks: Vec<_> = plan.iter().filter(is_seek).collect();
    let expected: Vec<_> = known.iter().map(|Reads(line, _)| line).collect();
    assert_eq!(seeks, expected, "the plan has changed: think about what it reads");
    let counts =
        known.iter().map(|Reads(_, [once, each, fits])| once + each * lanes + fits * fitting);
    counts.sum()
}

#[tokio::test]
async fn a_claim_reads_at_most_fifteen_rows() {
    for (roles, filter, fitting, most) in [
        (&["a"][..], json!(null), 1, 15),
        (&["a"], json!("a"), 1, 15),
        // Where roles are mixed, each adds the few rows that find its head.
        (&["a", "b", "c", "d"], json!("d"), 1, 16),
        (&["a", "b", "c", "d"], json!(null), 4, 19),
    ] {
        let queue = Queue::new(roles, 100).await;
        let statements = queue.claim(json!({ "role_filter": filter })).await;
        let lanes = roles.len();
        let claim = reads(&queue.plan(&statements[0]), &CLAIM, lanes, fitting);
        let record = reads(&queue.plan(&statements[1]), &RECORD, lanes, fitting);
        let begin = reads(&queue.plan(&statements[2]), &BEGIN, lanes, fitting);
        println!("roles {roles:?}, filter {filter}: {claim} + {record} + {begin} rows");
        assert!(
            claim + record + begin <= most,
            "roles {roles:?}, filter {filter}: {claim} + {record} + {begin}"
        );
    }
}

/// The plan of a claim that names one lane: that of the others, without those lines that find lanes.
#[tokio::test]
async fn a_claim_of_one_lane_reads_nine_rows_however_many_lanes_there_are() {
    let is_about_others = |line: &str| line.contains("claim_lane>?");
    let known = CLAIM.into_iter().filter(|Reads(line, _)| !is_about_others(line));
    let known: Vec<_> = known.collect();
    for roles in [&["d"][..], &["a", "b", "c", "d"]] {
        let queue = Queue::new(roles, 100).await;
        let statements = queue.claim(json!({ "role_filter": "d", "type_filter": "t" })).await;
        let claim = reads(&queue.plan(&statements[0]), &known, roles.len(), 1);
        let record = reads(&queue.plan(&statements[1]), &RECORD, roles.len(), 1);
        let begin = reads(&queue.plan(&statements[2]), &BEGIN, roles.len(), 1);
        assert_eq!(claim + record + begin, 9, "{claim} + {record} + {begin}");
    }
}

/// Finished tasks are kept for ever, and a dashboard asks every few seconds.
#[tokio::test]
async fn polls_and_lists_take_the_same_steps_however_much_is_finished() {
    let mut efforts: Vec<Vec<Effort>> = Vec::new();
    for tasks in LENGTHS {
        let queue = Queue::new(&["a"], 3).await;
        let world = &queue.world;
        world.creates_with("f", json!({ "queue": "done" })).await.unwrap();
        multiply(&queue.connection, "f", tasks);
        queue.recording.take();
        world.store.poll(None, Some(SCOPE), None).await.unwrap();
        let incoming = || Filter { queues: vec!["incoming".to_owned()], ..everything() };
        let done = Filter { queues: vec!["done".to_owned()], ..everything() };
        // The fixer's list, which names no queue.
        let flagged = Filter { needs_intervention: Some(true), ..everything() };
        let urgent = Filter { by_priority: true, ..incoming() };
        let waiting = Filter { blocked_by: Some("f".to_owned()), ..everything() };
        for filter in [everything(), incoming(), done, flagged, urgent, waiting] {
            world.store.list_tasks(&filter, &Page::first(50)).await.unwrap();
        }
        let runs = queue.recording.take();
        let statements: Vec<_> = runs.into_iter().flat_map(|run| run.batch).collect();
        efforts.push(queue.measure(&statements));
    }
    assert_eq!(efforts[0], efforts[1], "a thousand finished tasks");
    assert_eq!(efforts[0], efforts[2], "twenty thousand finished tasks");
}

/// The lists that filter, or sort, by more than the index of queues has.
fn filtered() -> [Filter; 9] {
    let some = |text: &str| Some(text.to_owned());
    let several = |text: &str| vec![text.to_owned()];
    [
        Filter { roles: several("none"), ..everything() },
        Filter { roles: several("a"), ..everything() },
        Filter { claimed_by: some("nobody"), queues: several("done"), ..everything() },
        Filter { priorities: several("P2"), ..everything() },
        Filter { search: some("nothing has this"), ..everything() },
        Filter { needs_intervention: Some(false), ..everything() },
        Filter { project_id: some("p"), roles: several("none"), ..everything() },
        Filter { roles: several("none"), by_priority: true, ..everything() },
        Filter { by_priority: true, ..everything() },
    ]
}

#[tokio::test]
async fn a_filtered_or_sorted_list_takes_the_same_steps_however_much_is_finished() {
    let mut efforts: Vec<Vec<Effort>> = Vec::new();
    // Enough that there is more to look at behind the second page.
    for tasks in [21_000, 42_000] {
        let queue = Queue::new(&["a"], 3).await;
        let world = &queue.world;
        world.makes_project("p", "b", None).await.unwrap();
        world.creates_with("f", json!({ "queue": "done", "project_id": "p" })).await.unwrap();
        multiply(&queue.connection, "f", tasks);
        queue.recording.take();
        for filter in filtered() {
            let first = world.store.list_tasks(&filter, &Page::at(50, 100)).await.unwrap();
            let cursor = first.next_cursor.expect("there is more to look at");
            world.store.list_tasks(&filter, &Page::after(50, cursor)).await.unwrap();
        }
        let runs = queue.recording.take();
        let statements: Vec<_> = runs.into_iter().flat_map(|run| run.batch).collect();
        efforts.push(queue.measure(&statements));
    }
    println!("{:?}", efforts[0].iter().map(|effort| effort.steps).max());
    assert_eq!(efforts[0], efforts[1], "twice as many finished tasks");
}

/// What matches is found in the end, wherever it is, and nothing is shown out of its order.
#[tokio::test]
async fn a_filtered_list_goes_on_behind_what_it_looked_at() {
    let queue = Queue::new(&["a"], 3).await;
    let world = &queue.world;
    for (id, priority) in [("old-1", "P1"), ("old-2", "P0")] {
        let fields = json!({ "queue": "done", "role": "rare", "priority": priority });
        world.creates_with(id, fields).await.unwrap();
    }
    world.creates_with("open-old", json!({ "role": "rare" })).await.unwrap();
    world.creates_with("f", json!({ "queue": "done", "priority": "P1" })).await.unwrap();
    multiply(&queue.connection, "f", 25_000);
    let fields = json!({ "queue": "failed", "role": "rare", "priority": "P3" });
    world.creates_with("new", fields).await.unwrap();
    world.creates_with("open-new", json!({ "role": "rare", "priority": "P3" })).await.unwrap();
    let roles = vec!["rare".to_owned()];
    for (by_priority, expected) in [
        (false, ["open-new", "new", "open-old", "old-2", "old-1"]),
        (true, ["old-2", "old-1", "open-old", "new", "open-new"]),
    ] {
        let filter = Filter { roles: roles.clone(), by_priority, ..everything() };
        let (mut found, mut pages, mut page) = (Vec::new(), 0, Page::first(2));
        loop {
            let listed = world.store.list_tasks(&filter, &page).await.unwrap();
            if pages == 0 {
                assert!(listed.total_is_partial, "not all was looked at");
                assert!(listed.total.is_some_and(|total| (3..5).contains(&total)));
            }
            found.extend(listed.items.into_iter().map(|task| task.id));
            pages += 1;
            let Some(cursor) = listed.next_cursor else { break };
            page = Page::after(2, cursor);
        }
        assert_eq!(found, expected, "by priority: {by_priority}");
        assert!((4..9).contains(&pages), "{pages} pages");
    }
}

/// A reader who follows a task asks again and again. Only the search for the cursor takes more steps.
#[tokio::test]
async fn a_page_of_a_tasks_events_takes_few_more_steps_however_long_its_history_is() {
    let mut efforts = Vec::new();
    for events in LENGTHS {
        let queue = Queue::new(&["a"], 2).await;
        let add = "WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers \
                   WHERE n < ?1) INSERT INTO events (scope, kind, subject, seq, event, at) \
                   SELECT ?2, 'task', 'a', n, 'edited', 0 FROM numbers";
        queue.connection.execute(add, (events, SCOPE)).expect("their numbers are free");
        let filter =
            journal::Filter { task_id: Some("a".to_owned()), types: journal::Types::default() };
        for behind in [5, events / 2, events] {
            let cursor = journal::Cursor(i64::from(events - behind));
            queue.recording.take();
            let store = &queue.world.store;
            store.read_events(Some(SCOPE), &filter, Start::After(cursor), 3).await.unwrap();
            let batches = queue.recording.take().into_iter().flat_map(|run| run.batch);
            let batch: Vec<_> =
                batches.filter(|statement| statement.sql.sqlite().is_some()).collect();
            let measured = queue.measure(&batch);
            assert!(measured.iter().all(|effort| effort.sorts == 0), "{measured:?}");
            efforts.push(measured.iter().map(|effort| effort.steps).sum::<i32>());
        }
    }
    let (short, long) = (&efforts[..3], &efforts[6..]);
    let is_kept = short.iter().zip(long).all(|(short, long)| *long < 2 * short);
    assert!(is_kept, "a history of {LENGTHS:?} events: {efforts:?}");
}

/// Proposals that nobody ends stay proposed when they expire.
#[tokio::test]
async fn a_summary_takes_the_same_steps_however_much_is_proposed() {
    let mut efforts = Vec::new();
    for actions in [10_000, 40_000] {
        let queue = Queue::new(&["a"], 2).await;
        let add = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers \
                   WHERE n < ?1) INSERT INTO actions (id, entity_type, entity_id, action_type, \
                   label, status, proposed_by, proposed_at, expires_at_ms, scope) \
                   SELECT n, 'task', 'a', 'proposal', 'l', 'proposed', 'p', 0, \
                   CASE WHEN n % 2 = 0 THEN 1 END, ?2 FROM numbers";
        queue.connection.execute(add, (actions, SCOPE)).expect("their ids are free");
        queue.recording.take();
        let summary = queue.world.store.summary(SCOPE, queue.world.now()).await.unwrap();
        assert_eq!(summary.needs_person.actions, 1_000);
        let batches = queue.recording.take().into_iter().flat_map(|run| run.batch);
        efforts.push(queue.measure(&batches.collect::<Vec<_>>()));
    }
    assert_eq!(efforts[0], efforts[1], "forty thousand proposals");
}
