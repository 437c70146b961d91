//! The command line as a whole: which commands there are, and how one is run.

use clap::Parser;

use crate::{
    commands::{
        action, add, agent, backup, board, config, doctor, draft, events, flow, health, key,
        log_level, manual, mcp, message, orch, pause, project, server, service, status, task, up,
        webhook,
    },
    failure::{Failure, Outcome},
    output::print,
    session::{Options, Run, Session},
};

/// The task queue for fleets of coding agents.
#[derive(Debug, Parser)]
#[command(name = "octopoid", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Call(Call),
    /// Serve this git repository: its tasks, and agents that work on them.
    Up(Box<up::Args>),
    #[command(flatten)]
    Server(Box<server::Command>),
    /// Run the server as a service of this system: install it, look at it, remove it.
    Service(Box<service::Args>),
    /// Back up an SQLite database, look at backups, verify and restore them.
    Backup(Box<backup::Args>),
    #[command(flatten)]
    Manual(manual::Manual),
}

/// A command that calls a server, with the options of all that do.
#[derive(Debug, clap::Args)]
struct Called<T: clap::Args> {
    #[command(flatten)]
    command: T,
    #[command(flatten)]
    options: Options,
}

/// Declares the commands that call a server.
macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident => $arguments:ty,)*) => {
        #[derive(Debug, clap::Subcommand)]
        enum Call {
            $($(#[$attribute])* $name(Box<Called<$arguments>>),)*
        }

        impl Call {
            async fn run(&self) -> Outcome {
                match self {
                    $(Self::$name(called) => called.run().await,)*
                }
            }
        }
    };
}

calls! {
    /// Add a task, or a file with a list of them.
    Add => add::Args,
    /// Show who does what, what waits and why, and what needs a person.
    Status => status::Args,
    /// Print a link that signs a browser in to the board, once.
    Board => board::Args,
    /// Work with tasks: list, get, claim, submit, accept and more.
    Task => task::Args,
    /// Decide on proposals, and answer questions.
    Action => action::Args,
    /// Send and list messages about tasks.
    Message => message::Args,
    /// Work with projects, groups of tasks that share a branch.
    Project => project::Args,
    /// Work with drafts, ideas that may become tasks or projects.
    Draft => draft::Args,
    /// Run agents on this machine, and look after their runs.
    Agent => agent::Args,
    /// List machines, drain and resume them.
    Orch => orch::Args,
    /// Pause scopes, queues, roles and pools.
    Pause => pause::Args,
    /// Work with flows: which queues tasks may be in, and which steps lead on.
    Flow => flow::Args,
    /// Follow the journal of all changes.
    Events => events::Args,
    /// Send events to addresses: create, list, test webhooks and more.
    Webhook => webhook::Args,
    /// List, issue, revoke and rotate API keys.
    Key => key::Args,
    /// Let coding agents use the queue by the Model Context Protocol, on standard input and output.
    Mcp => mcp::Args,
    /// Show which lines the server logs, or change it until the server restarts.
    LogLevel => log_level::Args,
    /// Check whether the server works here: configuration, database, disk, and the running server.
    Doctor => doctor::Args,
    /// Ask whether the server takes requests. The exit code is 0 only if it does.
    Health => health::Args,
    /// Show the settings of this program.
    Config => config::Args,
}

impl<T: clap::Args + Run> Called<T> {
    async fn run(&self) -> Outcome {
        let run = async { self.command.run(&Session::open(&self.options)?).await };
        run.await.map_err(|failure| Failure {
            is_for_programs: self.options.output.is_for_programs(),
            ..failure
        })
    }
}

impl Cli {
    /// Runs the command. Without one, a short help is printed.
    pub(crate) fn run(&self) -> Outcome {
        match &self.command {
            None => print(HELP),
            Some(Command::Manual(manual)) => manual.run::<Self>(),
            Some(Command::Up(args)) => args.run(),
            Some(Command::Server(command)) => Ok(command.run()?),
            Some(Command::Service(args)) => args.run(),
            Some(Command::Backup(args)) => args.run(),
            Some(Command::Call(call)) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| Failure::other(error.to_string()))?.block_on(call.run())
            }
        }
    }
}

/// What a person needs first.
const HELP: &str = "\
octopoid: the task queue for fleets of coding agents

  octopoid up --agents 3 -- claude -p   serve this git repository, with three agents (--demo shows it)
  octopoid add \"Fix the flaky test\"     add a task
  octopoid status                       who does what, what waits and why, what needs you
  octopoid task accept ID               accept it, or octopoid task reject ID --reason TEXT
  octopoid serve                        the server of a team; agents: octopoid agent run -- COMMAND

octopoid --help lists all commands, and each of them has --help.
";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
