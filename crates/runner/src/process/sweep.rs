//! Ends the processes of a run that has no guard any more.

use std::{io, path::Path, time::Duration};

use rustix::process::Pid;
use tokio::time::Instant;

use super::{
    child::Ended,
    ending::Ending,
    events::pause,
    report::{End, Pids},
    table::{Run, TABLE, is_alive, pid_of},
};

/// A process is not found while it executes another program, and may start a child meanwhile.
/// Without a guard that has adopted it, only several looks in a row show that nothing is left.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A guard that is alive has this long, beside the grace period, to end its run by itself.
const GUARD_LIMIT: Duration = Duration::from_secs(10);
const GUARD_LOOK: Duration = Duration::from_millis(20);

/// Ends all processes that have the mark of a run, and returns how many there were. It blocks until
/// none is left, and must not be called on a thread that runs a runtime's tasks.
///
/// An error says that processes could not be listed, or not be killed because they belong to
/// another user.
pub fn sweep(mark: &str, grace: Duration) -> io::Result<usize> {
    sweep_run(Run { mark, guard: None, group: None }, grace)
}

/// Ends what is left of a run whose runner was killed, and says how the run ended. `files` is the
/// folder that [`super::Command::files`] named, `mark` and `grace` are those of the run. The guard,
/// if it is alive, is ending the run by itself; it is waited for. It blocks as [`sweep`] does.
///
/// `None` if no guard has noted the end, because it was killed as well or was never started.
pub fn recover(files: &Path, mark: &str, grace: Duration) -> io::Result<Option<Ended>> {
    if let Some(pids) = Pids::read(files)? {
        let limit = grace + GUARD_LIMIT;
        block_on(async {
            let deadline = Instant::now() + limit;
            while is_alive(pids.guard.pid, pids.guard.start_time) && Instant::now() < deadline {
                pause(GUARD_LOOK).await;
            }
        })?;
    }
    sweep(mark, grace)?;
    Ok(End::read(files)?.and_then(|end| Ended::of(&end)))
}

/// Ends all processes of a run, and returns how many there were.
pub(super) fn sweep_run(mut run: Run<'_>, grace: Duration) -> io::Result<usize> {
    block_on(async {
        let deadline = Instant::now() + grace;
        let mut ending = Ending::new(TABLE);
        let mut looks = 0;
        while looks < LOOKS {
            let left = run.processes(TABLE)?;
            if ending.round(&left, Instant::now() >= deadline) == 0 {
                looks += 1;
                pause(BETWEEN_LOOKS).await;
            } else {
                looks = 0;
                pause(ending.pause()).await;
            }
        }
        match ending.refused().as_slice() {
            [] => Ok(ending.count()),
            left => Err(refused(left)),
        }
    })?
}

fn refused(pids: &[i32]) -> io::Error {
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let pids = pids.join(", ");
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("cannot end the processes {pids}, which belong to another user: end them yourself"),
    )
}

fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    Ok(runtime.block_on(future))
}

/// The process group of a command, if the guard has started it.
pub(super) fn group_of(pids: Option<Pids>) -> Option<Pid> {
    pids.and_then(|pids| pid_of(pids.leader.pid))
}
