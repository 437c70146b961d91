//! `octopoid-server import`, with a dump as `wrangler d1 export` writes it of the first server.

mod refusals;

use std::path::{Path, PathBuf};

use octopoid_client::Client;
use octopoid_domain::{draft::NewDraft, journal::JournalEvent};
use octopoid_testbed::database::Schema;
use tokio::process::Command;

use crate::{
    load::{approval, claim_by, events, report},
    server::{Disk, Ended, Server, command, run},
};

/// The key whose hash is in the dump, of scope `shop`.
const KEY: &str = "oct_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn dump() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/import/dump.sql")
}

async fn import(dump: &Path, to: &str) -> Ended {
    run(command().arg("import").arg("--from-d1-dump").arg(dump).args(["--to", to])).await
}

async fn imports(to: &str) -> String {
    let ended = import(&dump(), to).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stdout
}

/// A server on the database, which asks for keys.
async fn serve(url: &str) -> Server {
    let arguments = ["--listen", "127.0.0.1:0", "--auth", "required", "--db-connections", "2"];
    let mut command: Command = command();
    Server::start(command.args(arguments).args(["--database", url])).await
}

/// What a client of the first server must find, whatever the database is.
async fn goes_on(server: &Server) {
    let stranger = server.open_client().with_scope("shop");
    assert_eq!(stranger.get_task("t-done").await.unwrap_err().status(), Some(401));
    let client = stranger.with_key(KEY);
    finds_its_tasks(&client).await;
    finds_the_rest(&client).await;
    works(&client).await;
    journal_goes_on(&client).await;
}

async fn finds_its_tasks(client: &Client) {
    let list = client.list_tasks(&[("limit", "500")]).await.unwrap();
    assert_eq!(list.total, 12, "all but the one without a scope, and the one of another");
    let done = client.get_task("t-done").await.unwrap();
    assert_eq!((done.version, done.commits_count, done.turns_used), (4, Some(3), Some(42)));
    assert_eq!(done.created_at.to_iso(), "2026-11-20T08:00:00.000Z");
    assert_eq!(done.completed_at.unwrap().to_iso(), "2026-11-21T21:08:36.283Z");
    let told = events(client, "t-done").await.unwrap();
    let told: Vec<_> = told.iter().map(|(event, agent)| (&**event, agent.as_deref())).collect();
    let worker = Some("implementer-1");
    let expected = [
        ("created", None),
        ("claimed", worker),
        ("submitted", worker),
        ("accepted", Some("human")),
    ];
    assert_eq!(told, expected);
    let first = client.get_task("t-first").await.unwrap();
    assert_eq!(first.content.as_deref(), Some("# It's \"first\"\n\nsay 'hello' 🐙"));
    assert_eq!(first.checks.as_deref(), Some("[]"));
    assert_eq!(client.get_task("t-other").await.unwrap_err().status(), Some(404));
    let waits = client.get_task("t-waits").await.unwrap();
    assert_eq!(waits.blocked_by.as_deref(), Some("awaiting-approval,t-second"));
    assert_eq!(client.get_task("t-stuck").await.unwrap().blocked_by, None);
    let odd = client.get_task("t-odd").await.unwrap();
    assert_eq!((odd.lease_expires_at, odd.turns_used), (None, None));
    for (queue, tasks) in
        [("done", 1), ("failed", 1), ("claimed", 1), ("provisional", 3), ("cancelled", 0)]
    {
        assert_eq!(client.list_tasks(&[("queue", queue)]).await.unwrap().total, tasks, "{queue}");
    }
}

async fn finds_the_rest(client: &Client) {
    let draft = client.get_draft(2).await.unwrap();
    assert_eq!((&*draft.title, draft.tags.as_deref()), ("T", Some("[\"a\",\"b\"]")));
    let new = NewDraft { title: "t".into(), author: "me".into(), ..NewDraft::default() };
    assert_eq!(client.create_draft(&new).await.unwrap().id, 10, "9 was given away before");
    let project = client.get_project("PROJ-60aee6").await.unwrap();
    assert!(project.auto_accept);
    let messages = client.list_task_messages("t-done", &[]).await.unwrap();
    let contents: Vec<_> = messages.items.iter().map(|message| &*message.content).collect();
    assert_eq!(contents, ["first", "answer"]);
    assert_eq!(client.list_actions(&[]).await.unwrap().total, 1);
    let machine = client.get_orchestrator("prod-box1").await.unwrap();
    assert_eq!(machine.orchestrator.registered_at.to_iso(), "2026-11-20T20:58:19.605Z");
}

async fn works(client: &Client) {
    // The order of creation, within a second too; a blocked task is passed over, however urgent.
    for id in ["t-first", "t-second", "t-stuck"] {
        assert_eq!(client.claim_task(&claim_by("a")).await.unwrap().unwrap().id, id);
    }
    assert_eq!(client.claim_task(&claim_by("a")).await.unwrap(), None);
    client.submit_task("t-first", &report()).await.unwrap();
    client.accept_task("t-first", &approval()).await.unwrap();
    assert_eq!(client.claim_task(&claim_by("a")).await.unwrap().unwrap().id, "t-urgent");
    // One review is held, one task was moved on by its holder, and one has an impossible lease.
    let mut review = claim_by("reviewer");
    review.queue = "provisional".into();
    for id in ["t-moved", "t-odd"] {
        assert_eq!(client.claim_task(&review).await.unwrap().unwrap().id, id);
    }
    assert_eq!(client.claim_task(&review).await.unwrap(), None);
    // The queue that was named as this server's finished one still hands out its tasks.
    let mut before = claim_by("a");
    before.queue = "cancelled_before".into();
    assert_eq!(client.claim_task(&before).await.unwrap().unwrap().id, "t-cancelled");
    // The holder from before hands in what it did.
    client.submit_task("t-held", &report()).await.unwrap();
}

