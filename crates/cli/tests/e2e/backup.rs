//! Backups: by hand, beside a busy server, on a schedule, before migrations, and killed.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use octopoid_client::{Client, Result};
use octopoid_domain::{
    steps::{Accept, Submit},
    task::{ClaimRequest, NewTask},
};
use octopoid_store::engine::{Engine as _, Statement, Value};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::audit;
use octopoid_testbed::Server;

use crate::program::{World, finish, wait};

/// Longer than anything takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_mins(1);

/// Collects what a server prints.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(text).count()
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a limit for a condition that never holds")]
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
        thread::sleep(Duration::from_millis(1));
    }
}

/// A server of the database in the working directory.
fn serve(world: &World, options: &str) -> (Server, Log) {
    let log = Log::default();
    let mut command = world.command(&format!("serve --listen 127.0.0.1:0 {options}"));
    (Server::start(&mut command, log.clone()).unwrap(), log)
}

fn client(server: &Server) -> Client {
    Client::new(&format!("http://{}", server.address)).unwrap().with_scope("s")
}

fn new_task(id: &str, content: &str) -> NewTask {
    NewTask {
        id: id.into(),
        file_path: format!("tasks/{id}.md").into(),
        branch: "main".into(),
        content: content.into(),
        ..NewTask::default()
    }
}

/// The names of the complete backups in a folder; none if it does not exist yet.
fn backups(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "zst")).collect()
}

fn engine(path: PathBuf) -> Sqlite {
    Sqlite::open(&Location::File(path)).unwrap()
}

async fn rows(engine: &Sqlite, sql: &'static str) -> Vec<Vec<Value>> {
    let statement = Statement { sql: sql.into(), parameters: Vec::new() };
    engine.write(vec![statement]).await.unwrap().remove(0)
}

#[test]
fn a_closed_database_is_backed_up_looked_at_and_restored() {
    let world = World::alone();
    {
        let (server, _) = serve(&world, "");
        wait(client(&server).create_task(&new_task("a", "text"))).unwrap();
    }
    let said = world.ok("backup create --to backups");
    assert!(said.starts_with("wrote backups/octopoid-20"), "{said}");
    assert!(said.trim_end().ends_with("1 task"), "{said}");
    let file = world.id("backup create --database sqlite:octopoid.db --to backups -q");
    assert_eq!(backups(&world.home().join("backups")).len(), 2);
    world.ok("backup create --to mine.zst");
    let why = world.fails(1, "backup create --to mine.zst");
    assert!(why.contains("mine.zst exists: choose another name"), "{why}");

    let listed = world.json("backup status backups -o json");
    let first = &listed["backups"][0];
    assert_eq!(first["tasks"]["incoming"], 1);
    assert_eq!((&first["last_event"], &first["problem"]), (&1.into(), &serde_json::Value::Null));
    let table = world.ok("backup status mine.zst");
    assert!(table.contains("LAST EVENT") && table.contains("ok"), "{table}");
    assert_eq!(world.ok("backup verify backups").lines().count(), 3);

    world.ok(&format!("backup restore {file} --database sqlite:restored.db"));
    let why = world.fails(1, &format!("backup restore {file} --database sqlite:restored.db"));
    assert!(why.contains("restored.db exists: restore to another path"), "{why}");
    let (server, _) = serve(&world, "--database sqlite:restored.db");
    assert_eq!(wait(client(&server).get_task("a")).unwrap().id, "a");
}

#[test]
fn a_damaged_backup_is_reported_and_not_restored() {
    let world = World::alone();
    world.ok("migrate");
    let file = world.home().join(world.id("backup create --to backups -q"));
    world.ok("backup create --to backups");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let status = world.ok("backup status backups");
    assert_eq!(status.matches("does not match its checksum").count(), 1, "{status}");
    let ended = world.run("backup verify backups");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("does not match its checksum"), "{}", ended.stdout);
    assert!(ended.stderr.contains("1 of 2 backups cannot be used"), "{}", ended.stderr);
    let restore = format!("backup restore {} --database sqlite:new.db", file.display());
    let why = world.fails(1, &restore);
    assert!(why.contains("does not match its checksum"), "{why}");
    assert!(!world.home().join("new.db").exists());
}

