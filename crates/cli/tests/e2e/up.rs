//! `octopoid up`: a server for all repositories of a user, and what commands in them go by.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use octopoid_client::Client;
use octopoid_domain::key::Permission;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    board::follow,
    program::{Ended, World, finish, wait},
};

/// How long something may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `octopoid up`. It is killed with its guard.
struct Up {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
    /// The lines up to the one that says what there is.
    header: Vec<String>,
}

impl Up {
    /// Starts a line in a folder, and waits until it has said what there is.
    fn start(world: &World, folder: &Path, line: &str) -> Self {
        let mut command = world.command(line);
        let child =
            command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let lines = read(child.stdout.take().unwrap());
        let errors = read(child.stderr.take().unwrap());
        let mut up = Self { child, lines, errors, header: Vec::new() };
        up.header = vec![up.line(), up.line()];
        up
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).unwrap()
    }

    fn error_line(&self) -> String {
        self.errors.recv_timeout(LIMIT).unwrap()
    }

    /// The address that it says.
    fn url(&self) -> String {
        self.link().split_once("/?").unwrap().0.to_owned()
    }

    /// The link to the board that it says.
    fn link(&self) -> &str {
        let (_, link) = self.header[0].rsplit_once(" · ").unwrap();
        link.split_whitespace().next().unwrap()
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Stops it as Ctrl-C does.
    fn stop(mut self) {
        self.signal(Signal::INT);
        assert_eq!(self.end().code(), Some(0));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
#[expect(clippy::disallowed_methods, reason = "a test that fails must end")]
fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come about");
        thread::yield_now();
    }
}

/// The lines of an output.
fn read(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    lines
}

/// A git repository with a commit.
fn repository(world: &World, path: &str) -> PathBuf {
    let folder = world.home().join(path);
    git(world, Path::new("."), &["init", "-q", "-b", "main", folder.to_str().unwrap()]);
    git(world, &folder, &["commit", "-q", "--allow-empty", "-m", "Start"]);
    folder.canonicalize().unwrap()
}

fn git(world: &World, folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]).args(arguments);
    git.current_dir(folder).env("HOME", world.home()).env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(git.status().unwrap().success(), "git {arguments:?}");
}

fn run_in(world: &World, folder: &Path, line: &str) -> Ended {
    finish(world.command(line).current_dir(folder))
}

/// What a line prints that succeeds in a folder.
fn ok_in(world: &World, folder: &Path, line: &str) -> String {
    run_in(world, folder, line).ok(line)
}

fn json_in(world: &World, folder: &Path, line: &str) -> Value {
    run_in(world, folder, line).json(line)
}

