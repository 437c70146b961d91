//! `octopoid service`: the server as a service of systemd or launchd. Each step is printed.

mod launchd;
mod plan;
mod systemd;

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use clap::ValueEnum;

use self::plan::{Plan, Step};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::say,
};

/// The arguments of `service`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write the files of the service, start it now, and with each start of the system. Files that
    /// are there are replaced, except the one with the token of the administrator.
    Install(Install),
    /// Show whether the service runs.
    Status(Place),
    /// Show the log of the service.
    Logs(Logs),
    /// Stop the service and remove its files. The database, and the file with the token, are kept.
    Uninstall(Place),
}

/// Whose service it is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The service of the whole system [default: if root runs the command].
    #[arg(long, conflicts_with = "user")]
    system: bool,
    /// The service of this user [default: unless root runs the command].
    #[arg(long)]
    user: bool,
    /// The service manager [default: launchd on macOS, otherwise systemd].
    #[arg(long, value_name = "NAME")]
    manager: Option<Manager>,
}

/// Write the files of the service, and start it.
#[derive(Debug, clap::Args)]
struct Install {
    #[command(flatten)]
    place: Place,
    /// Address of the server.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The program that the service runs [default: this one].
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Only print the files of the service.
    #[arg(long)]
    print: bool,
    /// Write the files below this folder, which holds another system, and start nothing.
    #[arg(long, value_name = "FOLDER", conflicts_with = "print")]
    root: Option<PathBuf>,
}

/// Show the log of the service.
#[derive(Debug, clap::Args)]
struct Logs {
    #[command(flatten)]
    place: Place,
    /// How many lines are shown.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100)]
    lines: u32,
    /// Show also what is added, until the command is stopped.
    #[arg(short, long)]
    follow: bool,
}

/// What runs services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Manager {
    Systemd,
    Launchd,
}

/// What a service manager makes of the verbs.
trait Services {
    /// Why there is no such service manager here, if there is none.
    fn check(&self) -> Outcome;
    /// The files, and what starts the service.
    fn install(&self, listen: SocketAddr, program: &Path) -> Outcome<Plan>;
    /// What shows the state. Its exit code says whether the service runs.
    fn status(&self) -> Vec<String>;
    /// What shows the log.
    fn logs(&self, lines: u32, follows: bool) -> Vec<String>;
    /// What stops the service, and the files to remove.
    fn uninstall(&self) -> Vec<Step>;
}

impl Args {
    /// Runs the verb.
    pub(crate) fn run(&self) -> Outcome {
        match &self.verb {
            Verb::Install(install) => install.run(),
            Verb::Status(place) => {
                let services = place.here()?;
                match run(&services.status())?.code() {
                    Some(0) => Ok(()),
                    _ => Err(Failure::new(Exit::NotFound, "the service does not run")
                        .remedy("octopoid service logs may say why; octopoid service install")),
                }
            }
            Verb::Logs(logs) => {
                let services = logs.place.here()?;
                succeed(&services.logs(logs.lines, logs.follow))
            }
            Verb::Uninstall(place) => {
                let services = place.here()?;
                services.uninstall().iter().try_for_each(|step| step.run(None))?;
                say("the database, and the file with the token, are kept")
            }
        }
    }
}

impl Place {
    fn services(&self) -> Outcome<Box<dyn Services>> {
        let is_system = self.system || (!self.user && rustix::process::geteuid().is_root());
        let usual = if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd };
        Ok(match self.manager.unwrap_or(usual) {
            Manager::Systemd => Box::new(systemd::Systemd::new(is_system)?),
            Manager::Launchd => Box::new(launchd::Launchd::new(self.system)?),
        })
    }

    /// The same, if that service manager runs here.
    fn here(&self) -> Outcome<Box<dyn Services>> {
        let services = self.services()?;
        services.check()?;
        Ok(services)
    }
}

impl Install {
    fn run(&self) -> Outcome {
        let services = self.place.services()?;
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .and_then(|program| program.canonicalize())
                .map_err(|error| Failure::other(format!("this program has no path: {error}")))?,
        };
        let plan = services.install(self.listen, &program)?;
        if self.print {
            return plan.print();
        }
        if self.root.is_none() {
            services.check().map_err(|failure| {
                failure
                    .remedy("octopoid service install --print prints the files of the service")
                    .remedy("octopoid serve runs the server without a service manager")
            })?;
        }
        plan.run(self.root.as_deref())
    }
}

/// Runs a command that may fail. What it prints is shown.
fn run(command: &[String]) -> Outcome<ExitStatus> {
    let status = Command::new(&command[0]).args(&command[1..]).status();
    status.map_err(|error| Failure::other(format!("cannot start {}: {error}", command[0])))
}

/// Runs a command that must not fail. One that a signal stops, such as CTRL-C, has not failed.
fn succeed(command: &[String]) -> Outcome {
    let status = run(command)?;
    if status.success() || status.signal().is_some() {
        return Ok(());
    }
    Err(Failure::other(format!("{} failed ({status})", command.join(" "))))
}

/// The words of a command.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