#[test]
fn other_databases_are_refused_with_what_to_do() {
    let world = World::alone();
    let url = "postgres://a:secret@127.0.0.1:1/d";
    for line in [
        format!("backup create --database {url} --to backups"),
        format!("serve --listen 127.0.0.1:0 --database {url} --backup-dir backups"),
        format!("migrate --database {url} --backup-dir backups"),
    ] {
        let why = world.fails(1, &line);
        assert!(why.contains("use pg_dump, see docs/operations.md#backups"), "{line}: {why}");
        assert!(!why.contains("secret"), "{why}");
    }
    let why = world.fails(1, "backup create --database sqlite::memory: --to backups");
    assert!(why.contains("a database in memory has no backups"), "{why}");
    world.fails(2, "serve --backup-dir backups --backup-keep 0");
    world.fails(2, "serve --backup-dir backups --backup-every 0s");
    assert!(!world.home().join("backups").exists());
}

/// Sees tasks through their lives until it is told to stop, and notes those that were created.
async fn work(client: Client, name: usize, is_over: Arc<AtomicBool>, made: Made) -> Result<()> {
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("w{name}-{number}");
        client.create_task(&new_task(&id, &"text ".repeat(200))).await?;
        made.lock().unwrap().insert(id.clone());
        let claim = ClaimRequest {
            orchestrator_id: "box".into(),
            agent_name: id.into(),
            ..ClaimRequest::default()
        };
        if let Some(task) = client.claim_task(&claim).await? {
            let submit =
                Submit { commits_count: 1.into(), turns_used: 7.into(), ..Submit::default() };
            client.submit_task(&task.id, &submit).await?;
            let accept = Accept { accepted_by: "human".into(), ..Accept::default() };
            client.accept_task(&task.id, &accept).await?;
        }
    }
    Ok(())
}

type Made = Arc<Mutex<BTreeSet<String>>>;

