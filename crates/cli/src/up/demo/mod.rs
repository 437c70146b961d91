//! `octopoid up --demo`: everything that can happen to a task, without a model. A simulated agent
//! makes real commits in a sample repository; it fails once and asks once, and a simulated person
//! answers, rejects once, and accepts.

pub(crate) mod agent;
mod person;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use octopoid_client::Client;
use octopoid_domain::{
    input::{Id, Prose, Text},
    task::NewTask,
};
use tempfile::TempDir;

use crate::failure::{Failure, Outcome};

pub(crate) use self::person::act;

/// The branch of the sample.
const BRANCH: &str = "main";

/// What the sample has before any task is done.
const README: &str = "# Sample\n\nA small project for `octopoid up --demo`.\n";

/// A task of the demo.
pub(crate) struct DemoTask {
    id: &'static str,
    title: &'static str,
    content: &'static str,
    after: &'static str,
}

/// The tasks, in the order in which they are added.
const TASKS: [DemoTask; 4] = [
    DemoTask {
        id: "greeting",
        title: "Greet the reader",
        content: "Write a greeting to `greeting.txt`.\n\n## Acceptance\n\nThe reader feels welcome.",
        after: "",
    },
    DemoTask {
        id: "licence",
        title: "Add a licence",
        content: "Write the MIT licence's name to `LICENCE`.",
        after: "",
    },
    DemoTask {
        id: "port",
        title: "Choose the port of the server",
        content: "Write the port to `port.txt`. Ask which one it is to be.",
        after: "",
    },
    DemoTask {
        id: "release",
        title: "Write the release notes",
        content: "List in `NOTES.md` what the other tasks have added.",
        after: "greeting,licence,port",
    },
];

/// The folder of a demo: a sample repository, and what the server and the runner keep. It is deleted
/// with the value.
pub(crate) struct Sample {
    folder: TempDir,
}

impl Sample {
    /// Makes the sample repository.
    pub(crate) fn create() -> Outcome<Self> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot make the sample repository: {error}"))
                .remedy("is git installed? is there space in the folder for temporary files?")
        };
        let folder = tempfile::Builder::new().prefix("octopoid-demo-").tempdir().map_err(failed)?;
        let sample = Self { folder };
        let repository = sample.repository();
        fs::create_dir(&repository).map_err(failed)?;
        fs::write(repository.join("README.md"), README).map_err(failed)?;
        let git = |arguments: &[&str]| git(&repository, arguments).map_err(failed);
        git(&["init", "-q"])?;
        // `init -b` needs a newer git than work trees do.
        git(&["symbolic-ref", "HEAD", &format!("refs/heads/{BRANCH}")])?;
        git(&["config", "user.name", "Demo"])?;
        git(&["config", "user.email", "demo@octopoid.invalid"])?;
        git(&["add", "."])?;
        git(&["commit", "-q", "-m", "Start the sample"])?;
        Ok(sample)
    }

    /// The sample repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("sample")
    }

    /// Where the server keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the runner keeps its runs.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The commits on the base branch, the newest first.
    pub(crate) fn commits(&self) -> String {
        let mut log = Command::new("git");
        log.args(["log", "--format=  %h %s", BRANCH]).current_dir(self.repository());
        let output = log.output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim_end().to_owned()
    }
}

/// Adds the tasks.
pub(crate) async fn add_tasks(client: &Client, flow: &str) -> Outcome {
    for task in &TASKS {
        let new = NewTask {
            id: Id(Some(task.id.to_owned())),
            title: Prose(Some(task.title.to_owned())),
            content: Prose(Some(task.content.to_owned())),
            file_path: Text(Some(format!("tasks/{}.md", task.id))),
            branch: Text(Some(BRANCH.to_owned())),
            flow: Text(Some(flow.to_owned())),
            blocked_by: Id(Some(task.after.to_owned()).filter(|ids| !ids.is_empty())),
            ..NewTask::default()
        };
        client.create_task(&new).await?;
    }
    Ok(())
}

/// Runs git in a folder. Hooks and the configuration of the user are left out.
fn git(folder: &Path, arguments: &[&str]) -> std::io::Result<()> {
    let mut command = Command::new("git");
    command.args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in octopoid_runner::git::REDIRECTING {
        command.env_remove(name);
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(std::io::Error::other(format!("git {}: {text}", arguments.join(" "))))
}
