//! Repositories for tests.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};

use octopoid_runner::workspace::{Evidence, Isolation, Options, Place, Submitted, Tree};
use tempfile::TempDir;

/// The first argument of this program when it only holds a tree.
const HOLD: &str = "hold-a-tree";

/// A repository with one commit on `main`, and a folder for its trees beside it.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) repo: PathBuf,
    pub(crate) root: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap().join("a b \"ü\"\nc");
        let (repo, root) = (home.join("rép o"), home.join("träes"));
        fs::create_dir_all(&repo).unwrap();
        start(&repo);
        Self { dir, repo, root }
    }

    /// A folder of this world that does not exist yet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            root: self.root.clone(),
            isolation: Isolation::Worktree,
            base: None,
            branch_prefix: "agent/".to_owned(),
            include: ".worktreeinclude".into(),
            remote: None,
        }
    }

    pub(crate) async fn place(&self) -> Place {
        self.place_with(|_| {}).await
    }

    pub(crate) async fn place_with(&self, change: impl FnOnce(&mut Options)) -> Place {
        let mut options = self.options();
        change(&mut options);
        Place::open(&self.repo, options).await.unwrap()
    }

    /// Runs a line of shell in the repository.
    pub(crate) fn sh(&self, line: &str) -> String {
        sh(&self.repo, line)
    }

    /// Makes the repository a clone's source: adds a bare remote `origin` that has `main`.
    pub(crate) fn with_remote(&self) -> PathBuf {
        let remote = self.path("remote.git");
        let place = remote.to_str().unwrap();
        self.sh(&format!("git init -q --bare '{place}' && git remote add origin '{place}'"));
        self.sh("git push -q origin main && git fetch -q origin");
        remote
    }

    /// Another machine's clone of the remote, and its place for trees.
    pub(crate) async fn other_machine(&self, remote: &Path) -> (PathBuf, Place) {
        let repo = self.path("other machine");
        let (from, to) = (remote.to_str().unwrap(), repo.to_str().unwrap());
        self.sh(&format!("git clone -q '{from}' '{to}'"));
        identify(&repo);
        let mut options = self.options();
        options.root = self.path("other trees");
        options.remote = Some("origin".to_owned());
        let place = Place::open(&repo, options).await.unwrap();
        (repo, place)
    }
}

fn start(repo: &Path) {
    sh(repo, "git init -q .");
    identify(repo);
    write(repo, "file", "one\n");
    commit(repo, "Start");
}

pub(crate) fn identify(repo: &Path) {
    sh(repo, "git config user.name Tester && git config user.email tester@localhost");
}

/// A small repository to be a submodule. Gives its address.
pub(crate) fn library(world: &World) -> String {
    let path = world.path("lib");
    fs::create_dir_all(&path).unwrap();
    start(&path);
    path.to_str().unwrap().to_owned()
}

/// Runs a line of shell that must succeed, and gives what it prints.
pub(crate) fn sh(dir: &Path, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(dir).output().unwrap();
    let (stdout, stderr) = (output.stdout, output.stderr);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim_end().to_owned()
}

pub(crate) fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

/// Commits everything and gives the commit.
pub(crate) fn commit(dir: &Path, message: &str) -> String {
    sh(dir, &format!("git add -A && git commit -qm '{message}' && git rev-parse HEAD"))
}

/// Writes and commits one file.
pub(crate) fn change(dir: &Path, name: &str, text: &str) -> String {
    write(dir, name, text);
    commit(dir, &format!("Change {name}"))
}

pub(crate) fn head(dir: &Path) -> String {
    sh(dir, "git rev-parse HEAD")
}

/// The commit of a branch, or nothing if there is no such branch.
pub(crate) fn branch(dir: &Path, name: &str) -> String {
    sh(dir, &format!("git rev-parse --verify -q 'refs/heads/{name}' || true"))
}

/// What a runner would hand in.
pub(crate) fn submitted(tree: &Tree, evidence: Evidence) -> Submitted {
    Submitted {
        base: None,
        branch: tree.branch.clone(),
        base_sha: Some(evidence.base_sha),
        head_sha: Some(evidence.head_sha),
        patch: evidence.patch,
        is_patch_truncated: evidence.is_patch_truncated,
    }
}

/// Another process that works in a tree until it is killed.
pub(crate) struct Holder {
    child: Child,
    pub(crate) path: PathBuf,
}

impl Holder {
    pub(crate) fn start(world: &World, task_id: &str) -> Self {
        let mut itself = Command::new(env::current_exe().unwrap());
        itself.arg(HOLD).arg(&world.repo).arg(&world.root).arg(task_id);
        let mut child = itself.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut path = Vec::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_until(0, &mut path).unwrap();
        assert_eq!(path.pop(), Some(0), "the other process has a tree");
        Self { child, path: String::from_utf8(path).unwrap().into() }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn arguments_of_holder() -> Option<Vec<OsString>> {
    let mut arguments = env::args_os().skip(1);
    (arguments.next()? == HOLD).then(|| arguments.collect())
}

/// Takes a tree, prints its path and a zero byte, and holds it until standard input ends.
pub(crate) fn hold(arguments: Vec<OsString>) -> ExitCode {
    let [repo, root, task_id] = arguments.try_into().unwrap();
    let options = Options {
        root: root.into(),
        isolation: Isolation::Worktree,
        base: None,
        branch_prefix: "agent/".to_owned(),
        include: ".worktreeinclude".into(),
        remote: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tree = runtime.block_on(async {
        let place = Place::open(Path::new(&repo), options).await.unwrap();
        place.work(task_id.to_str().unwrap(), None).await.unwrap()
    });
    let mut stdout = std::io::stdout();
    write!(stdout, "{}\0", tree.path.display()).unwrap();
    stdout.flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    ExitCode::SUCCESS
}