#[test]
fn a_backup_of_a_busy_server_is_of_one_moment() {
    let world = World::alone();
    let (server, _) = serve(&world, "");
    let (made, is_over) = (Made::default(), Arc::new(AtomicBool::new(false)));
    let workers = {
        let (client, made, is_over) = (client(&server), Arc::clone(&made), Arc::clone(&is_over));
        thread::spawn(move || {
            let worker = |name| work(client.clone(), name, Arc::clone(&is_over), Arc::clone(&made));
            wait(async {
                let (a, b, c, d) = tokio::join!(worker(0), worker(1), worker(2), worker(3));
                a.and(b).and(c).and(d)
            })
        })
    };
    let mut taken = Vec::new();
    for number in 0..4 {
        let target = (number + 1) * 30;
        until("tasks are created", || made.lock().unwrap().len() >= target);
        let before = made.lock().unwrap().clone();
        taken.push((world.id("backup create --to backups -q"), before));
    }
    is_over.store(true, Ordering::Relaxed);
    workers.join().unwrap().unwrap();
    for (number, (file, before)) in taken.into_iter().enumerate() {
        let restored = world.home().join(format!("restored-{number}.db"));
        let line = format!("backup restore {file} --database sqlite:{}", restored.display());
        let about = world.json(&format!("{line} -o json"));
        let counted: i64 = about["tasks"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(serde_json::Value::as_i64)
            .sum();
        let there: Vec<_> = wait(async {
            let engine = Arc::new(engine(restored));
            let there = rows(&engine, "SELECT id FROM tasks").await;
            let audited = octopoid_store_testkit::World::on(engine).await.unwrap();
            audit::check(&audited).await.unwrap();
            there.into_iter().flatten().collect()
        });
        assert_eq!(i64::try_from(there.len()).unwrap(), counted);
        for id in before {
            assert!(there.contains(&Value::Text(id.clone())), "{id} is not in backup {number}");
        }
    }
}

#[test]
fn a_server_backs_its_database_up_and_deletes_old_backups() {
    let world = World::alone();
    let options = "--backup-dir backups --backup-every 300ms --backup-keep 2";
    let folder = world.home().join("backups");
    {
        let (server, log) = serve(&world, options);
        wait(client(&server).create_task(&new_task("a", "text"))).unwrap();
        until("backups are written", || log.count("wrote a backup") >= 4);
        until("old ones are deleted", || log.count("deleted an old backup") >= 2);
    }
    let left = backups(&folder);
    assert!((2..=3).contains(&left.len()), "{left:?}");
    world.ok("backup verify backups");
    // After a restart, the newest is still young.
    let (server, log) = serve(&world, "--backup-dir backups --backup-every 1h");
    let (second, _) = serve(&world, "--database sqlite:other.db --backup-dir backups");
    until("the other database is backed up", || {
        backups(&folder).iter().any(|path| path.to_string_lossy().contains("/other-20"))
    });
    wait(client(&server).get_task("a")).unwrap();
    drop(second);
    assert_eq!(log.count("wrote a backup"), 0);
    assert!(left.is_subset(&backups(&folder)), "backups of another database were deleted");
}

#[test]
fn a_backup_that_fails_is_logged_and_the_server_goes_on() {
    let world = World::alone();
    world.write("file", "");
    let (server, log) = serve(&world, "--backup-dir file/backups --backup-every 50ms");
    until("it is tried again", || log.count("cannot write a backup, will retry") >= 2);
    wait(client(&server).create_task(&new_task("a", "text"))).unwrap();
}

/// What undoes the last migration.
const UNDO: [&str; 4] = [
    "DELETE FROM schema_versions WHERE version = (SELECT MAX(version) FROM schema_versions)",
    "DROP TABLE webhooks",
    "DROP TABLE webhook_deliveries",
    "DROP TABLE webhook_cursor",
];

#[test]
fn a_database_with_data_is_kept_before_a_migration() {
    let world = World::alone();
    let said = world.ok("migrate");
    let (_, newest) = said.trim_end().rsplit_once(" migrated from 0 to ").unwrap();
    let newest: i64 = newest.parse().unwrap();
    let migrated = format!("migrated from {} to {newest}", newest - 1);
    let before =
        |folder: &str| world.home().join(folder).join(format!("octopoid.db.before-v{newest}.zst"));
    let undo = || {
        wait(async {
            let engine = engine(world.home().join("octopoid.db"));
            for sql in UNDO {
                rows(&engine, sql).await;
            }
        });
    };
    undo();
    // Without data there is nothing to lose.
    let said = world.ok("migrate");
    assert!(said.contains(&migrated) && said.lines().count() == 1, "{said}");
    {
        let (server, _) = serve(&world, "");
        wait(client(&server).create_task(&new_task("a", "text"))).unwrap();
    }
    undo();
    world.write("file", "");
    for command in ["migrate", "serve --listen 127.0.0.1:0"] {
        let why = world.fails(1, &format!("{command} --backup-dir file"));
        let text = format!("was not migrated to schema version {newest}");
        assert!(why.contains(&text), "{why}");
        assert!(why.contains("free disk space, or choose another directory"), "{why}");
    }
    let said = world.ok("migrate");
    assert!(said.contains("the database before is in "), "{said}");
    assert!(before("").exists());
    world.ok(&format!("backup restore {} --database sqlite:old.db", before("").display()));
    undo();
    let (server, log) = serve(&world, "--backup-dir backups");
    assert_eq!(log.count("wrote a snapshot before the migration"), 1);
    let listed = world.json(&format!("backup status {} -o json", before("backups").display()));
    assert_eq!(listed["backups"][0]["schema_version"], newest - 1);
    assert_eq!(listed["backups"][0]["tasks"]["incoming"], 1);
    drop(server);
    // The old database is still of the old schema, and is migrated again.
    let said = world.ok("migrate --database sqlite:old.db");
    assert!(said.contains(&migrated), "{said}");
}

/// Text that does not become much shorter.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_with_the_name_of_one() {
    let world = World::alone();
    {
        let (server, _) = serve(&world, "");
        for number in 0..4 {
            let task = new_task(&format!("t{number}"), &noise(number, 3_000_000));
            wait(client(&server).create_task(&task)).unwrap();
        }
    }
    let folder = world.home().join("backups");
    let has = |ending: &str| {
        let mut entries = fs::read_dir(&folder).into_iter().flatten();
        entries
            .any(|entry| entry.is_ok_and(|entry| entry.path().to_string_lossy().ends_with(ending)))
    };
    for ending in [".copy", ".partial"] {
        let mut was_killed = false;
        // A backup may be complete before it can be killed; the next one is killed then.
        for _ in 0..10 {
            let mut command = world.command("backup create --to backups");
            let mut child = command.stdout(Stdio::null()).spawn().unwrap();
            let complete = backups(&folder);
            until("the backup begins", || has(ending) || backups(&folder) != complete);
            child.kill().unwrap();
            child.wait().unwrap();
            was_killed = has(ending);
            if was_killed {
                assert_eq!(backups(&folder), complete, "a backup that is not complete");
                break;
            }
        }
        assert!(was_killed, "no backup could be killed");
    }
    let ended = finish(&mut world.command("backup create --to backups"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!has(".copy") && !has(".partial"), "what was left behind is still there");
    world.ok("backup verify backups");
}
