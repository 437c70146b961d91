//! A server, a repository, and runners that work on it.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use octopoid_client::{Client, Query};
use octopoid_domain::{
    Millis, TaskView,
    run::{RunDetails, RunView},
};
use octopoid_testbed::Server;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::program::{Ended, World, finish, wait};

/// How long something may take on a machine that is busy with something else.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// The time between two looks at a condition.
const LOOK: Duration = Duration::from_millis(30);

/// The variable that marks the processes of a run.
const MARK: &str = "OCTOPOID_RUN_MARK=";

/// Does the work: a file with the name of the task, in a commit.
pub(crate) const WORK: &str = "\
echo work > \"$OCTOPOID_TASK_ID.txt\"
git add -A
git commit --quiet -m Work
";

/// Starts a command in a session of its own, on systems that have no such program.
const SETSID: &str = "\
command -v setsid > /dev/null || setsid() { perl -MPOSIX -e 'setsid; exec @ARGV' -- \"$@\"; }
";

/// Waits for a condition. `what` is what is waited for.
#[expect(clippy::disallowed_methods, reason = "other processes can only be looked at again")]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "there is no end of waiting for {what}");
        thread::sleep(LOOK);
    }
}

/// A home folder with a server and a repository.
pub(crate) struct Site {
    world: World,
    server: Option<Server>,
    address: String,
    options: String,
    /// Runs commands and runners with this key.
    pub(crate) key: Option<String>,
    /// More variables for commands and runners.
    pub(crate) variables: Vec<(String, String)>,
    /// The repository.
    pub(crate) repository: PathBuf,
}

impl Site {
    /// With a server that needs no key.
    pub(crate) fn new() -> Self {
        Self::serving("")
    }

    /// With a server that is started with more options.
    pub(crate) fn serving(options: &str) -> Self {
        let world = World::alone();
        let repository = world.home().join("repository");
        let mut site = Self {
            world,
            server: None,
            address: "127.0.0.1:0".to_owned(),
            options: options.to_owned(),
            key: None,
            variables: Vec::new(),
            repository,
        };
        site.make_repository();
        site.start_server();
        site
    }

    fn make_repository(&self) {
        fs::create_dir_all(&self.repository).unwrap();
        fs::write(self.repository.join("README.md"), "A repository\n").unwrap();
        for line in [
            "init --quiet --initial-branch main",
            "config user.name Tester",
            "config user.email tester@example.com",
            "add README.md",
            "commit --quiet -m Begin",
        ] {
            self.git(line);
        }
    }

    /// Starts the server; the same port and database as before, if it ran before.
    pub(crate) fn start_server(&mut self) {
        let database = self.home().join("server.db");
        let line = format!(
            "serve --listen {} --database sqlite:{} --reap-interval 1s {}",
            self.address,
            database.display(),
            self.options
        );
        let secret = ("API_SECRET_KEY", ADMINISTRATOR);
        // The port of a server that was killed may be in use for a moment.
        let server = until("a server that starts", || {
            let mut command = self.world.command(&line);
            command.envs([secret]).stderr(Stdio::null());
            Server::start(&mut command, std::io::sink()).ok()
        });
        self.address.clone_from(&server.address);
        self.server = Some(server);
    }

    /// Kills the server, as a power cut would.
    pub(crate) fn kill_server(&mut self) {
        self.server = None;
    }