/// A setting of `config show`: its value and its origin.
fn setting(world: &World, folder: &Path, name: &str) -> (Value, Value) {
    let shown = json_in(world, folder, "config show --origin -o json");
    let settings = shown["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].clone(), setting["origin"].clone())
}

fn record(world: &World) -> Value {
    let path = world.home().join(".local/share/octopoid/up.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The titles of the tasks that a folder sees.
fn titles(world: &World, folder: &Path) -> Value {
    json_in(world, folder, "task list --json title")
}

#[test]
fn commands_in_the_repository_need_no_flags() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let deep = parser.join("src/deep");
    fs::create_dir_all(&deep).unwrap();
    let up = Up::start(&world, &deep, "up --listen 127.0.0.1:0");
    let version = env!("CARGO_PKG_VERSION");
    let header = format!("octopoid {version} · parser · {}/?scope=parser#k=oct_", up.url());
    assert!(up.header[0].starts_with(&header), "{:?}", up.header);
    assert!(up.header[0].ends_with("   (this link signs you in once)"), "{:?}", up.header);
    let signed_in = follow(up.link()).unwrap();
    assert_eq!((&*signed_in.scope, signed_in.permission), ("parser", Permission::Manage));
    assert_eq!(follow(up.link()).unwrap_err().status(), Some(403));
    follow(ok_in(&world, &deep, "board").trim_end()).unwrap();
    let data = "data ~/.local/share/octopoid/octopoid.db · base main@";
    assert!(up.header[1].starts_with(data), "{:?}", up.header);
    assert!(up.line().starts_with("no agents; to start some: octopoid up --agents "));

    let id = ok_in(&world, &deep, "add Work -q");
    let task = json_in(&world, &parser, &format!("task get {} -o json", id.trim_end()));
    assert_eq!((&task["scope"], &task["flow"]), (&json!("parser"), &json!("octopoid")));
    ok_in(&world, &parser, "add Other --flow default -q");
    assert!(ok_in(&world, &parser, "status").starts_with("parser "));
    let tasks = json_in(&world, &parser, "task list --json title,flow");
    let expected = json!([
        { "title": "Other", "flow": "default" }, { "title": "Work", "flow": "octopoid" },
    ]);
    assert_eq!(tasks, expected);

    let origin = json!("octopoid up of this repository");
    assert_eq!(setting(&world, &deep, "server"), (json!(up.url()), origin.clone()));
    assert_eq!(setting(&world, &deep, "scope"), (json!("parser"), origin.clone()));
    assert_eq!(setting(&world, &deep, "flow"), (json!("octopoid"), origin.clone()));
    let (key, of_key) = setting(&world, &deep, "key");
    assert_eq!(of_key, origin);
    assert_eq!(key.as_str().unwrap().chars().count(), 9, "too little of it to use it: {key}");
    // Elsewhere nothing is known of it, and no request goes without a key.
    assert_eq!(setting(&world, world.home(), "key").0, json!(null));
    let error = world.fails(6, &format!("task list --server {}", up.url()));
    assert!(error.contains("unauthorized"), "{error}");

    up.stop();
    let default = (json!("http://127.0.0.1:8787"), json!("default"));
    assert_eq!(setting(&world, &deep, "server"), default);
    assert_eq!(setting(&world, &deep, "key"), (json!(null), json!("default")));
    let name = json!("name of this git repository");
    assert_eq!(setting(&world, &deep, "scope"), (json!("parser"), name));
}

#[test]
fn a_task_is_done_when_it_was_reviewed_and_merged() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let _up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    let ok = |line: &str| ok_in(&world, &parser, line).trim_end().to_owned();
    let id = ok("add Work -q");
    let queue =
        || json_in(&world, &parser, &format!("task get {id} --json queue"))["queue"].clone();
    ok("task claim");
    ok("task submit");
    ok(&format!("task reject {id} --reason 'There is no test'"));
    assert_eq!(queue(), "incoming");
    ok("task claim");
    ok(&format!("task requeue {id}"));
    ok("task claim");
    ok("task submit");
    // It is merged as soon as it is approved; a task without a commit is done then.
    assert!(ok(&format!("task accept {id}")).ends_with("now in approved"));
    until(|| queue() == "done");
    assert_eq!(ok("flow list -q"), "octopoid", "the flow of older clients is left alone");
}

#[test]
fn data_and_keys_are_for_their_owner_and_outlast_a_restart() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let folder = world.home().join(".local/share/octopoid");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    ok_in(&world, &parser, "add Work");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    let before = record(&world);
    let flow = json_in(&world, &parser, "flow get octopoid -o json");
    up.stop();

    let up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    assert_eq!(titles(&world, &parser), json!([{ "title": "Work" }]));
    let after = record(&world);
    assert_eq!(after["administrator"], before["administrator"]);
    assert_eq!(after["repositories"], before["repositories"]);
    assert_eq!(json_in(&world, &parser, "flow get octopoid -o json"), flow);
    let keys = json_in(&world, &parser, "key list -o json");
    let keys = keys["keys"].as_array().unwrap().iter();
    // Beside the codes of links.
    assert_eq!(keys.filter(|key| key["permission"] != "login").count(), 2);
    let member = &after["repositories"][parser.to_str().unwrap()];
    let client =
        |key: &str| Client::new(&up.url()).unwrap().with_key(member[key].as_str().unwrap());
    assert_eq!(wait(client("work_key").get_summary()).unwrap().scope, "parser");
    let refused = wait(client("work_key").list_keys(&[])).unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");

    // A key that the server does not know any more is issued again.
    let revoked = json_in(&world, &parser, "key list -o json");
    let keys = revoked["keys"].as_array().unwrap();
    let work = keys.iter().find(|key| key["permission"] == "work").unwrap();
    ok_in(&world, &parser, &format!("key revoke {}", work["id"].as_str().unwrap()));
    up.stop();
    let _up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    let member = |record: &Value| record["repositories"][parser.to_str().unwrap()].clone();
    let again = member(&record(&world));
    assert_eq!(again["manage_key"], member(&after)["manage_key"]);
    assert_ne!(again["work_key"], member(&after)["work_key"]);
}

