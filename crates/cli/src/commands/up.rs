//! `octopoid up`: the server, and agents for the git repository one stands in.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use octopoid_client::Client;
use octopoid_runner::{
    Stage,
    adapter::Tool,
    config::{Config, Crew, Hand},
    notice::Notices,
    shown, workspace,
};
use tokio::sync::watch;

use crate::{
    board::Link,
    commands::agent::{self, Flags, Place, Words, control},
    failure::{Failure, Outcome},
    output::{Output, OutputFlags, say, say_aside},
    repository::{Repository, host},
    up::{Folder, Joined, Service, demo, demo::Sample, join},
};

/// The exit code of a second stop signal while the server stops: that of a program which SIGINT ends.
const STOPPED_AT_ONCE: i32 = 130;

/// How many digits of a commit are shown.
const COMMIT_DIGITS: usize = 7;

/// The arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents work at the same time [default: 1].
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    agents: Option<u16>,
    /// Address to listen on, for example 0.0.0.0:8787 to let other devices in; they need a key
    /// [default: 127.0.0.1:8787, or the next port that is free].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Git repository [default: that of the working directory].
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Show what can happen to a task: a simulated agent works in a sample repository, with a server
    /// and data of its own, and everything ends by itself.
    #[arg(long, conflicts_with_all = ["repo", "command", "listen"])]
    demo: bool,
    /// With --demo: leave the decisions to you, on the board, until you stop it.
    #[arg(long, requires = "demo")]
    by_hand: bool,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    words: Words,
    #[command(flatten)]
    output: OutputFlags,
}