    pub(crate) fn home(&self) -> &Path {
        self.world.home()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The program with the arguments of this line, in the repository.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.world.command(line);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.home().join("bin").display()));
        command.envs([("OCTOPOID_SERVER", &*self.url()), ("OCTOPOID_USER", "alice")]);
        match &self.key {
            Some(key) => command.env("OCTOPOID_KEY", key),
            None => command.env("OCTOPOID_SCOPE", "demo"),
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.repository);
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ended {
        finish(&mut self.command(line))
    }

    /// What a line prints that succeeds.
    pub(crate) fn ok(&self, line: &str) -> String {
        self.run(line).ok(line)
    }

    /// The JSON that a line prints which succeeds.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.run(line).json(line)
    }

    /// Adds a task, and returns its id. The line goes behind `add`.
    pub(crate) fn add(&self, line: &str) -> String {
        self.ok(&format!("add -q {line}")).trim_end().to_owned()
    }

    /// What git prints in the repository.
    pub(crate) fn git(&self, line: &str) -> String {
        let mut command = Command::new("git");
        command.env("HOME", self.home()).current_dir(&self.repository);
        let ended = finish(command.args(line.split_whitespace()));
        assert_eq!(ended.code, Some(0), "git {line}: {}", ended.stderr);
        ended.stdout
    }

    /// The subjects of the commits that a task's branch has beyond `main`.
    pub(crate) fn commits(&self, id: &str) -> Vec<String> {
        let log = self.git(&format!("log --format=%s main..agent/{id}"));
        log.lines().map(str::to_owned).collect()
    }

    /// The work tree of a task.
    pub(crate) fn tree(&self, id: &str) -> PathBuf {
        self.tree_of(id).unwrap()
    }

    /// The work tree of a task, if it is there.
    pub(crate) fn tree_of(&self, id: &str) -> Option<PathBuf> {
        let root = self.home().join(".local/share/octopoid/worktrees");
        let folder = fs::read_dir(root).ok()?.next()?.ok()?.path();
        Some(folder.join(id)).filter(|tree| tree.exists())
    }

    /// Writes a shell script in the folder of programs, and returns the command that runs it.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        let bin = self.home().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let (source, path) = (bin.join(format!("{name}.sh")), bin.join(name));
        fs::write(&source, format!("#!/bin/sh\nset -eu\n{SETSID}{text}")).unwrap();
        // Made by another process: a file that this one has open for writing, or a child that it
        // starts meanwhile, cannot be executed.
        let mut install = Command::new("install");
        assert_eq!(finish(install.args(["-m", "755"]).args([&source, &path])).code, Some(0));
        path.display().to_string()
    }

    /// Starts `agent run` with these flags, and the text of a script as the agent.
    pub(crate) fn start(&self, flags: &str, agent: &str) -> Runner {
        let command = self.script(&format!("agent-{}", unique()), agent);
        self.start_command(&format!("{flags} -- {command}"))
    }

    /// Starts `agent run` with these flags and command.
    pub(crate) fn start_command(&self, line: &str) -> Runner {
        let log = self.home().join(format!("runner-{}.log", unique()));
        let file = File::create(&log).unwrap();
        let mut command = self.command(&format!("agent run -o ndjson {line}"));
        command.stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        Runner { child: command.spawn().unwrap(), log }
    }

    /// Runs `agent run --once` on one task, to its end. Returns its run and the task.
    pub(crate) fn once(&self, flags: &str, agent: &str) -> (TaskView, RunDetails) {
        let id = self.add("Work");
        self.again(&id, flags, agent)
    }

    /// Runs `agent run --once` on a task that waits, also for the end of a delay.
    pub(crate) fn again(&self, id: &str, flags: &str, agent: &str) -> (TaskView, RunDetails) {
        self.undelay(id);
        let mut runner = self.start(&format!("--once {flags}"), agent);
        runner.ends_well();
        (self.task(id), self.last_run(id))
    }

    /// Ends the delay of a task that has failed.
    pub(crate) fn undelay(&self, id: &str) {
        let patch = serde_json::json!({ "not_before": null });
        wait(self.client().update_task(id, &patch)).unwrap();
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> Client {
        let client = Client::new(&self.url()).unwrap();
        match &self.key {
            Some(key) => client.with_key(key),
            None => client.with_scope("demo"),
        }
    }

    pub(crate) fn task(&self, id: &str) -> TaskView {
        wait(self.client().get_task(id)).unwrap()
    }

    /// The runs of a task, the oldest first.
    pub(crate) fn runs(&self, id: &str) -> Vec<RunView> {
        let query: Query<'_> = &[];
        let mut runs = wait(self.client().list_task_runs(id, query)).unwrap().items;
        runs.reverse();
        runs
    }

    pub(crate) fn last_run(&self, id: &str) -> RunDetails {
        let last = self.runs(id).pop().unwrap();
        wait(self.client().get_run(id, last.run)).unwrap()
    }

    /// Waits until a run has reported both its progress and a checkpoint.
    pub(crate) fn reported(&self, id: &str) -> RunDetails {
        until("progress and a checkpoint", || {
            self.runs(id).pop()?.progress?;
            Some(self.last_run(id)).filter(|run| !run.checkpoint.is_null())
        })
    }

    /// The log of the last run of a task, as the server has it.
    pub(crate) fn log(&self, id: &str) -> String {
        let run = self.runs(id).pop().unwrap().run;
        self.ok(&format!("task log {id} --run {run}"))
    }

    /// Waits until a task is in a queue.
    pub(crate) fn reaches(&self, id: &str, queue: &str) -> TaskView {
        until(&format!("task {id} in {queue}"), || {
            let task = self.task(id);
            (task.queue == queue).then_some(task)
        })
    }

    /// Waits until a file in the home folder is there, and returns its text.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.home().join(name);
        until(name, || fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
    }

    /// The command lines of all processes that belong to runs of this home, with their environments.
    pub(crate) fn processes(&self) -> Vec<String> {
        let home = format!("HOME={}", self.home().display());
        let environments = if cfg!(target_os = "macos") { "-AEww" } else { "axeww" };
        let mut ps = Command::new("/bin/ps");
        let listed = ps.args([environments, "-o", "pid=,stat=,command="]).output().unwrap().stdout;
        let listed = String::from_utf8_lossy(&listed);
        let is_meant = |line: &&str| line.contains(MARK) && line.contains(&home);
        listed.lines().filter(is_meant).map(str::to_owned).collect()
    }

    /// The same without the guards, which end after what they report.
    pub(crate) fn processes_but_guards(&self) -> Vec<String> {
        let mut processes = self.processes();
        processes.retain(|line| !line.contains(" agent guard"));
        processes
    }

    /// The folder of the only run that goes on.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let folders = fs::read_dir(self.home().join(".local/state/octopoid/runs")).unwrap();
        let folders = folders.map(|entry| entry.unwrap().path());
        folders.filter(|folder| folder.join("run.json").exists()).last().unwrap()
    }

    /// What is kept of it.
    pub(crate) fn run_record(&self) -> Value {
        serde_json::from_slice(&fs::read(self.run_folder().join("run.json")).unwrap()).unwrap()
    }

    /// Waits until no process of a run is left.
    pub(crate) fn is_empty(&self) {
        until("the end of all processes of runs", || self.processes().is_empty().then_some(()));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if thread::panicking() {
            for entry in fs::read_dir(self.home()).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with("runner-") {
                    let text = fs::read_to_string(entry.path()).unwrap_or_default();
                    eprintln!("{}:\n{text}", entry.path().display());
                }
            }
        } else {
            self.is_empty();
        }
    }
}

/// The administrator's token of every server here.
pub(crate) const ADMINISTRATOR: &str = "the-administrators-token";

/// The time of the clock that the server goes by.
#[expect(clippy::disallowed_methods, reason = "a lease ends by this clock")]
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Millis(i64::try_from(since.as_millis()).unwrap())
}

/// A number that no other call gets.
fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A running `agent run`. It is killed with its guard.
pub(crate) struct Runner {
    child: Child,
    log: PathBuf,
}

impl Runner {
    /// Sends a signal to its process group, as a terminal does.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it, as running out of memory would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has printed.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has printed a text.
    pub(crate) fn prints(&self, text: &str) {
        until(&format!("a runner that prints {text}"), || {
            self.printed().contains(text).then_some(())
        });
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let child = &mut self.child;
        until("the end of a runner", || child.try_wait().unwrap()).code()
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn ends_well(&mut self) {
        let code = self.code();
        assert_eq!(code, Some(0), "{}", self.printed());
    }

    /// Drains it, and waits for its end.
    pub(crate) fn drain(&mut self) {
        self.signal(Signal::INT);
        self.ends_well();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
