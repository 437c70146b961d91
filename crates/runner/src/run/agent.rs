//! Reads what an agent prints and writes while it works.

use std::{fs::File, io::Write as _, path::PathBuf};

use octopoid_domain::{input::Prose, report::NewProgress, usage::Usage};

use super::supervise::Sink;
use crate::{
    adapter::{Reader, Tool},
    disk::free_bytes,
    environment::Redactor,
    facts::{Facts, Kind, Printed, Progress},
    judge::Cause,
    keeper::Keeper,
    lines::{Line, Splitter},
    log::Log,
    mailbox::Mailbox,
    process::Stream,
};

/// Bytes of a line of a program that is not known, in the log.
const LOG_LINE_BYTES_MAX: usize = 4 << 10;

/// Bytes of standard error that are shown in the log: some programs repeat themselves there.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// What an agent prints and writes.
pub(super) struct Agent {
    tool: Tool,
    reader: Reader,
    output: Splitter,
    error: Splitter,
    error_shown: usize,
    /// Everything it prints, as far as the limit goes.
    kept: Option<File>,
    room: u64,
    log: Log,
    redactor: Redactor,
    mailbox: Mailbox,
    shown: Option<String>,
    tree: PathBuf,
    free_bytes_min: u64,
}

/// What an agent needs to be read.
pub(super) struct Reading<'a> {
    pub(super) tool: Tool,
    pub(super) kept: Option<File>,
    pub(super) kept_bytes_max: u64,
    pub(super) log: &'a Log,
    pub(super) redactor: &'a Redactor,
    pub(super) mailbox: &'a Mailbox,
    pub(super) tree: PathBuf,
    pub(super) free_bytes_min: u64,
}

impl Agent {
    pub(super) fn new(reading: Reading<'_>) -> Self {
        Self {
            tool: reading.tool,
            reader: Reader::new(reading.tool),
            output: Splitter::default(),
            error: Splitter::default(),
            error_shown: 0,
            kept: reading.kept,
            room: reading.kept_bytes_max,
            log: reading.log.clone(),
            redactor: reading.redactor.clone(),
            mailbox: reading.mailbox.clone(),
            shown: None,
            tree: reading.tree,
            free_bytes_min: reading.free_bytes_min,
        }
    }

    /// What is known at the end.
    pub(super) fn finish(mut self) -> Facts {
        let (output, error) = (std::mem::take(&mut self.output), std::mem::take(&mut self.error));
        output.finish(|line| self.output_line(line));
        error.finish(|line| self.error_line(line));
        self.reader.into_facts()
    }

    fn output_line(&mut self, line: Line<'_>) {
        let progress = self.reader.output(line);
        // What is not an event is shown as it is.
        let is_event = self.tool != Tool::Plain && self.reader.facts().printed == Printed::Events;
        match (progress, line) {
            (Some(_), Line::Whole(text)) if !is_event => self.log_raw(text),
            (Some(Progress { kind, text }), _) => {
                let sign = match kind {
                    Kind::Text => "",
                    Kind::Tool => "> ",
                    Kind::Notice => "! ",
                };
                let text = self.redactor.redact(text);
                self.log.line(&format!("{sign}{text}"));
                if self.tool != Tool::Plain {
                    self.shown = Some(text);
                }
            }
            // Blank lines belong to a text.
            (None, Line::Whole(text)) if self.tool == Tool::Plain => self.log_raw(text),
            (None, _) => {}
        }
    }

    fn error_line(&mut self, line: Line<'_>) {
        self.reader.error(line);
        let (Line::Whole(text) | Line::Cut(text)) = line;
        if self.error_shown < ERROR_BYTES_MAX && !text.trim_ascii().is_empty() {
            self.error_shown += text.len();
            self.log_raw(text);
        }
    }

    fn log_raw(&self, line: &[u8]) {
        let line = &line[..line.len().min(LOG_LINE_BYTES_MAX)];
        let text = crate::facts::plain(&String::from_utf8_lossy(line));
        self.log.line(&self.redactor.redact(text.trim_end().to_owned()));
    }

    fn keep(&mut self, piece: &[u8]) {
        let Some(file) = &mut self.kept else { return };
        let part = &piece[..piece.len().min(usize::try_from(self.room).unwrap_or(usize::MAX))];
        self.room -= part.len() as u64;
        // A full disk does not end the run by itself: the agent may free it.
        let _ = file.write_all(part);
        if self.room == 0 {
            let _ = file.write_all(b"\n[the rest is not kept]\n");
            self.kept = None;
        }
    }
}

impl Sink for Agent {
    fn output(&mut self, stream: Stream, piece: &[u8]) {
        self.keep(piece);
        match stream {
            Stream::Output => {
                let mut splitter = std::mem::take(&mut self.output);
                splitter.push(piece, |line| self.output_line(line));
                self.output = splitter;
            }
            Stream::Error => {
                let mut splitter = std::mem::take(&mut self.error);
                splitter.push(piece, |line| self.error_line(line));
                self.error = splitter;
            }
        }
    }

    fn tick(&mut self, keeper: &Keeper) -> Option<Cause> {
        let redact = |said: NewProgress| {
            let message = said.message.0.map(|text| self.redactor.redact(text));
            NewProgress { message: Prose(message), ..said }
        };
        let said = self.mailbox.progress().map(redact);
        let shown =
            self.shown.take().map(|text| NewProgress { message: Prose(Some(text)), percent: None });
        let progress = said.or(shown);
        let checkpoint = self.redactor.redact_json(self.mailbox.checkpoint().unwrap_or_default());
        let usage = &self.reader.facts().usage;
        keeper.report(|report| {
            let text = |progress: &Option<NewProgress>| {
                progress
                    .as_ref()
                    .map(|said| (said.message.0.clone(), said.percent.map(f64::to_bits)))
            };
            let is_new = progress.is_some() && text(&progress) != text(&report.progress);
            let is_other = !checkpoint.is_null() && checkpoint != report.checkpoint;
            if is_new {
                report.progress.clone_from(&progress);
            }
            if is_other {
                report.checkpoint = checkpoint;
            }
            if *usage != Usage::default() {
                report.usage = Some(usage.clone());
            }
            is_new || is_other
        });
        let free = free_bytes(&self.tree).ok()?;
        (free < self.free_bytes_min).then(|| {
            let (free, min) = (free >> 20, self.free_bytes_min >> 20);
            Cause::TooMuch(format!(
                "The disk of the work tree has {free} MiB left, less than {min} MiB"
            ))
        })
    }

    fn wrap_up(&mut self) {
        let text = "The machine is drained: finish what you have, commit it, and write the outcome";
        let _ = self.mailbox.tell("wrap_up", text);
        self.log.line("octopoid: the machine is drained, the agent was told to come to an end");
    }
}
