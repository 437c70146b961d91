//! What the runner adds to an agent: time and memory, and how many agents fit on one machine.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use octopoid_client::Client;
use octopoid_domain::{
    input::{Id, Prose, Text},
    task::NewTask,
};
use octopoid_testbed::Server;

use super::{Bench, measure::median, report::Report};
use crate::{
    clock::{now, pause},
    processes,
    server::{OCTOPOID, binary},
};

/// How many runs of an agent that does nothing are measured.
const RUNS: usize = 40;
/// How many agents run at the same time.
const SLOTS: usize = 50;
/// The same, as the runner's heartbeats say it.
const SLOTS_SAID: i64 = 50;
/// How long something may take.
const LIMIT: Duration = Duration::from_mins(3);
/// The scope of the tasks.
const SCOPE: &str = "bench";

/// An agent that says at once that there was nothing to change.
const NOTHING: &str = "echo no_change > \"$OCTOPOID_OUTCOME_FILE\"";

/// Measures all there is to say about agents.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::new(bench, binary(OCTOPOID)?)?;
    site.time(report)?;
    site.memory(report)
}

/// A server, a repository, and a home for runners.
struct Site<'a> {
    bench: &'a Bench,
    octopoid: PathBuf,
    server: Server,
    home: PathBuf,
}

/// A runner, which is killed with its value.
struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'a> Site<'a> {
    fn new(bench: &'a Bench, octopoid: PathBuf) -> anyhow::Result<Self> {
        let home = bench.folder.path().join("home");
        let site =
            Self { bench, octopoid, server: bench.server(&bench.database("agents.db"))?, home };
        fs::create_dir_all(site.repository())?;
        site.git(&["init", "-q"])?;
        site.git(&["commit", "-q", "--allow-empty", "-m", "Start"])?;
        Ok(site)
    }

    fn repository(&self) -> PathBuf {
        self.home.join("repository")
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Bench", "-c", "user.email=bench@octopoid.invalid"]);
        git.args(arguments).current_dir(self.repository()).env("HOME", &self.home);
        ensure!(git.status().context("git cannot be started")?.success(), "git {arguments:?}");
        Ok(())
    }

    /// Adds tasks, and returns their ids.
    fn add(&self, prefix: &str, count: usize) -> anyhow::Result<Vec<String>> {
        let client = self.client()?;
        self.bench.load.block_on(async {
            let mut ids = Vec::new();
            for number in 0..count {
                let id = format!("{prefix}-{number}");
                let new = NewTask {
                    id: Id(Some(id.clone())),
                    title: Prose(Some("Do nothing".to_owned())),
                    file_path: Text(Some(format!("tasks/{id}.md"))),
                    branch: Text(Some("main".to_owned())),
                    ..NewTask::default()
                };
                client.create_task(&new).await?;
                ids.push(id);
            }
            Ok(ids)
        })
    }

    fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&format!("http://{}", self.server.address))?.with_scope(SCOPE))
    }

    /// Starts a runner with an agent that is a shell command.
    fn run(&self, flags: &[&str], agent: &str) -> anyhow::Result<Runner> {
        let mut command = Command::new(&self.octopoid);
        command.env_clear().env("HOME", &self.home).env("PATH", path());
        command.env("OCTOPOID_SERVER", format!("http://{}", self.server.address));
        command.env("OCTOPOID_SCOPE", SCOPE).args(["agent", "run"]).args(flags);
        command.args(["--", "sh", "-c", agent]).current_dir(self.repository());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        Ok(Runner(command.spawn()?))
    }

    /// Waits for a condition.
    fn until(&self, condition: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = now() + LIMIT;
        while !condition()? {
            ensure!(now() < deadline, "timed out");
            self.bench.load.block_on(pause(Duration::from_millis(50)));
        }
        Ok(())
    }

    /// How long a run of an agent that does nothing takes, from the claim to the submit, beside the
    /// command itself.
    fn time(&self, report: &mut Report) -> anyhow::Result<()> {
        report.progress("runs of an agent that does nothing");
        let ids = self.add("time", RUNS)?;
        let count = RUNS.to_string();
        let mut runner = self.run(&["--max-tasks", &count], NOTHING)?;
        ensure!(runner.0.wait()?.success(), "the runner failed");
        let client = self.client()?;
        let mut runs = Vec::new();
        for id in &ids {
            let listed = self.bench.load.block_on(client.list_task_runs(id, &[]))?;
            let run = listed.items.first().context("a task without a run")?;
            let ended = run.ended_at.context("a run that has not ended")?;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            runs.push((ended.0 - run.started_at.0) as f64);
        }
        let outcome = self.bench.folder.path().join("outcome");
        let mut alone = Vec::new();
        for _ in 0..RUNS {
            let started = now();
            let mut command = Command::new("sh");
            command.args(["-c", NOTHING]).env("OCTOPOID_OUTCOME_FILE", &outcome);
            ensure!(command.status()?.success(), "the agent failed");
            alone.push(started.elapsed().as_secs_f64() * 1e3);
        }
        report.fact("Run of an agent that does nothing, p50", "ms", median(runs));
        report.fact("The same command alone, p50", "ms", median(alone));
        Ok(())
    }

    /// What a running agent takes beside itself, with many at the same time.
    fn memory(&self, report: &mut Report) -> anyhow::Result<()> {
        report.progress(&format!("{SLOTS} agents at the same time"));
        let slots = SLOTS.to_string();
        let go = self.home.join("go");
        let begun = self.home.join("begun");
        fs::create_dir_all(&begun)?;
        let agent = format!(
            "touch '{}'/$OCTOPOID_TASK_ID; while [ ! -e '{}' ]; do sleep 0.5; done; {NOTHING}",
            begun.display(),
            go.display()
        );
        let mut runner = self.run(&["--slots", &slots, "--max-tasks", &slots], &agent)?;
        let id = runner.0.id();
        let client = self.client()?;
        // It has registered, and asks for tasks.
        self.until(|| {
            let machines = self.bench.load.block_on(client.list_orchestrators(&[]))?;
            Ok(machines.items.iter().any(|machine| machine.orchestrator.slots == Some(SLOTS_SAID)))
        })?;
        let idle = memory_mb(id)?;
        let ids = self.add("slot", SLOTS)?;
        self.until(|| Ok(fs::read_dir(&begun)?.count() == SLOTS))?;
        let guards = processes::children(id)?;
        ensure!(guards.len() == SLOTS, "{} guards instead of {SLOTS}", guards.len());
        let of_guards: f64 =
            guards.iter().map(|guard| memory_mb(*guard)).sum::<anyhow::Result<_>>()?;
        let whole = memory_mb(id)? - idle + of_guards;
        #[expect(clippy::cast_precision_loss, reason = "fifty")]
        let slots = SLOTS as f64;
        report.fact("Memory of a runner without a run", "MB", idle);
        report.fact("Memory for each of 50 agents, beside the agent", "MB", whole / slots);
        fs::write(go, "")?;
        ensure!(runner.0.wait()?.success(), "the runner failed");
        for id in ids {
            let task = self.bench.load.block_on(client.get_task(&id))?;
            ensure!(task.queue == "provisional", "{id} is in {}", task.queue);
        }
        Ok(())
    }
}

fn path() -> impl AsRef<OsStr> {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The memory of a process in MB. Pages that it shares with others count in part.
fn memory_mb(id: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("smaps_rollup"))?;
    let line = text.lines().find(|line| line.starts_with("Pss:")).context("no such field")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
