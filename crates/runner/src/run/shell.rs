//! Commands of the user that are run beside the agent: setup and checks.

use std::{ffi::OsString, path::Path};

use octopoid_domain::report::SUMMARY_BYTES_MAX;
use tokio::time::Instant;

use super::{
    Run,
    supervise::{Patience, Sink, Supervised, supervise},
};
use crate::{
    classify::Exit,
    environment::{Redactor, Variables},
    judge::{Cause, Check},
    lines::{Line, Splitter},
    log::Log,
    process::{Child, Command, Output, Stream},
};

/// The exit code of a command that took too long, as that of `timeout`.
const TIMED_OUT: i32 = 124;

/// Bytes of a line in the log.
const LINE_BYTES_MAX: usize = 4 << 10;

/// The output of a command.
struct Shown {
    splitters: [Splitter; 2],
    tail: String,
    log: Log,
    redactor: Redactor,
}

impl Shown {
    fn line(&mut self, line: Line<'_>) {
        let (Line::Whole(text) | Line::Cut(text)) = line;
        let text = crate::facts::plain(&String::from_utf8_lossy(text));
        let text = self.redactor.redact(text.trim_end().to_owned());
        self.log.line(&text);
        self.tail.push_str(&text);
        self.tail.push('\n');
        let surplus = self.tail.len().saturating_sub(SUMMARY_BYTES_MAX);
        self.tail.drain(..self.tail.ceil_char_boundary(surplus));
    }
}

impl Sink for Shown {
    fn output(&mut self, stream: Stream, piece: &[u8]) {
        let at = usize::from(stream == Stream::Error);
        let mut splitter = std::mem::take(&mut self.splitters[at]);
        splitter.push(piece, |line| self.line(line));
        self.splitters[at] = splitter;
    }
}

impl Run {
    /// Runs a command of the user in a work tree. A cause says that the run was stopped meanwhile.
    pub(super) async fn shell(
        &mut self,
        command: &str,
        dir: &Path,
        environment: Variables,
    ) -> std::io::Result<(Check, Option<Cause>)> {
        self.log.line(&format!("octopoid: $ {command}"));
        let started = Instant::now();
        let words: [OsString; 3] = ["/bin/sh".into(), "-c".into(), command.into()];
        let child = Child::start(&Command {
            guard: &self.shared.config.guard,
            program: &words,
            dir,
            environment: &environment,
            stdin: Path::new("/dev/null"),
            mark: &self.record.mark,
            output: &Output::Pipe,
            files: &self.folder.path,
            grace: self.shared.config.limits.grace,
        })?;
        let splitters = [Splitter::new(LINE_BYTES_MAX), Splitter::new(LINE_BYTES_MAX)];
        let mut shown = Shown {
            splitters,
            tail: String::new(),
            log: self.log.clone(),
            redactor: self.redactor.clone(),
        };
        let timeout = Some(self.shared.config.limits.hook_timeout);
        let patience = Patience { timeout, stall: None };
        let shared = &self.shared;
        let Supervised { ended, cause } =
            supervise(child, &mut self.keeper, shared, patience, &mut shown).await?;
        for splitter in std::mem::take(&mut shown.splitters) {
            splitter.finish(|line| shown.line(line));
        }
        let is_timeout = matches!(cause, Some(Cause::Timeout(_)));
        let exit_code = match ended.exit {
            _ if is_timeout => TIMED_OUT,
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        };
        let check = Check {
            command: command.to_owned(),
            exit_code,
            seconds: started.elapsed().as_secs_f64(),
            tail: shown.tail,
        };
        self.log.line(&format!("octopoid: ended with {exit_code}"));
        Ok((check, cause.filter(|_| !is_timeout)))
    }
}