/// The imported events have the first positions, and what happens now comes after them.
async fn journal_goes_on(client: &Client) {
    let query = [("cursor", "0"), ("limit", "500")];
    let events = client.list_events(&query).await.unwrap().events;
    assert!(events.is_sorted_by(|a, b| a.id < b.id), "{events:?}");
    let is_created = |event: &&JournalEvent| event.name == "task.created";
    assert_eq!(events.iter().filter(is_created).count(), 12);
    // Only the events of this server name the version of the task.
    assert!(events.is_sorted_by_key(|event| event.version.is_some()), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((&*last.name, &*last.subject.id), ("task.submitted", "t-held"));
}

#[tokio::test]
async fn the_first_servers_clients_go_on_with_a_file() {
    let disk = Disk::of_file();
    let told = imports(&disk.url()).await;
    for line in [
        "tasks                    13         14\n",
        "events                   22         10\n",
        "task_blockers             3    derived\n",
        "tasks t-nowhere: skipped: no scope\n",
        "tasks t-odd: lease_expires_at: skipped: invalid timestamp `2026`\n",
        "tasks t-odd: turns_used: skipped: invalid or too large integer `\"abc\"`\n",
        "tasks t-cancelled: queue: renamed \"cancelled\" to \"cancelled_before\", because tasks in \
         \"cancelled\" are finished on this server\n",
        "tasks t-stuck: removed t-done from blocked_by because it is done\n",
        "drafts 5: scope: missing, so the row is not visible with any key: set it with --scope-of or \
         --scope-for-unscoped\n",
        "drafts 5: tags: changed the text null to null\n",
        "tasks t-first: checks: changed a list of numbers stored as bytes to JSON text\n",
        "tasks t-review: lease_expires_at: truncated to milliseconds\n",
        "tasks t-waits: blocked_by: removed whitespace, empty and duplicate ids\n",
        "dump: 1 rows have texts with line breaks, and those that also have a backslash",
        "task_history t-gone: skipped: 1 events of a missing task\n",
        "roles lost: skipped: unknown scope of orchestrator \"nobody\"\n",
        "orchestrators prod-box2: status: changed \"banana\" to \"offline\"\n",
        "orchestrators prod-box2: last_heartbeat: skipped: invalid timestamp `\"not a time\"`\n",
        "agents: skipped: 1 rows of an unknown table\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    goes_on(&serve(&disk.url()).await).await;
}

#[tokio::test]
async fn the_first_servers_clients_go_on_with_a_server() {
    let Some(schema) = Schema::fresh().await else { return };
    imports(&schema.url()).await;
    goes_on(&serve(&schema.url()).await).await;
}

#[tokio::test]
async fn statements_for_the_edge_fill_a_database_in_the_same_way() {
    let disk = Disk::of_file();
    let migrated = run(command().arg("migrate").args(["--database", &disk.url()])).await;
    assert!(migrated.status.success(), "{}", migrated.stderr);
    let file = disk.path().join("out.sql");
    imports(&format!("d1:{}", file.display())).await;
    let statements = std::fs::read_to_string(&file).unwrap();
    rusqlite::Connection::open(disk.file()).unwrap().execute_batch(&statements).unwrap();
    goes_on(&serve(&disk.url()).await).await;
    let again = import(&dump(), &format!("d1:{}", file.display())).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("File exists"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), statements);
}

/// The statements of the dump, in a file as the first server has it on a machine of its own.
fn as_file(disk: &Disk) -> PathBuf {
    let file = disk.path().join("old.sqlite");
    let database = rusqlite::Connection::open(&file).unwrap();
    let text = std::fs::read_to_string(dump()).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    database.execute_batch(&text).unwrap();
    file
}

#[tokio::test]
async fn the_first_servers_clients_go_on_with_its_file_and_rows_get_the_scopes_that_are_named() {
    let disk = Disk::of_file();
    let (file, all) = (as_file(&disk), disk.path().join("report"));
    let mut command = command();
    command.args(["import", "--to", &disk.url(), "--scope-of", "drafts:5=shop"]);
    command.args(["--scope-for-unscoped", "rest"]);
    let ended = run(command.arg("--from-sqlite").arg(file).arg("--report").arg(&all)).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let all = std::fs::read_to_string(all).unwrap();
    for line in [
        "drafts 5: scope: missing, set to \"shop\"\n",
        "tasks t-nowhere: scope: missing, set to \"rest\"\n",
    ] {
        assert!(ended.stdout.contains(line) && all.contains(line), "{line}{}", ended.stdout);
    }
    let server = serve(&disk.url()).await;
    let client = server.open_client().with_scope("shop").with_key(KEY);
    assert_eq!(client.get_draft(5).await.unwrap().title, "U");
    goes_on(&server).await;
}
