//! `octopoid agent run`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use octopoid_runner::{
    Error, Stage,
    adapter::Tool,
    config::{Config, Crew, Hand, Until},
    shown,
    workspace::{self, Isolation, Options},
};
use octopoid_server::duration;
use sha2::{Digest as _, Sha256};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{Flags, Words, show};
use crate::{
    failure::{Failure, Outcome},
    output::{say, say_aside},
    repository::{Repository, host},
    session::{Run, Session},
    settings::{data_folder, state_folder},
};

/// Claim tasks and run a command on each.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Review submitted work: the command is given the task and the change, and accepts or rejects.
    #[arg(long, conflicts_with_all = ["merge", "queue"], help_heading = "Tasks")]
    review: bool,
    /// Merge approved work into its base branch. There is no command.
    #[arg(long, conflicts_with_all = ["queue", "command"], help_heading = "Tasks")]
    merge: bool,
    /// Only tasks with this role; may be repeated.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', help_heading = "Tasks")]
    role: Vec<String>,
    /// Only tasks of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', help_heading = "Tasks")]
    types: Vec<String>,
    /// Queue to claim from [default: incoming].
    #[arg(long, value_name = "QUEUE", help_heading = "Tasks")]
    queue: Option<String>,
    /// How many tasks are worked on at the same time.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=500),
        help_heading = "Tasks"
    )]
    slots: u16,
    /// End after one task.
    #[arg(long, conflicts_with_all = ["max_tasks", "slots"], help_heading = "Tasks")]
    once: bool,
    /// End after so many tasks.
    #[arg(long, value_name = "NUMBER", help_heading = "Tasks")]
    max_tasks: Option<u64>,
    /// End after so long without a task.
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Tasks")]
    idle_exit: Option<Duration>,
    /// Name of this machine [default: its host name].
    #[arg(long, value_name = "NAME", help_heading = "Tasks")]
    name: Option<String>,
    /// Pool that a provider's limit pauses, on all machines that name it [default: the provider of a
    /// known command, and this machine].
    #[arg(long, value_name = "NAME", help_heading = "Tasks")]
    pool: Option<String>,
    /// Repository [default: the one of the working directory].
    #[arg(long, value_name = "DIR", help_heading = "Work tree")]
    repo: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    words: Words,
}

/// Where runs are done, and for which server.
pub(crate) struct Place {
    /// The address of the server.
    pub(crate) server: String,
    /// The keys that this program has.
    pub(crate) secrets: Vec<String>,
    /// The scope.
    pub(crate) scope: String,
    /// The name of this machine.
    pub(crate) machine: String,
    /// The repository.
    pub(crate) repository: PathBuf,
    /// The pool that a provider's limit pauses.
    pub(crate) pool: Option<String>,
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let hand = match (self.review, self.merge) {
            (true, _) => Hand::Review,
            (_, true) => Hand::Merge,
            _ => Hand::Work,
        };
        let repository = repository(self.repo.as_ref())?;
        let (tool, command) = self.flags.agent_that_exists(&self.words.command)?;
        if command.is_empty() && hand != Hand::Merge {
            return Err(Failure::usage("there is no command that does the work")
                .remedy("write it behind --, for example: octopoid agent run -- claude -p"));
        }
        let machine = self.name.clone().unwrap_or_else(host);
        let pool = || tool.pool().map(|provider| format!("{provider}@{machine}"));
        let place = Place {
            server: session.settings.server.value.clone(),
            secrets: session.settings.key.iter().map(|key| key.value.clone()).collect(),
            scope: session.scope().await?,
            pool: self.pool.clone().or_else(pool),
            machine,
            repository: repository.root,
        };
        let mut config = config(session.client.clone(), place, &self.flags)?;
        let place = open(&config.repository, config.workspace.clone()).await?;
        config.until =
            Until { runs_max: self.max_tasks.or(self.once.then_some(1)), idle: self.idle_exit };
        config.crews = vec![Crew {
            hand,
            slots: usize::from(self.slots),
            queue: self.queue.clone(),
            roles: self.role.clone(),
            types: self.types.clone(),
            template: self.flags.template()?,
            command: command.clone(),
            tool,
        }];
        let notices = show(&session.output)?;
        if session.output.is_for_people() {
            header(session, &config, tool, &command)?;
            for warning in self.flags.warnings(tool, &command) {
                say_aside(&format!("warning: {warning}"));
            }
        }
        let (_sender, stage) = control()?;
        octopoid_runner::run(config, place, notices, stage).await.map_err(failure)
    }
}

