//! Ends processes: SIGTERM to each, SIGKILL after the grace period, until none is left.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal},
};

use super::table::{Process, State, Table};

/// How long to wait between two looks, at first and at most. A process that ends at once is to be
/// noticed at once; one that takes its time is not worth a busy processor.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// The state of ending the processes of one run.
pub(super) struct Ending {
    table: Table,
    /// The processes that were told to end, by number and start, and what program each was then.
    told: HashMap<(Pid, u64), String>,
    /// Those which may not be killed.
    refused: HashSet<(Pid, u64)>,
    pause: Duration,
}

impl Ending {
    pub(super) fn new(table: Table) -> Self {
        Self { table, told: HashMap::new(), refused: HashSet::new(), pause: PAUSE_MIN }
    }

    /// Sends the processes that are left SIGTERM, once to each, or SIGKILL. A process that has
    /// executed another program since is told again: between its start and that it may have caught
    /// the signal with what its parent does about it. Returns how many are
    /// left that may still end. Another user's process that cannot be killed is not waited for.
    pub(super) fn round(&mut self, left: &[Process], is_kill: bool) -> usize {
        let mut waiting = 0;
        let mut is_any_new = false;
        for process in left {
            let key = (process.pid, process.start_time);
            let is_new = self.told.get(&key) != Some(&process.name);
            if is_new {
                self.told.insert(key, process.name.clone());
            }
            is_any_new |= is_new;
            let result = match (is_kill, is_new) {
                (true, _) => (self.table.signal)(process, Signal::KILL),
                (false, true) => self.terminate(process),
                (false, false) => Ok(()),
            };
            if is_kill && result == Err(Errno::PERM) {
                self.refused.insert(key);
            } else {
                waiting += 1;
            }
        }
        self.pause = if is_any_new { PAUSE_MIN } else { (self.pause * 2).min(PAUSE_MAX) };
        waiting
    }

    /// A process that was stopped gets the signal when it is continued.
    fn terminate(&self, process: &Process) -> rustix::io::Result<()> {
        (self.table.signal)(process, Signal::TERM)?;
        if process.state == State::Stopped {
            (self.table.signal)(process, Signal::CONT)?;
        }
        Ok(())
    }

    /// How long to wait before the next round, if nothing happens before.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// How many processes were found so far.
    pub(super) fn count(&self) -> usize {
        self.told.len()
    }

    /// The processes that could not be killed because they belong to another user.
    pub(super) fn refused(&self) -> Vec<i32> {
        let mut pids: Vec<_> = self.refused.iter().map(|(pid, _)| pid.as_raw_pid()).collect();
        pids.sort_unstable();
        pids
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{super::table::TABLE, *};

    thread_local! {
        static SENT: RefCell<Vec<(i32, Signal)>> = const { RefCell::new(Vec::new()) };
    }

    /// Process 13 belongs to another user.
    fn record(process: &Process, signal: Signal) -> rustix::io::Result<()> {
        let pid = process.pid.as_raw_pid();
        SENT.with_borrow_mut(|sent| sent.push((pid, signal)));
        if pid == 13 { Err(Errno::PERM) } else { Ok(()) }
    }

    fn sent() -> Vec<(i32, Signal)> {
        SENT.take()
    }

    fn process(pid: i32, start_time: u64, state: State) -> Process {
        let pid = Pid::from_raw(pid).unwrap();
        let name = "sh".to_owned();
        Process { pid, parent: 1, group: 1, start_time, state, name, has_mark: true }
    }

    fn ending() -> Ending {
        Ending::new(Table { signal: record, ..TABLE })
    }

    #[test]
    fn each_process_is_told_once_and_then_killed_until_it_is_gone() {
        let mut ending = ending();
        let (first, second) = (process(7, 1, State::Running), process(8, 1, State::Running));
        assert_eq!(ending.round(std::slice::from_ref(&first), false), 1);
        assert_eq!(ending.round(&[first.clone(), second.clone()], false), 2);
        assert_eq!(sent(), [(7, Signal::TERM), (8, Signal::TERM)]);
        for _ in 0..2 {
            assert_eq!(ending.round(&[first.clone(), second.clone()], true), 2);
            assert_eq!(sent(), [(7, Signal::KILL), (8, Signal::KILL)]);
        }
        assert_eq!((ending.round(&[], true), ending.count()), (0, 2));
    }

    #[test]
    fn another_process_of_the_same_number_is_told_too() {
        let mut ending = ending();
        ending.round(&[process(7, 1, State::Running)], false);
        ending.round(&[process(7, 2, State::Running)], false);
        assert_eq!(sent(), [(7, Signal::TERM), (7, Signal::TERM)]);
    }

    #[test]
    fn a_process_that_has_executed_another_program_is_told_again() {
        let mut ending = ending();
        let mut child = process(7, 1, State::Running);
        ending.round(std::slice::from_ref(&child), false);
        child.name = "sleep".to_owned();
        for _ in 0..2 {
            ending.round(std::slice::from_ref(&child), false);
        }
        assert_eq!(sent(), [(7, Signal::TERM), (7, Signal::TERM)]);
        assert_eq!(ending.count(), 1);
    }

    #[test]
    fn a_stopped_process_is_continued() {
        ending().round(&[process(7, 1, State::Stopped)], false);
        assert_eq!(sent(), [(7, Signal::TERM), (7, Signal::CONT)]);
    }

    #[test]
    fn a_process_of_another_user_is_waited_for_only_during_the_grace_period() {
        let mut ending = ending();
        let left = [process(13, 1, State::Running), process(7, 1, State::Running)];
        assert_eq!(ending.round(&left, false), 2);
        assert_eq!(ending.refused(), Vec::<i32>::new());
        assert_eq!(ending.round(&left, true), 1);
        assert_eq!(ending.refused(), [13]);
        assert_eq!(ending.round(&left[..1], true), 0);
    }

    #[test]
    fn the_pause_grows_while_nothing_new_is_found() {
        let mut ending = ending();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            ending.round(&[process(7, 1, State::Running)], false);
            pauses.push(ending.pause());
        }
        assert_eq!((pauses[0], pauses[8]), (PAUSE_MIN, PAUSE_MAX));
        assert!(pauses.is_sorted());
        ending.round(&[process(8, 1, State::Running)], false);
        assert_eq!(ending.pause(), PAUSE_MIN);
    }
}
