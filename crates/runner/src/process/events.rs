//! What a guard waits for.

use std::{io, os::fd::AsFd, os::unix::net::UnixStream as StdStream, time::Duration};

use rustix::process::{Pid, getppid};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    signal::unix::{Signal, SignalKind, signal},
};

/// The runner's requests, a byte each. The end of the stream, when the runner has died, means the
/// same as the first.
pub(super) const STOP: u8 = b't';
pub(super) const KILL: u8 = b'k';

/// Something has happened that may change what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A child may have ended, or the time is over.
    Look,
    /// The run is to end: the processes are told to, and have the grace period.
    Stop,
    /// The run is to end now.
    Kill,
}

/// The sources of events.
pub(super) struct Events {
    children: Signal,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    line: UnixStream,
    is_line_open: bool,
    runner: Option<Pid>,
}

impl Events {
    /// Standard input is the socket to the runner. From here on, signals do not end the guard:
    /// they stop the run.
    pub(super) fn new() -> io::Result<Self> {
        let children = signal(SignalKind::child())?;
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hang_up = signal(SignalKind::hangup())?;
        let line = StdStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        line.set_nonblocking(true)?;
        let line = UnixStream::from_std(line)?;
        Ok(Self {
            children,
            terminate,
            interrupt,
            hang_up,
            line,
            is_line_open: true,
            runner: getppid(),
        })
    }

    /// The next event, [`Event::Look`] after the given time at the latest.
    pub(super) async fn next(&mut self, limit: Duration) -> Event {
        let mut byte = [0];
        tokio::select! {
            _ = self.children.recv() => Event::Look,
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hang_up.recv() => Event::Stop,
            read = self.line.read(&mut byte), if self.is_line_open => self.asked(&read, byte[0]),
            () = pause(limit) => self.look_after_runner(),
        }
    }

    fn asked(&mut self, read: &io::Result<usize>, byte: u8) -> Event {
        self.is_line_open = matches!(read, Ok(1));
        match byte {
            KILL => Event::Kill,
            _ => Event::Stop,
        }
    }

    /// The socket stays open after the runner's death if another process has inherited it, which
    /// cannot be excluded on systems that open sockets and mark them in two steps.
    fn look_after_runner(&mut self) -> Event {
        if self.is_line_open && getppid() != self.runner {
            self.is_line_open = false;
            return Event::Stop;
        }
        Event::Look
    }
}

/// Waits between two looks at processes, whose end is not an event everywhere.
#[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
pub(super) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
