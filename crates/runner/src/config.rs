//! What a runner is told by its user.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use octopoid_client::Client;
use octopoid_domain::{flow, queue};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{adapter::Tool, environment::Policy, judge::NoChange, prompt::Template, workspace};

/// What is done with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// Do its work.
    Work,
    /// Review the work that was submitted.
    Review,
    /// Merge the work that was approved.
    Merge,
}

impl Hand {
    /// The queue from which such tasks are claimed. None: that of the role, or `incoming`.
    pub fn queue(self) -> Option<&'static str> {
        match self {
            Self::Work => None,
            Self::Review => Some(queue::PROVISIONAL),
            Self::Merge => Some(flow::APPROVED),
        }
    }
}

/// What to do with changes that an agent has not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDirty {
    /// Commit them, if the agent's program ended well.
    #[default]
    Commit,
    /// Leave them in the work tree: the attempt has failed.
    Keep,
}

/// Slots that do the same.
#[derive(Clone, Debug)]
pub struct Crew {
    /// What they do.
    pub hand: Hand,
    /// How many there are.
    pub slots: usize,
    /// The queue they claim from, if not that of [`Hand::queue`].
    pub queue: Option<String>,
    /// The roles whose tasks they take; empty: all.
    pub roles: Vec<String>,
    /// The types of tasks they take; empty: all.
    pub types: Vec<String>,
    /// The agent's program with its arguments. Not used by merges.
    pub command: Vec<OsString>,
    /// How its output is read.
    pub tool: Tool,
    /// The prompt, if not the one for the hand.
    pub template: Option<Template>,
}

/// When a runner ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// After so many runs.
    pub runs_max: Option<u64>,
    /// After so long without a task.
    pub idle: Option<Duration>,
}

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a lease lasts without being renewed.
    pub lease: Duration,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How long the program may print nothing. None: for programs whose output is known, 30
    /// minutes; others print nothing until they end.
    pub stall: Option<Duration>,
    /// How long processes have to end after SIGTERM.
    pub grace: Duration,
    /// How long a setup command or a check may take.
    pub hook_timeout: Duration,
    /// Bytes of output that are kept on disk.
    pub output_bytes_max: u64,
    /// Bytes that must be free on the disk of the work tree.
    pub free_bytes_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(5),
            timeout: None,
            stall: None,
            grace: Duration::from_secs(5),
            hook_timeout: Duration::from_mins(30),
            output_bytes_max: 64 << 20,
            free_bytes_min: 256 << 20,
        }
    }
}

/// What a runner is told by its user.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server, with the runner's key and scope.
    pub client: Client,
    /// The address of the server, for agents.
    pub server: String,
    /// The keys that this program has: they are taken out of what is reported.
    pub secrets: Vec<String>,
    /// The scope.
    pub scope: String,
    /// The name of this machine.
    pub machine: String,
    /// The version of this program.
    pub version: String,
    /// What is done.
    pub crews: Vec<Crew>,
    /// The repository.
    pub repository: PathBuf,
    /// How work trees are made in it.
    pub workspace: workspace::Options,
    /// Commands that prepare a new work tree. If one fails, the run does.
    pub setup: Vec<String>,
    /// Commands that must succeed before work is submitted or merged.
    pub checks: Vec<String>,
    /// What to do with changes that are not committed.
    pub on_dirty: OnDirty,
    /// What to do when there was nothing to change.
    pub no_change: NoChange,
    /// Whether a pull request is opened for work that is submitted.
    pub opens_pull_requests: bool,
    /// Which work trees are kept.
    pub keep: workspace::Keep,
    /// Reasons that exit codes of the program stand for.
    pub exit_map: Vec<(i32, &'static str)>,
    /// The pool that the agents use: what a provider's limit pauses.
    pub pool: Option<String>,
    /// So many US dollars may be spent in a day, by UTC.
    pub cost_max: Option<f64>,
    /// Which variables agents get.
    pub environment: Policy,
    /// The limits of runs.
    pub limits: Limits,
    /// When the runner ends by itself.
    pub until: Until,
    /// The state folder of this user.
    pub state: PathBuf,
    /// The program and the arguments that run [`crate::process::guard`].
    pub guard: Vec<OsString>,
}

impl Config {
    /// A name for files about the scope on its server.
    pub(crate) fn scope_file(&self) -> String {
        file_name(&[&self.server, &self.scope])
    }
}

/// A file name that stands for these texts, which may have any characters.
pub(crate) fn file_name(of: &[&str]) -> String {
    hex::encode(&Sha256::digest(of.join("\n"))[..8])
}
