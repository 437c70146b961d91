//! Log lines, written by a separate thread so that no request waits for them.
//!
//! A busy server logs a line for nearly every request. A thread wakeup and a system call for each
//! line would cost more than the request itself, so lines are buffered for a short time and written
//! together.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clap::ValueEnum;
use tracing_subscriber::{
    fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::log_filter::LogFilter;

/// How long lines are buffered. Short enough to be unnoticeable when following the log.
const GATHER: Duration = Duration::from_millis(20);
/// The default size of the buffer, in bytes.
pub(crate) const BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// The minimum size of the buffer, in bytes: nearly every line fits.
pub(crate) const BUFFER_BYTES_MIN: usize = 64 * 1024;
/// How long shutdown waits for the last lines to be written.
const FLUSH: Duration = Duration::from_secs(2);

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging to standard output. Dropping the guard writes the buffered lines, unless the
/// reader is blocked. `RUST_LOG` sets the filter at first; the default is `info`.
pub(crate) fn start(format: LogFormat, bytes_max: usize) -> (Guard, LogFilter) {
    let lines = Lines::new(bytes_max);
    let guard = Guard::start(lines.clone(), io::stdout(), FLUSH, report_dropped);
    let (layer, filter) = LogFilter::from_environment();
    let filtered = tracing_subscriber::registry().with(layer);
    let written = tracing_subscriber::fmt::layer().with_writer(lines);
    match format {
        LogFormat::Text => filtered.with(written).init(),
        LogFormat::Json => filtered.with(written.json().flatten_event(true)).init(),
    }
    (guard, filter)
}

fn report_dropped(lines: u64) {
    tracing::warn!(lines, "dropped {lines} log lines: the reader is too slow");
}

/// The buffer of lines for the writing thread.
#[derive(Clone)]
struct Lines(Arc<Shared>);

struct Shared {
    /// The size of the buffer in bytes. Further lines are dropped and counted: a request must not
    /// wait for the reader of the log.
    bytes_max: usize,
    state: Mutex<State>,
    /// Notified when the first line arrives or is dropped, or the guard is dropped.
    filled: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that were dropped since the buffer was last taken.
    dropped: u64,
    is_over: bool,
    has_ended: bool,
}

impl Lines {
    fn new(bytes_max: usize) -> Self {
        let (filled, ended) = (Condvar::new(), Condvar::new());
        Self(Arc::new(Shared { bytes_max, state: Mutex::default(), filled, ended }))
    }

    /// Lines are added as a whole, so a poisoned mutex leaves no partial line.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and takes them, with the number of lines dropped after them. Returns `None`
    /// once the guard was dropped and the buffer is empty.
    fn take(&self) -> Option<(Vec<u8>, u64)> {
        let is_quiet =
            |state: &mut State| state.waiting.is_empty() && state.dropped == 0 && !state.is_over;
        let state = self.0.filled.wait_while(self.state(), is_quiet);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        // Buffers until the time is over, the buffer is half full, or the guard is dropped.
        let half = self.0.bytes_max / 2;
        let gathering = |state: &mut State| !state.is_over && state.waiting.len() < half;
        let waited = self.0.filled.wait_timeout_while(state, GATHER, gathering);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut state.waiting);
        let dropped = std::mem::take(&mut state.dropped);
        (!lines.is_empty() || dropped > 0).then_some((lines, dropped))
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let (before, after) = (state.waiting.len(), state.waiting.len() + line.len());
        // A line that does not fit into an empty buffer is dropped as well.
        if after > self.0.bytes_max {
            state.dropped += 1;
            let wakes = state.dropped == 1;
            drop(state);
            if wakes {
                self.0.filled.notify_one();
            }
            return Ok(line.len());
        }
        state.waiting.extend_from_slice(line);
        let half = self.0.bytes_max / 2;
        let wakes = before == 0 || (before < half && after >= half);
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

/// Owns the writing thread. Dropping it writes the buffered lines, up to a timeout.
pub(crate) struct Guard {
    lines: Lines,
    flush: Duration,
}

impl Guard {
    fn start(
        lines: Lines,
        mut output: impl Write + Send + 'static,
        flush: Duration,
        report_dropped: impl Fn(u64) + Send + 'static,
    ) -> Self {
        let source = lines.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                while let Some((lines, dropped)) = source.take() {
                    // A write error of the log cannot be reported anywhere.
                    let _ = output.write_all(&lines).and_then(|()| output.flush());
                    if dropped > 0 {
                        report_dropped(dropped);
                    }
                }
                source.state().has_ended = true;
                source.0.ended.notify_all();
            })
            .expect("the system starts a few threads");
        Self { lines, flush }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.lines.state();
        state.is_over = true;
        self.lines.0.filled.notify_one();
        let is_writing = |state: &mut State| !state.has_ended;
        // A thread that is blocked by the reader ends with the process.
        let _ = self.lines.0.ended.wait_timeout_while(state, self.flush, is_writing);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{
            Arc, Mutex,
            mpsc::{Receiver, Sender, channel},
        },
        time::Duration,
    };

    use super::{BUFFER_BYTES, Guard, Lines};

    /// Far more than what is waited for should take.
    const PATIENCE: Duration = Duration::from_secs(20);

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
        let (lines, output) = (Lines::new(BUFFER_BYTES), Output::default());
        let guard = Guard::start(lines.clone(), output.clone(), PATIENCE, |_| {});
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

    /// Tells that something is to be written, and waits until it may be.
    struct Blocked {
        output: Output,
        begun: Sender<()>,
        allowed: Receiver<()>,
    }

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            // A reader that has gone allows everything.
            let _ = self.allowed.recv();
            self.output.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let (lines, output) = (Lines::new(BUFFER_BYTES), Output::default());
        let (begun, has_begun) = channel();
        let (allow, allowed) = channel();
        let blocked = Blocked { output: output.clone(), begun, allowed };
        let told = lines.clone();
        let guard = Guard::start(lines.clone(), blocked, PATIENCE, move |dropped| {
            told.clone().write_all(format!("dropped {dropped}\n").as_bytes()).unwrap();
        });
        let mut log = lines.clone();
        log.write_all(b"first\n").unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        // From here on nothing is read, and no writer waits for it.
        let line = [b"x".repeat(BUFFER_BYTES / 8 - 1), b"\n".to_vec()].concat();
        for _ in 0..11 {
            log.write_all(&line).unwrap();
        }
        assert_eq!(lines.state().waiting.len(), BUFFER_BYTES);
        drop(allow);
        drop(guard);
        let text = String::from_utf8(output.0.lock().unwrap().0.clone()).unwrap();
        let written: Vec<_> = text.lines().map(|line| &line[..line.len().min(9)]).collect();
        let mut expected = vec!["xxxxxxxxx"; 10];
        (expected[0], expected[9]) = ("first", "dropped 3");
        assert_eq!(written, expected);
    }

    #[test]
    fn a_line_that_is_too_long_for_the_buffer_is_told_of_also_if_it_is_the_only_one() {
        let lines = Lines::new(8);
        let (tell, told) = channel();
        let telling = move |dropped| tell.send(dropped).unwrap();
        let guard = Guard::start(lines.clone(), Output::default(), PATIENCE, telling);
        lines.clone().write_all(b"too long\n").unwrap();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
        lines.clone().write_all(b"too long\n").unwrap();
        drop(guard);
        assert_eq!(told.try_recv(), Ok(1), "at the end too");
    }

    #[test]
    fn an_output_that_nobody_reads_does_not_hold_up_the_end() {
        let lines = Lines::new(BUFFER_BYTES);
        let (begun, has_begun) = channel();
        let (_allow, allowed) = channel();
        let blocked = Blocked { output: Output::default(), begun, allowed };
        let guard = Guard::start(lines.clone(), blocked, Duration::from_millis(1), |_| {});
        lines.clone().write_all(b"a line\n").unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        drop(guard);
    }
}
