//! `octopoid up`: the server, and agents for the git repository one stands in.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
};

use octopoid_client::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    failure::{Failure, Outcome},
    output::say,
    repository::Repository,
    settings::state_folder,
    up::{Folder, Joined, Service, join},
};

/// The exit code of a second stop signal: that of a program which SIGINT ends.
const STOPPED_AT_ONCE: i32 = 130;

/// How many digits of a commit are shown.
const COMMIT_DIGITS: usize = 7;

/// The arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents work at the same time.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        requires = "command",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    agents: u16,
    /// Address to listen on, for example 0.0.0.0:8787 to let other devices in; they need a key
    /// [default: 127.0.0.1:8787, or the next port that is free].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Git repository [default: that of the working directory].
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Command that starts an agent, for example: -- claude -p. Without one there are no agents, and
    /// tasks are claimed by other means.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What the runner of agents works with.
#[expect(dead_code, reason = "the runner, which starts in `run`, reads it")]
pub(crate) struct Agents {
    /// The server, with the key that may work and the scope.
    pub(crate) client: Client,
    /// The scope.
    pub(crate) scope: String,
    /// The repository: its main work tree, and the branch and commit of the place one stands in.
    pub(crate) repository: Repository,
    /// How many agents work at the same time.
    pub(crate) slots: u16,
    /// The command that starts an agent; it has at least one word.
    pub(crate) command: Vec<OsString>,
    /// The folder for what must be remembered.
    pub(crate) state: PathBuf,
}

impl Args {
    /// Runs the command until it is stopped, with a runtime of its own.
    pub(crate) fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|error| Failure::other(error.to_string()))?.block_on(self.up())
    }

    async fn up(&self) -> Outcome {
        let repository = self.repository()?;
        let state = state_folder()?;
        let folder = Folder::at_home()?;
        folder.prepare()?;
        let _own = folder.lock_repository(&repository.root)?;
        // Before anything is served, so that a signal never ends the process without stopping it.
        let (stop, stopping) = watch::channel(false);
        stop_on_signals(stop.clone())
            .map_err(|error| Failure::other(format!("cannot listen for signals: {error}")))?;
        let mut service = Service::start(&folder, self.listen).await?;
        let joined = match join(&folder, service.address(), &repository).await {
            Ok(joined) => joined,
            Err(failure) => {
                service.stop().await?;
                return Err(failure);
            }
        };
        tell(&self.header(&folder, &service, &joined, &repository));
        let outcome = {
            let agents = self.agents(joined, repository, state);
            let run = run(agents, stopping);
            tokio::pin!(run);
            tokio::select! {
                outcome = &mut run => outcome,
                lost = service.keep(tell) => {
                    // Without a server agents are stopped as by a signal.
                    let _ = stop.send(true);
                    let _ = run.await;
                    lost.map(|never| match never {})
                }
            }
        };
        let stopped = service.stop().await;
        outcome.and(stopped)
    }

    fn repository(&self) -> Outcome<Repository> {
        let given = self.repo.clone().unwrap_or_else(|| PathBuf::from("."));
        let path = given.canonicalize().map_err(|error| {
            Failure::usage(format!("cannot use the folder {}: {error}", given.display()))
        })?;
        Repository::of(&path).ok_or_else(|| {
            Failure::usage(format!("{} is not in a git repository", path.display()))
                .remedy("git init makes it one")
                .remedy("another repository: octopoid up --repo PATH")
        })
    }

    /// What the runner works with, if there is a command.
    fn agents(&self, joined: Joined, repository: Repository, state: PathBuf) -> Option<Agents> {
        (!self.command.is_empty()).then(|| Agents {
            client: joined.worker,
            scope: joined.member.scope,
            repository,
            slots: self.agents,
            command: self.command.clone(),
            state,
        })
    }

    /// What is printed once everything is there.
    fn header(
        &self,
        folder: &Folder,
        service: &Service,
        joined: &Joined,
        repository: &Repository,
    ) -> String {
        let (version, scope) = (env!("CARGO_PKG_VERSION"), &joined.member.scope);
        let mut lines = vec![format!("octopoid {version} · {scope} · {}/", service.address().url)];
        let mut parts = vec![format!("data {}", at_home(&folder.database()))];
        if let Some(program) = self.command.first() {
            let slots = if self.agents == 1 { "slot" } else { "slots" };
            parts.push(format!("{} {slots}", self.agents));
            let name = Path::new(program).file_name().unwrap_or(program);
            parts.push(name.display().to_string());
        }
        parts.push(base(repository));
        lines.push(parts.join(" · "));
        if !service.is_here() {
            let process = folder.server_process();
            let by = process.map(|process| format!(" (process {process})")).unwrap_or_default();
            lines.push(format!("joined the octopoid up that serves already{by}"));
        }
        if joined.is_renamed {
            let name = &repository.name;
            lines.push(format!("the scope is {scope}: {name} is taken, or cannot be a scope"));
        }
        if self.command.is_empty() {
            lines.push("no agents; to start some: octopoid up --agents 3 -- claude -p".to_owned());
        }
        lines.join("\n")
    }
}

/// Runs agents until there is a stop signal. The first one lets those that work finish.
async fn run(agents: Option<Agents>, mut stopping: watch::Receiver<bool>) -> Outcome {
    let _agents = agents;
    // The sender lives as long as the process.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    Ok(())
}

/// The first signal drains, the second ends the process.
fn stop_on_signals(stop: watch::Sender<bool>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell("stopping; once more stops at once");
        let _ = stop.send(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        process::exit(STOPPED_AT_ONCE);
    });
    Ok(())
}

/// Says something. A terminal that has gone is no reason to stop.
fn tell(text: &str) {
    let _ = say(text);
}

/// The branch on which work is based, and its commit.
fn base(repository: &Repository) -> String {
    let commit = repository.commit.as_ref().map(|commit| &commit[..COMMIT_DIGITS]);
    let at = commit.map(|commit| format!("@{commit}"));
    format!("base {}{}", repository.branch, at.unwrap_or_default())
}

/// A path, shortened if it is below the home folder.
fn at_home(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}
