//! A machine: a home folder with a repository, in which the runner works.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use octopoid_client::Client;
use octopoid_domain::{
    TaskView,
    flow::NewFlow,
    run::{Kind, RunDetails},
};
use serde_json::{Value, json};

use crate::program::{Ended, World, finish, wait};

/// The flow of tasks that are reviewed and merged, as `octopoid up` registers it.
pub(crate) const FLOW: &str = "octopoid";

/// A home folder with a repository. Several may have the same server.
pub(crate) struct Machine<'a> {
    pub(crate) world: &'a World,
    /// The home folder.
    pub(crate) home: PathBuf,
    /// The repository.
    pub(crate) repo: PathBuf,
}

/// A machine without a repository.
fn machine<'a>(world: &'a World, name: &str, folder: &str) -> Machine<'a> {
    let home = world.home().canonicalize().unwrap().join(name);
    fs::create_dir(&home).unwrap();
    let settings = "[user]\n\tname = Alice\n\temail = alice@example.org\n\
                    [init]\n\tdefaultBranch = main\n\
                    [protocol \"file\"]\n\tallow = always\n";
    fs::write(home.join(".gitconfig"), settings).unwrap();
    Machine { world, repo: home.join(folder), home }
}

impl<'a> Machine<'a> {
    /// A machine with a new repository: the branch `main` with the file `README.md`.
    pub(crate) fn new(world: &'a World) -> Self {
        Self::at(world, "project")
    }

    /// The same with another name for the repository's folder.
    pub(crate) fn at(world: &'a World, folder: &str) -> Self {
        let machine = machine(world, "alice", folder);
        fs::create_dir(&machine.repo).unwrap();
        machine.git("init --quiet");
        machine.commit("README.md", "A project.\n");
        machine
    }

    /// The same machine in another repository of its user.
    pub(crate) fn beside(&self, folder: &str) -> Self {
        let (home, repo) = (self.home.clone(), self.home.join(folder));
        let machine = Self { world: self.world, home, repo };
        fs::create_dir(&machine.repo).unwrap();
        machine.git("init --quiet");
        machine.commit("README.md", "Another project.\n");
        machine
    }

    /// Another machine, with a clone of a repository.
    pub(crate) fn cloning(world: &'a World, name: &str, origin: &Path) -> Self {
        let machine = machine(world, name, "project");
        let mut clone = machine.program("git");
        clone.args(["clone", "--quiet"]).arg(origin).arg(&machine.repo);
        succeed(clone.current_dir(&machine.home));
        machine
    }

    /// A bare copy of the repository, which is its remote `origin` from now on.
    pub(crate) fn publish(&self) -> PathBuf {
        let bare = self.home.join("origin.git");
        let mut clone = self.program("git");
        succeed(clone.args(["clone", "--quiet", "--bare"]).arg(&self.repo).arg(&bare));
        let mut add = self.program("git");
        succeed(add.args(["remote", "add", "origin"]).arg(&bare));
        self.git("fetch --quiet origin");
        bare
    }

