//! What the output of an agent's program says about its run.

use octopoid_domain::{text::cut, time::Millis, usage::Usage};

/// Bytes that are kept of the agent's last text.
pub const SUMMARY_BYTES_MAX: usize = 8 << 10;
/// Bytes that are kept of an error message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Bytes that are kept of the end of standard error, and of output that is not JSON.
pub const TAIL_BYTES_MAX: usize = 2 << 10;
/// Refused calls that are kept.
pub const DENIALS_MAX: usize = 20;
/// Characters of a line that is shown as progress.
pub const PROGRESS_CHARS_MAX: usize = 200;
/// Bytes of the id of a session, the name of a model and the name of a tool.
const NAME_BYTES_MAX: usize = 256;

/// What is known of a run from the lines that the program has printed so far. Its size is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The end that the program reported. None: it has not reported any, and may have been stopped.
    pub end: Option<End>,
    /// The session or thread, with which the program can go on.
    pub session: Option<String>,
    /// What the run has used, as far as the program says it. The time is not measured here.
    pub usage: Usage,
    /// The last text of the agent, cut to [`SUMMARY_BYTES_MAX`].
    pub summary: String,
    /// Calls of tools that were not permitted, at most [`DENIALS_MAX`]. A run may have them and
    /// still have done its work in another way.
    pub denials: Vec<Denial>,
    /// When the provider's limit is reset, if the program says it with a date.
    pub not_before: Option<Millis>,
    /// What was printed on standard output.
    pub printed: Printed,
    /// Lines that were too long to be read. The report of the end may have been one of them.
    pub cut_lines: u64,
    /// The end of the output that is not JSON.
    pub plain_tail: String,
    /// The end of standard error.
    pub error_tail: String,
    /// The last error that the program reported and that did not end the run.
    pub(crate) last_error: String,
    /// The kind of that error, where the program names one.
    pub(crate) error_kind: String,
    /// Whether the last call of a tool was refused.
    pub(crate) is_last_call_denied: bool,
    /// Whether the summary is to be replaced by the next piece of text.
    pub(crate) is_summary_done: bool,
}

/// What a program has printed on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Printed {
    /// Nothing but empty lines.
    #[default]
    Nothing,
    /// Lines, none of which was an event of the program's format.
    Text,
    /// Events.
    Events,
}

/// The end of a run as its program reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The agent has finished. There need not be any work.
    Success,
    /// The run has failed.
    Failed {
        /// One of [`crate::reasons`]. None: only the exit code may tell.
        reason: Option<&'static str>,
        /// What the program says about it.
        message: String,
    },
    /// The program was told to stop.
    Interrupted,
}

/// A call of a tool that was not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The tool's name.
    pub tool: String,
    /// The command or the reason, in one line.
    pub detail: String,
}

/// What is shown of one line while the agent works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What kind of line it is.
    pub kind: Kind,
    /// One line of at most [`PROGRESS_CHARS_MAX`] characters, without control characters.
    pub text: String,
}

/// The kinds of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of the agent, or a line of a program that is not known.
    Text,
    /// A call of a tool.
    Tool,
    /// Something that a person may want to know: a retry, a limit, a refused call.
    Notice,
}

impl Progress {
    /// Progress with this text. There is none if the text has nothing to show.
    pub fn new(kind: Kind, text: &str) -> Option<Self> {
        let text = one_line(text);
        (!text.is_empty()).then_some(Self { kind, text })
    }
}

