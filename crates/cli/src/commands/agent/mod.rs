//! `octopoid agent`: runs agents on this machine, and looks after their runs.

mod attach;
mod doctor;
mod flags;
mod gc;
mod guide;
mod logs;
mod run;
mod show;
mod status;

use std::path::PathBuf;

use octopoid_runner::records::{Record, Records};

pub(crate) use self::{
    flags::{Flags, Words},
    run::{Place, config, control, failure, open, options, repository},
    show::show,
};
use super::verbs;
use crate::{
    failure::{Exit, Failure, Outcome},
    session::Session,
    settings::state_folder,
};

verbs! {
    /// Claim tasks and run a command on each, in a git work tree of its own.
    Run => run::Args,
    /// Check whether agents can run here, without claiming a task.
    Doctor => doctor::Doctor,
    /// List the runs that go on on this machine.
    Status => status::Status,
    /// Print what an agent has printed.
    Logs => logs::Logs,
    /// Print how to look at an agent's work, and how to go on with its session.
    Attach => attach::Attach,
    /// Delete work trees whose work is merged or pushed, and old output.
    Gc => gc::Gc,
    /// Print the page for agents: how to ask, how to end, how to propose a follow-up.
    Guide => guide::Guide,
}

/// The latest run of a task on this machine. The id may be a part of it.
fn latest(session: &Session, id: &str) -> Outcome<(PathBuf, Record)> {
    let scope = session.settings.scope.as_ref().map(|scope| scope.value.as_str());
    let is_of_scope = |record: &Record| scope.is_none_or(|scope| record.scope == scope);
    let records = Records::new(&state_folder()?);
    let exact = records.latest(|record| is_of_scope(record) && record.task_id == id);
    let short = || {
        let fits = |record: &Record| {
            let task = &record.task_id;
            is_of_scope(record) && (task.starts_with(id) || task.ends_with(id))
        };
        (id.len() >= 4).then(|| records.latest(fits)).flatten()
    };
    exact.or_else(short).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("no run of task {id} is kept on this machine"))
            .remedy(format!("octopoid task runs {id} lists its runs on all machines"))
            .remedy("octopoid agent status lists the runs on this one")
    })
}
