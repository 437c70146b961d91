//! Whether a server with this configuration can work here. Nothing is written.

mod configuration;
mod database;
mod disk;

use std::future::ready;

use futures_util::future::BoxFuture;
use octopoid_store_sqlite::Location;

use crate::{Configuration, database::Database};

pub use database::judge_clock;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// The server works, and something should be changed.
    Warning,
    /// The server does not start, or does not work.
    Problem,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked, such as `database`.
    pub name: &'static str,
    /// How serious it is.
    pub state: State,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, state: State::Ok, text: text.into(), remedy: None }
    }

    /// Something should be changed.
    pub fn warning(name: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// Something must be changed.
    pub fn problem(name: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Problem, ..Self::warning(name, text, remedy) }
    }
}

/// What is checked.
struct Subject<'a> {
    configuration: &'a Configuration,
    /// The database; `None` if the configuration does not say which.
    database: Option<Database>,
    /// Whether the whole database may be read.
    is_deep: bool,
}

impl Subject<'_> {
    /// The database's file, if it is on SQLite.
    fn file(&self) -> Option<&std::path::Path> {
        match &self.database {
            Some(Database::Sqlite { location: Location::File(path), .. }) => Some(path),
            _ => None,
        }
    }
}

/// A check: it has no findings if it does not apply.
type Check = for<'a> fn(&'a Subject<'a>) -> BoxFuture<'a, Vec<Finding>>;

/// All checks, in the order of their findings.
const CHECKS: [Check; 5] = [
    |subject| Box::pin(ready(configuration::check(subject))),
    |subject| Box::pin(database::check(subject)),
    |subject| Box::pin(ready(disk::check_space(subject))),
    |subject| Box::pin(ready(disk::check_modes(subject))),
    |subject| Box::pin(ready(disk::check_file_system(subject))),
];

/// Runs all checks of the server's side. A deep one reads the whole SQLite file.
pub async fn examine(configuration: &Configuration, is_deep: bool) -> Vec<Finding> {
    let database = configuration.options.database.database().ok();
    let subject = Subject { configuration, database, is_deep };
    let mut findings = Vec::new();
    for check in CHECKS {
        findings.extend(check(&subject).await);
    }
    findings
}
