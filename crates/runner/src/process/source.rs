//! Where the output of a run is read: a pipe, or a file that is followed.

use std::{
    fs::File,
    future::pending,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::io::Errno;
use tokio::{
    net::unix::pipe,
    time::{Interval, MissedTickBehavior, interval},
};

/// How often a file is read that has had nothing new.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// A stream of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

pub(super) enum Source {
    Pipe(pipe::Receiver),
    /// Only so many more bytes of it are read.
    File {
        file: File,
        bytes_left: u64,
        tick: Interval,
    },
    Ended,
}

impl Source {
    pub(super) fn of_pipe(end: OwnedFd) -> io::Result<Self> {
        Ok(Self::Pipe(pipe::Receiver::from_owned_fd(end)?))
    }

    pub(super) fn of_file(file: File, bytes_max: u64) -> Self {
        let mut tick = interval(FOLLOW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::File { file, bytes_left: bytes_max, tick }
    }

    /// Waits until there may be something to read.
    pub(super) async fn ready(&mut self) -> io::Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.readable().await,
            Self::File { tick, .. } => {
                tick.tick().await;
                Ok(())
            }
            Self::Ended => pending().await,
        }
    }

    /// Reads what is there, `None` if that is nothing. `is_over` says that nothing more will be
    /// written; a pipe is then not read to its end but until it is empty, since a process that could
    /// not be ended may hold it open.
    pub(super) fn try_read(
        &mut self,
        buffer: &mut [u8],
        is_over: bool,
    ) -> io::Result<Option<usize>> {
        let read = match self {
            // The readiness that the runtime has noted may be older than the last write.
            Self::Pipe(pipe) if is_over => {
                rustix::io::retry_on_intr(|| rustix::io::read(pipe.as_fd(), &mut *buffer))
                    .map_err(Errno::into)
            }
            Self::Pipe(pipe) => pipe.try_read(buffer),
            Self::File { file, bytes_left, .. } => {
                let room = usize::try_from(*bytes_left).unwrap_or(usize::MAX).min(buffer.len());
                let count = file.read(&mut buffer[..room])?;
                *bytes_left -= count as u64;
                return Ok((count > 0).then_some(count));
            }
            Self::Ended => return Ok(None),
        };
        match read {
            Ok(0) => {
                *self = Self::Ended;
                Ok(None)
            }
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
