//! Log lines, written by a thread of their own so that no request waits for them.
//!
//! A busy server logs a line for nearly every request. Waking a thread and calling the system for
//! each would cost more than the request's own work, so lines are gathered for a moment and written
//! together.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::config::LogFormat;

/// How long lines are gathered. Short enough that nobody who watches the log notices.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes that may wait; whoever logs more waits as well, because no audit line may be lost.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Starts logging to standard output. What has been logged is written when the guard is dropped.
/// `RUST_LOG` says what is logged; everything from `info` by default.
pub(crate) fn start(format: LogFormat) -> Guard {
    let lines = Lines(Arc::new(Shared::default()));
    let guard = Guard::start(lines.clone(), io::stdout());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    match format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    guard
}

/// Where lines wait for the writing thread.
#[derive(Clone)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The first line has come, or the guard is gone.
    filled: Condvar,
    /// The thread has taken what waited.
    taken: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_over: bool,
}

impl Lines {
    /// A line is whole or not there, so a panic elsewhere leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and takes them; `None` once there are none and will be none.
    fn take(&self) -> Option<Vec<u8>> {
        let is_quiet = |state: &mut State| state.waiting.is_empty() && !state.is_over;
        let state = self.0.filled.wait_while(self.state(), is_quiet);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        // The end of the gathering, or of the server, whichever comes first.
        let gathering = |state: &mut State| !state.is_over && state.waiting.len() < BYTES_MAX;
        let waited = self.0.filled.wait_timeout_while(state, GATHER, gathering);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut state.waiting);
        self.0.taken.notify_all();
        (!lines.is_empty()).then_some(lines)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_full = |state: &mut State| state.waiting.len() >= BYTES_MAX && !state.is_over;
        let state = self.0.taken.wait_while(self.state(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let wakes = state.waiting.is_empty() || state.waiting.len() + line.len() >= BYTES_MAX;
        state.waiting.extend_from_slice(line);
        drop(state);
        if wakes {
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Keeps the writing thread; dropping it writes what waits.
pub(crate) struct Guard {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    fn start(lines: Lines, mut output: impl Write + Send + 'static) -> Self {
        let source = lines.clone();
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                while let Some(lines) = source.take() {
                    // There is nowhere to say that the log cannot be written.
                    let _ = output.write_all(&lines).and_then(|()| output.flush());
                }
            })
            .expect("the system starts a few threads");
        Self { lines, thread: Some(thread) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lines.state().is_over = true;
        self.lines.0.filled.notify_one();
        self.lines.0.taken.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::{Guard, Lines, Shared};

    /// Keeps what is written, and counts how often something is.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().unwrap();
            kept.0.extend_from_slice(bytes);
            kept.1 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_few_calls() {
        let (lines, output) = (Lines(Arc::new(Shared::default())), Output::default());
        let guard = Guard::start(lines.clone(), output.clone());
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let mut lines = lines.clone();
                std::thread::spawn(move || {
                    for number in 0..1_000 {
                        lines.write_all(format!("{writer} {number}\n").as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        drop(guard);
        let (bytes, calls) = output.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        for writer in 0..4 {
            let prefix = format!("{writer} ");
            let own: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
            let expected: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
            assert_eq!(own, expected, "the lines of writer {writer}, in order");
        }
        assert!(calls < 1_000, "{calls} calls for 4,000 lines");
    }
}