fn header(session: &Session, config: &Config, tool: Tool, command: &[OsString]) -> Outcome {
    let slots: usize = config.crews.iter().map(|crew| crew.slots).sum();
    let plural = if slots == 1 { "" } else { "s" };
    say(&format!(
        "octopoid {} · {} · {} · {slots} slot{plural}",
        config.version, config.scope, session.settings.server.value
    ))?;
    if command.is_empty() {
        return Ok(());
    }
    say(&format!("command {} · read as {}", shown(command), tool.name()))
}

/// What a runner is told, but for its crews and when it ends.
pub(crate) fn config(
    client: octopoid_client::Client,
    place: Place,
    flags: &Flags,
) -> Outcome<Config> {
    let Place { server, secrets, scope, machine, repository, pool } = place;
    let this = std::env::current_exe()
        .map_err(|error| Failure::other(format!("cannot find this program's file: {error}")))?;
    Ok(Config {
        client,
        server,
        secrets,
        scope,
        machine,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        crews: Vec::new(),
        workspace: options(flags, &repository)?,
        repository,
        setup: flags.setup.clone(),
        checks: flags.check.clone(),
        on_dirty: flags.on_dirty(),
        no_change: flags.no_change(),
        opens_pull_requests: flags.pr,
        keep: flags.keep(),
        exit_map: flags.exit_map.clone(),
        pool,
        cost_max: flags.max_cost_per_day,
        environment: flags.environment(),
        limits: flags.limits(),
        until: Until::default(),
        state: state_folder()?,
        guard: vec![this.into(), "agent".into(), "guard".into()],
    })
}

/// How work trees are made.
pub(crate) fn options(flags: &Flags, repository: &Path) -> Outcome<Options> {
    Ok(Options {
        isolation: flags.isolation(),
        base: flags.base.clone(),
        include: flags.include.clone(),
        remote: flags.push.clone(),
        ..default_options(repository, flags.worktree_root.as_ref())?
    })
}

/// How work trees are made, where the user does not say.
pub(crate) fn default_options(repository: &Path, root: Option<&PathBuf>) -> Outcome<Options> {
    let root = match root {
        Some(root) => root.clone(),
        None => data_folder()?.join("worktrees").join(folder_name(repository)),
    };
    Ok(Options {
        root,
        isolation: Isolation::Worktree,
        base: None,
        branch_prefix: "agent/".to_owned(),
        include: PathBuf::from(".worktreeinclude"),
        remote: None,
    })
}

/// Checks that agents can work in the repository.
pub(crate) async fn open(repository: &Path, options: Options) -> Outcome<workspace::Place> {
    let opened = workspace::Place::open(repository, options).await;
    opened.map_err(|error| Failure::usage(error.to_string()))
}

/// The repository that is named, or that of the working directory.
pub(crate) fn repository(named: Option<&PathBuf>) -> Outcome<Repository> {
    let given = named.map_or(Path::new("."), PathBuf::as_path);
    let path = given.canonicalize().map_err(|error| {
        Failure::usage(format!("cannot use the folder {}: {error}", given.display()))
    })?;
    Repository::of(&path).ok_or_else(|| {
        Failure::usage(format!("{} is not in a git repository", path.display()))
            .remedy("git init makes it one; it needs a first commit too")
            .remedy("another repository: --repo PATH")
    })
}

/// A name for the folder with the work trees of a repository: that of its own folder, and a hash of
/// its path, because several repositories may have the same name.
fn folder_name(repository: &Path) -> String {
    let name = repository.file_name().map(|name| name.to_string_lossy().into_owned());
    let hash = Sha256::digest(repository.as_os_str().as_encoded_bytes());
    format!("{}-{}", name.unwrap_or_default(), hex::encode(&hash[..4]))
}

/// The first SIGINT or SIGTERM drains the runner, the second stops it, and the third ends the program.
pub(crate) fn control() -> Outcome<(watch::Sender<Stage>, watch::Receiver<Stage>)> {
    let (stage, stages) = watch::channel(Stage::Running);
    let sender = stage.clone();
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::other(format!("cannot listen for signals: {error}")))
    };
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        for next in [Stage::Draining, Stage::Stopping] {
            let next = tokio::select! {
                _ = interrupt.recv() => next,
                _ = terminate.recv() => next,
                // The terminal is gone, and with it who could stop the agents.
                _ = hangup.recv() => Stage::Stopping,
            };
            let text = match next {
                Stage::Draining => "draining: no more tasks; press Ctrl-C again to stop the agents",
                _ => "stopping the agents; their tasks go back to the queue",
            };
            say_aside(text);
            stage.send_replace(next);
            if next == Stage::Stopping {
                break;
            }
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // The guards end what is left.
        std::process::exit(130);
    });
    Ok((sender, stages))
}

/// Why a runner came to nothing, in the words of the command line.
pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::Server(error) => error.into(),
        Error::State(..) => Failure::other(error.to_string()),
    }
}