impl Facts {
    /// Whether the program reported its end.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) fn fail(&mut self, reason: Option<&'static str>, message: &str) {
        let message = cut(message.trim(), MESSAGE_BYTES_MAX).to_owned();
        self.end = Some(End::Failed { reason, message });
    }

    pub(crate) fn summarize(&mut self, text: &str) {
        cut(text, SUMMARY_BYTES_MAX).clone_into(&mut self.summary);
    }

    /// Adds a piece to the summary, or begins a new one after [`Self::is_summary_done`].
    pub(crate) fn add_to_summary(&mut self, piece: &str) {
        if std::mem::take(&mut self.is_summary_done) {
            self.summary.clear();
        }
        let room = SUMMARY_BYTES_MAX.saturating_sub(self.summary.len());
        self.summary.push_str(cut(piece, room));
    }

    pub(crate) fn deny(&mut self, tool: &str, detail: &str) {
        if self.denials.len() < DENIALS_MAX {
            let detail = one_line(detail);
            self.denials.push(Denial { tool: cut(tool, NAME_BYTES_MAX).to_owned(), detail });
        }
    }

    pub(crate) fn note_error(&mut self, message: &str) {
        cut(message, MESSAGE_BYTES_MAX).clone_into(&mut self.last_error);
    }

    /// Changes the texts that quote what the agent wrote or read: they may have secrets.
    pub(crate) fn redact(&mut self, redact: impl Fn(String) -> String) {
        let texts =
            [&mut self.summary, &mut self.plain_tail, &mut self.error_tail, &mut self.last_error];
        let denials = self.denials.iter_mut().map(|denial| &mut denial.detail);
        let end = match &mut self.end {
            Some(End::Failed { message, .. }) => Some(message),
            _ => None,
        };
        for text in texts.into_iter().chain(denials).chain(end) {
            *text = redact(std::mem::take(text));
        }
    }

    pub(crate) fn set_session(&mut self, id: &str) {
        if !id.is_empty() {
            self.session = Some(cut(id, NAME_BYTES_MAX).to_owned());
        }
    }

    pub(crate) fn set_model(&mut self, name: &str) {
        if !name.is_empty() {
            self.usage.model = Some(cut(name, NAME_BYTES_MAX).to_owned());
        }
    }
}

/// Appends a line to the end of a text, which keeps its last [`TAIL_BYTES_MAX`] bytes.
pub(crate) fn append(tail: &mut String, line: &[u8]) {
    let line = &line[line.len().saturating_sub(TAIL_BYTES_MAX)..];
    let line = plain(&String::from_utf8_lossy(line));
    let line = line.trim_end();
    if line.is_empty() {
        return;
    }
    if !tail.is_empty() {
        tail.push('\n');
    }
    tail.push_str(line);
    let surplus = tail.len().saturating_sub(TAIL_BYTES_MAX);
    tail.drain(..tail.ceil_char_boundary(surplus));
}

/// The text in one line, without what would control a terminal, and cut.
pub(crate) fn one_line(text: &str) -> String {
    // What is dropped counts too: the work is bounded by what is shown.
    let text = plain(cut(text, 8 * PROGRESS_CHARS_MAX));
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(PROGRESS_CHARS_MAX) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

/// The text without escape sequences and control characters other than white space.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // `ESC [ 9 1 m`: the sequence ends with its first letter.
            if rest.as_str().starts_with('[') {
                rest.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
        } else if !c.is_control() || c.is_whitespace() {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{
        Facts, Kind, PROGRESS_CHARS_MAX, Progress, SUMMARY_BYTES_MAX, TAIL_BYTES_MAX, append,
    };

    #[test]
    fn progress_is_one_short_line() {
        let shown = |text: &str| Progress::new(Kind::Text, text).map(|progress| progress.text);
        assert_eq!(shown(" a\n\tb\u{7} \u{1b}[91m\u{1b}[1mc\u{1b}[0m "), Some("a b c".into()));
        assert_eq!(shown(" \n\u{1b}[0m"), None);
        let long = shown(&"ü".repeat(5_000)).unwrap();
        assert_eq!(long.chars().count(), PROGRESS_CHARS_MAX + 1);
    }

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = String::new();
        append(&mut tail, b"one");
        append(&mut tail, b" ");
        append(&mut tail, b"t\xffwo\r");
        assert_eq!(tail, "one\nt\u{fffd}wo");
        append(&mut tail, "ü".repeat(5_000).as_bytes());
        append(&mut tail, b"end");
        assert!(tail.len() <= TAIL_BYTES_MAX && tail.ends_with("ü\nend"), "{}", tail.len());
    }

    #[test]
    fn a_summary_is_bounded() {
        let mut facts = Facts::default();
        for _ in 0..3 {
            facts.add_to_summary(&"ü".repeat(SUMMARY_BYTES_MAX / 3));
        }
        assert_eq!(facts.summary.len(), SUMMARY_BYTES_MAX);
        facts.is_summary_done = true;
        facts.add_to_summary("next");
        assert_eq!(facts.summary, "next");
    }
}