    /// A program with the environment of this machine, in its repository.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().env("HOME", &self.home).env("PATH", self.path());
        command.env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null());
        if self.repo.is_dir() {
            command.current_dir(&self.repo);
        }
        command
    }

    /// The folder `bin` at home, and where the programs of the system are.
    fn path(&self) -> std::ffi::OsString {
        let system = std::env::var_os("PATH").unwrap();
        let own = std::iter::once(self.home.join("bin"));
        std::env::join_paths(own.chain(std::env::split_paths(&system))).unwrap()
    }

    /// What git prints in the repository, without the end of the line. Arguments are parted by
    /// spaces.
    pub(crate) fn git(&self, line: &str) -> String {
        git(self.program("git").args(line.split_whitespace()))
    }

    /// What git prints in another folder.
    pub(crate) fn git_in(&self, folder: &Path, line: &str) -> String {
        git(self.program("git").args(line.split_whitespace()).current_dir(folder))
    }

    /// Writes a file in the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.repo.join(name), text).unwrap();
    }

    /// The text of a file in the repository's checkout.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.repo.join(name)).unwrap()
    }

    /// Commits a file on the branch that is checked out.
    pub(crate) fn commit(&self, name: &str, text: &str) {
        self.write(name, text);
        self.git(&format!("add -- {name}"));
        self.git(&format!("commit --quiet -m {name}"));
    }

    /// The program `octopoid` with the arguments of this line, in the repository.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.world.command(line);
        command.env("HOME", &self.home).env("PATH", self.path()).current_dir(&self.repo);
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// Runs a line to its end.
    pub(crate) fn run(&self, line: &str) -> Ended {
        finish(&mut self.command(line))
    }

    /// What a line prints that succeeds.
    pub(crate) fn ok(&self, line: &str) -> String {
        self.run(line).ok(line)
    }

    /// Writes a shell script, and gives its path. It ends at the first command that fails.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;

        let bin = self.home.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\nset -e\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Runs one task through `octopoid agent run` with these flags and an agent that is this script.
    /// Gives the notices: a word, and what it says.
    pub(crate) fn agent(&self, flags: &str, script: &str) -> Vec<(String, String)> {
        let script = self.script("agent", script);
        self.runner(flags, Some(&script))
    }

    /// The same for one merge.
    pub(crate) fn merge(&self, flags: &str) -> Vec<(String, String)> {
        self.runner(&format!("--merge {flags}"), None)
    }

    fn runner(&self, flags: &str, script: Option<&Path>) -> Vec<(String, String)> {
        let line = format!("agent run --once --idle-exit 30s -o ndjson {flags}");
        let mut command = self.command(&line);
        command.args(script.map(|_| "--")).args(script);
        let ended = finish(&mut command);
        assert_eq!(ended.code, Some(0), "{line}: {}{}", ended.stdout, ended.stderr);
        let notices = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |notice: &Value, name: &str| notice[name].as_str().unwrap().to_owned();
        notices.map(|notice| (text(&notice, "kind"), text(&notice, "text"))).collect()
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> Client {
        self.world.client()
    }

    /// Adds a task with this id to the flow with a merge.
    pub(crate) fn add(&self, id: &str, more: &str) {
        let own = ["incoming", "claimed", "provisional", "approved"];
        let ends = ["needs_continuation", "done", "failed", "cancelled"];
        let body = NewFlow {
            states: json!([own, ends].concat()),
            transitions: json!([
                { "from": "incoming", "to": "claimed" },
                { "from": "claimed", "to": "provisional" },
                { "from": "provisional", "to": "approved" },
                { "from": "approved", "to": "done" },
                { "from": "provisional", "to": "incoming" },
                { "from": "approved", "to": "incoming" },
            ]),
            ..NewFlow::default()
        };
        wait(self.client().put_flow(FLOW, &body)).unwrap();
        self.ok(&format!("add --id {id} --flow {FLOW} {more} 'Task {id}'"));
    }

    /// The task as the server has it.
    pub(crate) fn task(&self, id: &str) -> TaskView {
        wait(self.client().get_task(id)).unwrap()
    }

    /// The queue that a task is in.
    pub(crate) fn queue(&self, id: &str) -> String {
        self.task(id).queue
    }

    /// The last run for work on a task, or of another kind.
    pub(crate) fn last_run(&self, id: &str, kind: Kind) -> RunDetails {
        wait(async {
            let runs = self.client().list_task_runs(id, &[]).await.unwrap().items;
            let last = runs.iter().filter(|run| run.kind == kind).max_by_key(|run| run.run);
            self.client().get_run(id, last.unwrap().run).await.unwrap()
        })
    }

    /// The result of the last run for work.
    pub(crate) fn result(&self, id: &str) -> Value {
        self.last_run(id, Kind::Work).result
    }

    /// The reason and the message with which the last run of this kind has failed.
    pub(crate) fn failure(&self, id: &str, kind: Kind) -> (String, String) {
        let run = self.last_run(id, kind).run;
        (run.reason.unwrap_or_default(), run.message.unwrap_or_default())
    }

    /// Lifts the delay after a failed attempt.
    pub(crate) fn at_once(&self, id: &str) {
        wait(self.client().update_task(id, &json!({ "not_before": null }))).unwrap();
    }

    /// The questions that are open: their ids and texts.
    pub(crate) fn questions(&self) -> Vec<(String, String)> {
        let actions = wait(self.client().list_actions(&[("status", "proposed")])).unwrap().items;
        let actions = actions.into_iter();
        actions.map(|action| (action.id, action.description.unwrap_or_default())).collect()
    }

    /// The work trees beside the repository's own checkout.
    pub(crate) fn trees(&self) -> Vec<PathBuf> {
        let listed = self.git("worktree list --porcelain");
        let paths = listed.lines().filter_map(|line| line.strip_prefix("worktree "));
        paths.skip(1).map(PathBuf::from).collect()
    }
}

fn git(command: &mut Command) -> String {
    succeed(command).trim_end().to_owned()
}

/// What a command prints that succeeds.
pub(crate) fn succeed(command: &mut Command) -> String {
    let ended = finish(command);
    assert_eq!(ended.code, Some(0), "{command:?}: {}{}", ended.stdout, ended.stderr);
    ended.stdout
}

/// Whether one of the notices is this word, and what it says.
pub(crate) fn said<'a>(notices: &'a [(String, String)], kind: &str) -> &'a str {
    let found = notices.iter().find(|(word, _)| word == kind);
    &found.unwrap_or_else(|| panic!("{kind} is not among {notices:?}")).1
}
