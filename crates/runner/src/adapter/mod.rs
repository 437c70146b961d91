//! What is particular to each agent's program: its arguments, its output and its exit codes.
//!
//! An adapter adds only arguments that make the output readable. What the agent is permitted to do
//! is for the user to say: no adapter adds an argument that skips or widens permissions.

mod arguments;
mod claude;
mod codex;
mod gemini;
mod opencode;
mod plain;
#[cfg(test)]
mod tests;

use std::{ffi::OsString, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    classify::Status,
    facts::{Facts, Kind, Printed, Progress, append},
    json::parse,
    lines::Line,
};

/// The programs whose output is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Claude Code: `claude -p`.
    Claude,
    /// Codex: `codex exec`.
    Codex,
    /// opencode: `opencode run`.
    Opencode,
    /// Gemini CLI: `gemini`.
    Gemini,
    /// Any other program: its exit code and its evidence are all there is.
    Plain,
}

/// Who runs an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// An ordinary user.
    Ordinary,
    /// The superuser, outside of what is known to be a sandbox.
    Root,
}

impl Tool {
    /// The adapter for a program, by the name of its file. Programs that start another one, such as
    /// `npx` or `env`, are not looked through.
    pub fn of_program(program: &str) -> Self {
        let file = program.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = file.strip_suffix(".exe").or_else(|| file.strip_suffix(".cmd")).unwrap_or(file);
        match name {
            "claude" => Self::Claude,
            "codex" => Self::Codex,
            "opencode" => Self::Opencode,
            "gemini" => Self::Gemini,
            _ => Self::Plain,
        }
    }

    /// The arguments with which the program prints events, one in a line. Arguments that choose
    /// another format are left as they are; then only the exit code tells how the run ended.
    #[must_use]
    pub fn arguments(self, arguments: Vec<OsString>) -> Vec<OsString> {
        match self {
            Self::Claude => claude::arguments(arguments),
            Self::Codex => codex::arguments(arguments),
            Self::Opencode => opencode::arguments(arguments),
            Self::Gemini => gemini::arguments(arguments),
            Self::Plain => arguments,
        }
    }

    /// What the program needs in its environment to be run by another program.
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // Otherwise a signal reaches only the process that started the one that works.
            Self::Gemini => &[("GEMINI_CLI_NO_RELAUNCH", "true")],
            _ => &[],
        }
    }

    /// What keeps an agent with these arguments from doing its work when no person is there to permit
    /// it: sentences, each with a remedy.
    pub fn warnings(self, arguments: &[OsString], user: User) -> Vec<String> {
        match self {
            Self::Claude => claude::warnings(arguments, user),
            Self::Codex => codex::warnings(arguments),
            Self::Gemini => gemini::warnings(arguments),
            Self::Opencode | Self::Plain => Vec::new(),
        }
    }

    /// The command with which a person goes on with a session of the program, in its work tree.
    pub fn resume(self, session: &str) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Self::Claude => &["claude", "--resume"],
            Self::Codex => &["codex", "resume"],
            Self::Opencode => &["opencode", "--session"],
            Self::Gemini => &["gemini", "--resume"],
            Self::Plain => return None,
        };
        Some(words.iter().copied().chain([session]).map(str::to_owned).collect())
    }

    /// Whether standard output must be a file: on a pipe the end of it is lost.
    pub fn needs_output_file(self) -> bool {
        self == Self::Gemini
    }

    /// How long the program may print nothing, where the user does not say. A tool that retries is
    /// silent for minutes, and a program that is not known may be silent until it ends.
    pub fn stall_default(self) -> Option<Duration> {
        (self != Self::Plain).then_some(Duration::from_mins(30))
    }

    /// Whether the program tells what a run costs.
    pub fn tells_cost(self) -> bool {
        matches!(self, Self::Claude | Self::Opencode)
    }

    /// Its name, as users choose it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Opencode => "opencode",
            Self::Gemini => "gemini",
            Self::Plain => "plain",
        }
    }

    /// The provider whose limit a run of the program meets: the name of its pool.
    pub fn pool(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some("anthropic"),
            Self::Codex => Some("openai"),
            Self::Gemini => Some("google"),
            // Both may use any provider.
            Self::Opencode | Self::Plain => None,
        }
    }

    /// The end that an exit code of the program reports when its output does not.
    pub(crate) fn end_of_code(self, code: i32) -> Option<Status> {
        match self {
            Self::Codex => codex::end_of_code(code),
            Self::Gemini => gemini::end_of_code(code),
            Self::Plain => plain::end_of_code(code),
            Self::Claude | Self::Opencode => None,
        }
    }
}

/// What is written to the program's standard input: the prompt, ending with a newline. It is written
/// as soon as the program runs, because Claude Code waits only three seconds for it, and standard
/// input is closed afterwards, because Codex and opencode read to its end before they start.
pub fn input(prompt: &str) -> Vec<u8> {
    let mut bytes = prompt.as_bytes().to_vec();
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    bytes
}

/// Reads the lines of one run. It never fails: what is not understood is skipped.
#[derive(Debug)]
pub struct Reader {
    tool: Tool,
    facts: Facts,
}

impl Reader {
    /// A reader for the output of a program that is about to start.
    pub fn new(tool: Tool) -> Self {
        Self { tool, facts: Facts::default() }
    }

    /// Takes a line of standard output and returns what is shown of it.
    pub fn output(&mut self, line: Line<'_>) -> Option<Progress> {
        let text = match line {
            Line::Whole(text) => text,
            Line::Cut(_) => {
                self.facts.printed = self.facts.printed.max(Printed::Text);
                self.facts.cut_lines += 1;
                return Progress::new(Kind::Notice, "A line was too long to be read");
            }
        };
        if text.trim_ascii().is_empty() {
            return None;
        }
        let facts = &mut self.facts;
        facts.printed = facts.printed.max(Printed::Text);
        match event(self.tool, text) {
            Some(event) => {
                facts.printed = Printed::Events;
                match self.tool {
                    Tool::Claude => claude::read(facts, &event),
                    Tool::Codex => codex::read(facts, &event),
                    Tool::Opencode => opencode::read(facts, &event),
                    Tool::Gemini => gemini::read(facts, &event),
                    Tool::Plain => None,
                }
            }
            None => plain::read(facts, text),
        }
    }

    /// Takes a line of standard error.
    pub fn error(&mut self, line: Line<'_>) {
        let (Line::Whole(text) | Line::Cut(text)) = line;
        append(&mut self.facts.error_tail, text);
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What is known at the end.
    pub fn into_facts(self) -> Facts {
        self.facts
    }
}

/// The event in a line. Output of commands inside of it need not be UTF-8.
fn event(tool: Tool, line: &[u8]) -> Option<Value> {
    let line = line.trim_ascii();
    if tool == Tool::Plain || !line.starts_with(b"{") {
        return None;
    }
    let value = match std::str::from_utf8(line) {
        Ok(_) => parse(line)?,
        Err(_) => parse(String::from_utf8_lossy(line).as_bytes())?,
    };
    value.get("type").is_some_and(Value::is_string).then_some(value)
}