#[test]
fn another_repository_joins_and_sees_its_own_tasks() {
    let world = World::alone();
    let (first, second) = (repository(&world, "a/parser"), repository(&world, "b/parser"));
    let up = Up::start(&world, &first, "up --listen 127.0.0.1:0");
    let joined = Up::start(&world, world.home(), "up --repo b/parser --agents 2 -- /bin/true -p");
    assert_eq!(joined.url(), up.url());
    assert!(joined.header[1].contains(" · 2 slots · plain · base main@"), "{:?}", joined.header);
    let line = joined.line();
    let id = up.id();
    assert_eq!(line, format!("joined the octopoid up that serves already (process {id})"));
    let (scope, _) = setting(&world, &second, "scope");
    let scope = scope.as_str().unwrap();
    assert!(scope.starts_with("parser-") && scope.len() == 15, "{scope}");
    let renamed = format!("the scope is {scope}: parser is taken, or cannot be a scope");
    assert_eq!(joined.line(), renamed);

    ok_in(&world, &first, "add First");
    ok_in(&world, &second, "add Second");
    assert_eq!(titles(&world, &first), json!([{ "title": "First" }]));
    assert_eq!(titles(&world, &second), json!([{ "title": "Second" }]));
    // The key of one repository does not open the other.
    let key = record(&world)["repositories"][first.to_str().unwrap()]["manage_key"].clone();
    let client = Client::new(&up.url()).unwrap().with_key(key.as_str().unwrap());
    let listed = wait(client.list_tasks(&[("scope", scope)])).unwrap_err();
    assert_eq!(listed.status(), Some(403), "{listed}");
    let other = "up --repo b/parser --listen 127.0.0.1:1";
    let failed = world.fails(4, other);
    assert!(failed.contains("octopoid up already runs for "), "{failed}");

    joined.stop();
    assert_eq!(titles(&world, &first), json!([{ "title": "First" }]));
    let failed = world.fails(4, other);
    assert!(failed.contains("already serves on 127.0.0.1:"), "{failed}");
}

#[test]
fn a_repository_has_one_with_all_its_work_trees() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let linked = world.home().join("linked");
    git(&world, &parser, &["worktree", "add", "-q", "-b", "feature", linked.to_str().unwrap()]);

    let up = Up::start(&world, &linked, "up --listen 127.0.0.1:0");
    assert!(up.header[0].contains(" · parser · "), "{:?}", up.header);
    assert!(up.header[1].contains("base feature@"), "{:?}", up.header);
    ok_in(&world, &linked, "add Work");
    assert_eq!(titles(&world, &parser), json!([{ "title": "Work" }]));
    let ended = run_in(&world, &parser, "up");
    assert_eq!(ended.code, Some(4), "{}", ended.stdout);
    let (root, id) = (parser.display(), up.id());
    let expected = format!("error: octopoid up already runs for {root} (process {id})\n");
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("or kill {id}")), "{}", ended.stderr);
}

