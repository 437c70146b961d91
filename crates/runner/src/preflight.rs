//! Checks, before a task is claimed, whether agents can do their work here.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use crate::{
    adapter::{Tool, User},
    config::Config,
    disk::free_bytes,
    workspace::Place,
};

/// How long a program may take to tell its version.
const VERSION_MAX: Duration = Duration::from_secs(10);

/// A thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub name: &'static str,
    /// What came of it.
    pub state: State,
    /// What was found, and what to do about it.
    pub text: String,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as it should be.
    Fine,
    /// Agents may fail.
    Warning,
    /// Agents cannot run.
    Failed,
}

impl Finding {
    fn new(name: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { name, state, text: text.into() }
    }
}

/// What may keep the command from doing its work.
pub fn warnings(tool: Tool, command: &[OsString]) -> Vec<String> {
    let is_root = rustix::process::geteuid().is_root() && std::env::var_os("IS_SANDBOX").is_none();
    let user = if is_root { User::Root } else { User::Ordinary };
    tool.warnings(command.get(1..).unwrap_or_default(), user)
}

/// Checks everything. Nothing is claimed and nothing is changed, but for the folder of work trees,
/// which is made.
pub async fn check(config: &Config, tool: Tool, command: &[OsString]) -> Vec<Finding> {
    let mut findings = vec![server(config).await, repository(config).await];
    if let Some(program) = command.first() {
        findings.push(match tool {
            // What another program does with `--version` is not known: it may work.
            Tool::Plain => found(program),
            _ => version(program, config).await,
        });
        for warning in warnings(tool, command) {
            findings.push(Finding::new("permissions", State::Warning, warning));
        }
    }
    findings.push(disk(config));
    findings
}

async fn server(config: &Config) -> Finding {
    match config.client.get_summary().await {
        Ok(_) => {
            let text = format!("{} knows the key, scope {}", config.server, config.scope);
            Finding::new("server", State::Fine, text)
        }
        Err(error) => Finding::new("server", State::Failed, format!("{}: {error}", config.server)),
    }
}

async fn repository(config: &Config) -> Finding {
    match Place::open(&config.repository, config.workspace.clone()).await {
        Ok(place) => {
            let text =
                format!("{}, work trees in {}", place.top().display(), place.root().display());
            Finding::new("repository", State::Fine, text)
        }
        Err(error) => Finding::new("repository", State::Failed, error.to_string()),
    }
}

/// The file of a program: at a path, or in one of the folders of `PATH`.
pub fn find(program: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if Path::new(program).components().count() > 1 {
        return Path::new(program).canonicalize().ok().filter(|path| is_program(path));
    }
    let folders = std::env::var_os("PATH")?;
    let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(program));
    paths.find(|path| is_program(path))
}

fn found(program: &OsStr) -> Finding {
    if let Some(path) = find(program) {
        return Finding::new("command", State::Fine, path.display().to_string());
    }
    let text = format!("{} is not an executable file", program.display());
    Finding::new("command", State::Failed, text)
}

async fn version(program: &OsStr, config: &Config) -> Finding {
    let shown = program.to_string_lossy();
    let mut command = Command::new(program);
    command.arg("--version").current_dir(std::env::temp_dir());
    command.env_clear().envs(config.environment.apply(std::env::vars_os()));
    command.stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(VERSION_MAX, command.output()).await {
        Err(_) => {
            let text = format!("{shown} --version took longer than {} s", VERSION_MAX.as_secs());
            Finding::new("command", State::Warning, text)
        }
        Ok(Err(error)) => {
            let text = format!("{shown} cannot be started: {error}. Install it, or write its path");
            Finding::new("command", State::Failed, text)
        }
        Ok(Ok(output)) if !output.status.success() => {
            let text = format!("{shown} --version fails: {}", output.status);
            Finding::new("command", State::Failed, text)
        }
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = crate::facts::one_line(text.lines().next().unwrap_or_default());
            Finding::new("command", State::Fine, format!("{shown} {line}"))
        }
    }
}

fn disk(config: &Config) -> Finding {
    let root = &config.workspace.root;
    let folder = root.ancestors().find(|folder| folder.exists()).unwrap_or(root);
    let Ok(free) = free_bytes(folder) else {
        let text = format!("cannot look at the disk of {}", folder.display());
        return Finding::new("disk", State::Warning, text);
    };
    let text = format!("{} MiB free in {}", free >> 20, folder.display());
    let is_enough = free >= config.limits.free_bytes_min;
    Finding::new("disk", if is_enough { State::Fine } else { State::Failed }, text)
}