impl Args {
    /// Runs the command until it is stopped, with a runtime of its own.
    pub(crate) fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|error| Failure::other(error.to_string()))?.block_on(self.up())
    }

    async fn up(&self) -> Outcome {
        let (stages, mut stage) = control()?;
        if self.demo {
            return self.demo(&stages, stage).await;
        }
        if self.words.command.is_empty() && self.agents.is_some() {
            return Err(Failure::usage("--agents needs a COMMAND that starts an agent")
                .remedy("write it behind --, for example: octopoid up --agents 3 -- claude -p"));
        }
        let tell = self.teller();
        let repository = agent::repository(self.repo.as_ref())?;
        let notices = agent::show(&Output::new(&self.output))?;
        let (tool, command) = self.flags.agent_that_exists(&self.words.command)?;
        let folder = Folder::at_home()?;
        let _own = folder_for(&folder, &repository)?;
        // Before there is a server: a repository without a commit cannot be worked in.
        let options = agent::options(&self.flags, &repository.root)?;
        let place = agent::open(&repository.root, options).await?;
        let mut service = Service::start(&folder, self.listen).await?;
        let prepared = async {
            let joined = join(&folder, service.address(), &repository).await?;
            let config = self.config(&joined, &service, &repository, (tool, command.clone()))?;
            let link = link(&service, &joined).await?;
            Ok((joined, config, link))
        };
        let (joined, config, link) = match prepared.await {
            Ok(prepared) => prepared,
            Err(failure) => {
                service.stop().await?;
                return Err(failure);
            }
        };
        tell(&self.header(&link, (&folder, &service), &joined, &repository, (tool, &command)));
        for warning in self.flags.warnings(tool, &command) {
            tell(&format!("warning: {warning}"));
        }
        let outcome = {
            let run = run_agents(config, place, notices, stage.clone());
            tokio::pin!(run);
            tokio::select! {
                outcome = &mut run => outcome,
                lost = service.keep(tell) => {
                    // Without a server agents are stopped as by a signal.
                    stages.send_replace(Stage::Stopping);
                    let _ = run.await;
                    lost.map(|never| match never {})
                }
            }
        };
        let is_stopping = *stage.borrow() == Stage::Stopping;
        let stopped = tokio::select! {
            stopped = service.stop() => stopped,
            // Requests in flight are not waited for if the user does not want to wait.
            _ = stage.wait_for(|stage| *stage == Stage::Stopping), if !is_stopping => {
                std::process::exit(STOPPED_AT_ONCE)
            }
        };
        outcome.and(stopped)
    }

    /// Shows everything with a simulated agent and a simulated person.
    async fn demo(&self, stages: &watch::Sender<Stage>, stage: watch::Receiver<Stage>) -> Outcome {
        let tell = self.teller();
        let notices = agent::show(&Output::new(&self.output))?;
        let sample = Sample::create()?;
        let repository = Repository::of(&sample.repository())
            .ok_or_else(|| Failure::other("the sample repository cannot be read"))?;
        let folder = Folder::at(sample.data());
        let _own = folder_for(&folder, &repository)?;
        let service = Service::start(&folder, Some(([127, 0, 0, 1], 0).into())).await?;
        let outcome = async {
            let joined = join(&folder, service.address(), &repository).await?;
            let this =
                std::env::current_exe().map_err(|error| Failure::other(error.to_string()))?;
            let mut command = vec![this.into(), "agent".into(), "simulate".into()];
            if self.by_hand {
                command.push(demo::agent::SLOWLY.into());
            }
            let mut config = self.config(&joined, &service, &repository, (Tool::Plain, command))?;
            config.state = sample.state();
            config.workspace.root = sample.state().join("worktrees");
            let person = manager(&service, &joined)?.with_scope(&joined.member.scope);
            tell(&format!(
                "demo · {} · a simulated agent in {}",
                link(&service, &joined).await?,
                repository.root.display()
            ));
            demo::add_tasks(&person, &joined.member.flow).await?;
            let place = agent::open(&config.repository, config.workspace.clone()).await?;
            let run = run_agents(config, place, notices, stage);
            tokio::pin!(run);
            if self.by_hand {
                tell("open this address to answer, to review and to accept; Ctrl-C ends the demo");
                return run.await;
            }
            tokio::select! {
                // A person has stopped it.
                outcome = &mut run => return outcome,
                acted = demo::act(&person, tell) => acted?,
            }
            tell("every task is done; the branch main has their commits:");
            tell(&sample.commits());
            stages.send_replace(Stage::Draining);
            run.await
        };
        let outcome = outcome.await;
        let stopped = service.stop().await;
        outcome.and(stopped)
    }

    /// Says something to people; beside the output if programs read that. A terminal that has gone is no
    /// reason to stop.
    fn teller(&self) -> impl Fn(&str) + Copy + use<> {
        let is_for_people = Output::new(&self.output).is_for_people();
        move |text| {
            if is_for_people {
                let _ = say(text);
            } else {
                say_aside(text);
            }
        }
    }

    fn slots(&self) -> usize {
        self.agents.map_or(1, usize::from)
    }

    /// What the runner is told: slots for the agents, and one that merges.
    fn config(
        &self,
        joined: &Joined,
        service: &Service,
        repository: &Repository,
        (tool, command): (Tool, Vec<OsString>),
    ) -> Outcome<Config> {
        let place = Place {
            server: service.address().url.clone(),
            secrets: [&joined.member.manage_key, &joined.member.work_key]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            scope: joined.member.scope.clone(),
            machine: host(),
            repository: repository.root.clone(),
            pool: tool.pool().map(str::to_owned),
        };
        let mut config = agent::config(joined.worker.clone(), place, &self.flags)?;
        let crew = |hand, slots, command| Crew {
            hand,
            slots,
            queue: None,
            roles: Vec::new(),
            types: Vec::new(),
            template: None,
            command,
            tool,
        };
        if !command.is_empty() {
            let work = crew(Hand::Work, self.slots(), command);
            config.crews.push(Crew { template: self.flags.template()?, ..work });
        }
        config.crews.push(crew(Hand::Merge, 1, Vec::new()));
        Ok(config)
    }

    /// What is printed once everything is there.
    fn header(
        &self,
        link: &str,
        (folder, service): (&Folder, &Service),
        joined: &Joined,
        repository: &Repository,
        (tool, command): (Tool, &[OsString]),
    ) -> String {
        let (version, scope) = (env!("CARGO_PKG_VERSION"), &joined.member.scope);
        let mut lines = vec![format!("octopoid {version} · {scope} · {link}")];
        let mut parts = vec![format!("data {}", at_home(&folder.database()))];
        if !command.is_empty() {
            let slots = if self.slots() == 1 { "slot" } else { "slots" };
            parts.push(format!("{} {slots}", self.slots()));
            parts.push(tool.name().to_owned());
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
        if command.is_empty() {
            lines.push("no agents; to start some: octopoid up --agents 3 -- claude -p".to_owned());
        }
        if !command.is_empty() {
            lines.push(format!("command {}", shown(command)));
        }
        lines.join("\n")
    }
}

/// A client with the key that manages the scope.
fn manager(service: &Service, joined: &Joined) -> Outcome<Client> {
    let key = joined.member.manage_key.clone().unwrap_or_default();
    Ok(Client::new(&service.address().url)?.with_key(key))
}

/// The address of the board, with a code that signs a browser in once. A running server of an older
/// version issues no codes; then this is the plain address.
async fn link(service: &Service, joined: &Joined) -> Outcome<String> {
    let (server, member) = (&service.address().url, &joined.member);
    Ok(match Link::signing_in(&manager(service, joined)?, server, &member.scope).await {
        Ok(link) => format!("{}   (this link signs you in once)", link.url),
        Err(_) => Link::plain(server, Some(&member.scope)).url,
    })
}

/// Runs agents until the stage says that it is time to end.
async fn run_agents(
    config: Config,
    place: workspace::Place,
    notices: Notices,
    stage: watch::Receiver<Stage>,
) -> Outcome {
    octopoid_runner::run(config, place, notices, stage).await.map_err(agent::failure)
}

/// Prepares the folder, and locks it for this repository.
fn folder_for(folder: &Folder, repository: &Repository) -> Outcome<impl Sized + use<>> {
    folder.prepare()?;
    folder.lock_repository(&repository.root)
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