#[test]
fn two_that_start_at_once_share_one_server() {
    let world = World::alone();
    let (first, second) = (repository(&world, "first"), repository(&world, "second"));
    let (one, two) = thread::scope(|scope| {
        let one = scope.spawn(|| Up::start(&world, &first, "up"));
        let two = scope.spawn(|| Up::start(&world, &second, "up"));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.url(), two.url());
    let joined = [&one, &two].map(|up| up.line().starts_with("joined "));
    assert_eq!(joined.iter().filter(|joined| **joined).count(), 1);
}

#[test]
fn the_one_that_joined_takes_the_place_of_the_one_that_served() {
    let world = World::alone();
    let (first, second) = (repository(&world, "first"), repository(&world, "second"));
    for signal in [Signal::KILL, Signal::TERM] {
        let mut up = Up::start(&world, &first, "up --listen 127.0.0.1:0");
        let joined = Up::start(&world, &second, "up");
        assert!(joined.line().starts_with("joined "));
        assert!(joined.line().starts_with("no agents"));
        ok_in(&world, &second, "add Work");
        up.signal(signal);
        up.end();
        // Meanwhile the runner may say that the server is away.
        let said = || loop {
            let line = joined.line();
            if !line.contains("  offline ") {
                break line;
            }
        };
        assert_eq!(said(), "the octopoid up that served has ended: taking its place");
        assert_eq!(said(), format!("this octopoid up serves now: {}/", up.url()));
        ok_in(&world, &second, "add More");
        // The first repository comes back to the same server.
        let again = Up::start(&world, &first, "up");
        assert_eq!(again.url(), joined.url());
        again.stop();
        joined.stop();
    }
    let _up = Up::start(&world, &second, "up --listen 127.0.0.1:0");
    assert_eq!(titles(&world, &second).as_array().unwrap().len(), 4);
}

#[test]
fn a_port_that_is_taken_is_passed_over_unless_it_is_named() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    // Another program may have it already, which is as good.
    let _taken = TcpListener::bind("127.0.0.1:8787");
    let up = Up::start(&world, &parser, "up");
    let port: u16 = up.url().rsplit_once(':').unwrap().1.parse().unwrap();
    assert!((8788..8887).contains(&port), "{port}");
    ok_in(&world, &parser, "add Work");
    up.stop();

    let named = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = named.local_addr().unwrap();
    let ended = run_in(&world, &parser, &format!("up --listen {address}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}: ")), "{}", ended.stderr);
    assert!(ended.stderr.contains("leave --listen out"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_stops_at_once() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let mut up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    assert!(up.line().starts_with("no agents"));
    // A request whose body never ends keeps the server for a while.
    let key = record(&world)["repositories"][parser.to_str().unwrap()]["work_key"].clone();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        key.as_str().unwrap()
    );
    let mut open = TcpStream::connect(up.url().replace("http://", "")).unwrap();
    open.write_all(head.as_bytes()).unwrap();
    // It is asked for once the request is being read.
    open.read_exact(&mut [0; 25]).unwrap();
    up.signal(Signal::TERM);
    assert!(up.error_line().starts_with("draining: no more tasks"));
    // The server is being stopped when it accepts no connection any more.
    let address = up.url().replace("http://", "");
    until(|| TcpStream::connect(&address).is_err());
    up.signal(Signal::TERM);
    assert_eq!(up.end().code(), Some(130));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let world = World::alone();
    let error = world.fails(2, "up");
    assert!(error.contains("is not in a git repository"), "{error}");
    assert!(error.contains("git init") && error.contains("--repo PATH"), "{error}");
    let error = world.fails(2, "up --repo none");
    assert!(error.contains("cannot use the folder none: "), "{error}");
    let error = world.fails(2, "up --agents 2");
    assert!(error.contains("COMMAND"), "{error}");
    world.fails(2, "up --agents 0 -- true");
    let parser = repository(&world, "parser");
    fs::create_dir_all(world.home().join(".local/share")).unwrap();
    fs::write(world.home().join(".local/share/octopoid"), "").unwrap();
    let ended = run_in(&world, &parser, "up");
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("cannot use the data folder "), "{}", ended.stderr);
    assert!(ended.stderr.contains("XDG_DATA_HOME"), "{}", ended.stderr);
}

#[test]
fn what_names_another_server_goes_before() {
    let world = World::alone();
    let parser = repository(&world, "parser");
    let _up = Up::start(&world, &parser, "up --listen 127.0.0.1:0");
    let other = World::new();
    let ask = |command: &mut Command| finish(command.current_dir(&parser)).stdout;
    let mut show = world.command("config show -o json");
    let shown: Value =
        serde_json::from_str(&ask(show.env("OCTOPOID_SERVER", other.url()))).unwrap();
    let value = |name: &str| {
        let settings = shown["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((value("server"), value("key")), (json!(other.url()), json!(null)));
    assert_eq!(value("flow"), json!(null));
    ask(world.command("add There").env("OCTOPOID_SERVER", other.url()));
    assert_eq!(other.json("task list --scope parser --json title"), json!([{ "title": "There" }]));
    assert_eq!(titles(&world, &parser), json!([]));
}
