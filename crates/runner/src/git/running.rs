//! A running git.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    runtime::Handle,
};

use super::Output;

/// How much of the errors is kept. The rest is read and dropped.
const STDERR_BYTES_MAX: usize = 16 << 10;

/// How long git may take to remove its lock files after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long the pipes are read after git has ended. A hook may have left a process behind that
/// holds them open.
const PIPE_GRACE: Duration = Duration::from_secs(1);

/// A git whose process group ends with this value.
#[derive(Debug)]
pub(super) struct Running(Option<Child>);

impl Running {
    pub(super) fn start(mut command: Command, has_stdin: bool) -> io::Result<Self> {
        if has_stdin {
            command.stdin(Stdio::piped());
        }
        command.spawn().map(Some).map(Self)
    }

    /// Reads the output until git has ended, or until it has printed too much.
    pub(super) async fn collect(&mut self, stdin: Vec<u8>, bytes_max: usize) -> io::Result<Output> {
        let child = self.0.as_mut().expect("the child is there until it has been stopped");
        let (input, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut printed, mut errors) = (Vec::new(), Vec::new());
        let transfer = async {
            let write = async {
                if let Some(mut input) = input {
                    // git may end before it has read everything; its exit code says why.
                    let _ = input.write_all(&stdin).await;
                }
            };
            let read = async {
                let stdout = stdout.expect("standard output is a pipe");
                // Closing the pipe at the limit ends a git that has more to print.
                stdout.take(bytes_max as u64 + 1).read_to_end(&mut printed).await.map(drop)
            };
            let stderr = stderr.expect("standard error is a pipe");
            let ((), read, ()) = tokio::join!(write, read, beginning(stderr, &mut errors));
            read
        };
        let status = transferred(child, transfer).await?;
        let is_truncated = printed.len() > bytes_max;
        printed.truncate(bytes_max);
        Ok(Output { code: status.code(), stdout: printed, is_truncated, stderr: errors })
    }

    /// Ends git and what it has started.
    pub(super) async fn stop(&mut self) {
        if let Some(child) = self.0.take() {
            end(child).await;
        }
    }
}

impl Drop for Running {
    /// A call that is dropped while git runs: git is told to stop, so that it removes its lock files.
    fn drop(&mut self) {
        let Some(child) = self.0.take() else { return };
        if child.id().is_none() {
            return;
        }
        // Without a runtime, dropping the child kills it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(end(child));
        }
    }
}

async fn end(mut child: Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // The number of a child that was waited for may belong to another process by now.
    let Some(group) = group else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let is_ended = tokio::time::timeout(STOP_GRACE, child.wait()).await.is_ok();
    // What ignored the first signal. A group keeps its number as long as it has a member; one
    // without members is not found.
    let _ = kill_process_group(group, Signal::KILL);
    if !is_ended {
        let _ = child.wait().await;
    }
}

/// Waits for the end of the transfer and of the child.
async fn transferred(
    child: &mut Child,
    transfer: impl Future<Output = io::Result<()>>,
) -> io::Result<ExitStatus> {
    tokio::pin!(transfer);
    tokio::select! {
        biased;
        read = &mut transfer => {
            read?;
            child.wait().await
        }
        status = child.wait() => {
            if let Ok(read) = tokio::time::timeout(PIPE_GRACE, transfer).await {
                read?;
            }
            status
        }
    }
}

/// Reads to the end and keeps the beginning.
async fn beginning(mut pipe: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut buffer = vec![0; 8 << 10];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = STDERR_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}
