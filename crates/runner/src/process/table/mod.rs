//! The processes of the machine, and which of them belong to a run.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod posix;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, io};

use rustix::process::{Pid, Signal};

/// A process as the system lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// The parent's number, 0 for none.
    pub(super) parent: i32,
    /// The number of the process group.
    pub(super) group: i32,
    /// Tells processes of the same number apart. The unit depends on the table.
    pub(super) start_time: u64,
    pub(super) state: State,
    /// The name of the program, which changes when it executes another one.
    pub(super) name: String,
    /// Whether its environment has the mark that was looked for.
    pub(super) has_mark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// By a signal. It gets no other signal than SIGKILL before it is continued.
    Stopped,
    /// It has ended, and its parent has not read its exit status.
    Ended,
}

/// How processes are listed and signalled on a kind of system.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// All processes that this user may see. Their environment is searched for the mark.
    pub(super) read: fn(mark: &str) -> io::Result<Vec<Process>>,
    /// The process of that number, without looking for a mark.
    pub(super) find: fn(pid: Pid) -> Option<Process>,
    /// The children of this process, as far as the system lists them without a search.
    pub(super) children: fn() -> Vec<Pid>,
    /// Sends a signal, unless another process has the number by now.
    pub(super) signal: fn(process: &Process, signal: Signal) -> rustix::io::Result<()>,
}

/// The table of this system.
#[cfg(target_os = "linux")]
pub(super) const TABLE: Table = linux::TABLE;
#[cfg(not(target_os = "linux"))]
pub(super) const TABLE: Table = posix::TABLE;

/// What belongs to a run.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The value of [`super::MARK`].
    pub(super) mark: &'a str,
    /// The guard, whose descendants belong to the run.
    pub(super) guard: Option<Pid>,
    /// The process group of the command, while it has members. Its number may be given to another
    /// process afterwards.
    pub(super) group: Option<Pid>,
}

impl Run<'_> {
    /// The processes of the run that have not ended.
    pub(super) fn processes(&mut self, table: Table) -> io::Result<Vec<Process>> {
        let all = (table.read)(self.mark)?;
        let has_members =
            |group: &Pid| all.iter().any(|process| process.group == group.as_raw_pid());
        self.group = self.group.filter(has_members);
        Ok(self.select(&all, rustix::process::getpid()))
    }

    /// Chooses from all processes those of the run that have not ended. Beside those with the mark
    /// these are the descendants of the guard and of all others, and the members of process groups
    /// whose leader belongs to the run. The process that asks, its ancestors and the first process
    /// of the system never do.
    pub(super) fn select(&self, all: &[Process], asking: Pid) -> Vec<Process> {
        let kept = ancestors(all, asking);
        let raw = |pid: Option<Pid>| pid.map_or(0, Pid::as_raw_pid);
        let (guard, group) = (raw(self.guard), raw(self.group));
        let is_root = |process: &Process| {
            let is_of = |number: i32, root: i32| root != 0 && number == root;
            process.has_mark || is_of(process.parent, guard) || is_of(process.group, group)
        };
        let mut found = HashSet::new();
        loop {
            let before = found.len();
            for process in all.iter().filter(|process| !kept.contains(&process.pid.as_raw_pid())) {
                let is_below = found.contains(&process.parent) || found.contains(&process.group);
                if is_below || is_root(process) {
                    found.insert(process.pid.as_raw_pid());
                }
            }
            if found.len() == before {
                break;
            }
        }
        let is_left = |process: &&Process| {
            process.state != State::Ended && found.contains(&process.pid.as_raw_pid())
        };
        all.iter().filter(is_left).cloned().collect()
    }
}

/// The process, its ancestors, and the first process of the system.
fn ancestors(all: &[Process], pid: Pid) -> HashSet<i32> {
    let mut kept = HashSet::from([Pid::INIT.as_raw_pid()]);
    let mut next = pid.as_raw_pid();
    while kept.insert(next) {
        let process = all.iter().find(|process| process.pid.as_raw_pid() == next);
        next = process.map_or(0, |process| process.parent);
    }
    kept
}

/// Whether the process that had this number at that time is still alive. `start_time` is that of
/// an [`Identity`](super::Identity).
pub fn is_alive(pid: i32, start_time: u64) -> bool {
    let process = pid_of(pid).and_then(TABLE.find);
    process.is_some_and(|found| found.start_time == start_time && found.state != State::Ended)
}

/// The process of that number, if it can be one.
pub(super) fn pid_of(number: i32) -> Option<Pid> {
    if number > 0 { Pid::from_raw(number) } else { None }
}
