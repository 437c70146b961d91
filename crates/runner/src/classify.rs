//! Judges a run by its exit status and by what the program said.

use octopoid_domain::time::Millis;

use crate::{
    adapter::Tool,
    facts::{End, Facts, Printed},
    reasons,
};

/// How the program's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// How a run ended, as far as its program tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program says that it has finished. Whether there is any work is not known:
    /// [`without_evidence`] has the reason if there is none.
    Success,
    /// It failed, for a reason of [`octopoid_domain::failure::REASONS`].
    Failed(&'static str),
    /// It was stopped, or its output ends before the report of an end that it always prints.
    Interrupted,
    /// The program ended with exit code 0 and did not say how. Only evidence can tell.
    Unknown,
}

/// The judgement on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// For a person: what the program says about it, or what its exit status means.
    pub message: String,
    /// When a limit is reset. Given only with the reason `provider_limit`.
    pub not_before: Option<Millis>,
    /// Whether the program says that another attempt would fail as well.
    pub is_final: bool,
}

/// What an exit code says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The run failed.
    Failed(&'static str),
    /// The run failed, and another attempt would fail as well.
    Final(&'static str),
}

/// Judges a run. `was_stopped` says that the runner itself has told the process to stop: programs
/// then end with any exit code, with 0 too.
pub fn classify(tool: Tool, exit: Exit, was_stopped: bool, facts: &Facts) -> Verdict {
    let mut is_final = false;
    let outcome = match &facts.end {
        Some(End::Interrupted) => Outcome::Interrupted,
        Some(End::Failed { reason, .. }) => {
            Outcome::Failed(reason.or_else(|| of_code(tool, exit)).unwrap_or(reasons::OTHER))
        }
        // Its last event does not say that it is the last.
        Some(End::Success) if tool == Tool::Opencode => match exit {
            Exit::Code(0) if facts.summary.is_empty() && facts.cut_lines == 0 => {
                Outcome::Failed(reasons::EMPTY_OUTPUT)
            }
            Exit::Code(0) => Outcome::Success,
            _ => without_end(tool, exit, was_stopped, facts),
        },
        Some(End::Success) => Outcome::Success,
        None => {
            let status = match exit {
                Exit::Code(code) if !was_stopped => tool.end_of_code(code),
                _ => None,
            };
            is_final = matches!(status, Some(Status::Final(_)));
            without_end(tool, exit, was_stopped, facts)
        }
    };
    let is_limit = outcome == Outcome::Failed(reasons::PROVIDER_LIMIT);
    let not_before = facts.not_before.filter(|_| is_limit);
    Verdict { outcome, message: message(outcome, exit, facts), not_before, is_final }
}

/// The reason of a failure if a run that ended with [`Outcome::Success`] or [`Outcome::Unknown`] has
/// left no evidence of work.
pub fn without_evidence(facts: &Facts) -> &'static str {
    if !facts.denials.is_empty() {
        reasons::NEEDS_INPUT
    } else if facts.summary.trim().is_empty() && facts.plain_tail.is_empty() {
        reasons::EMPTY_OUTPUT
    } else {
        reasons::NO_CHANGE
    }
}

fn of_code(tool: Tool, exit: Exit) -> Option<&'static str> {
    let Exit::Code(code) = exit else { return None };
    tool.end_of_code(code).map(|(Status::Failed(reason) | Status::Final(reason))| reason)
}

/// The outcome of a run whose program has not reported its end.
fn without_end(tool: Tool, exit: Exit, was_stopped: bool, facts: &Facts) -> Outcome {
    if was_stopped {
        return Outcome::Interrupted;
    }
    if let Some(reason) = of_code(tool, exit) {
        return Outcome::Failed(reason);
    }
    match exit {
        Exit::Code(0) => without_end_and_error(tool, facts),
        Exit::Code(126 | 127) => Outcome::Failed(reasons::MISSING_TOOL),
        // A shell, and many programs, end with 128 and the number of the signal.
        Exit::Code(129 | 130 | 143) | Exit::Signal(1 | 2 | 15) => Outcome::Interrupted,
        Exit::Code(137) | Exit::Signal(9) => Outcome::Failed(reasons::OOM),
        Exit::Signal(_) => Outcome::Failed(reasons::CRASH),
        Exit::Code(_) => {
            // A command of the user may print anything: its words prove nothing.
            let is_known = tool != Tool::Plain;
            let tails = [&facts.error_tail, &facts.plain_tail];
            let named = tails.into_iter().find_map(|tail| reasons::of_text(tail));
            let refused =
                (is_known && facts.printed < Printed::Events).then_some(reasons::BAD_CONFIG);
            let named = named.filter(|_| is_known);
            Outcome::Failed(named.or(refused).unwrap_or(reasons::CRASH))
        }
    }
}

/// The outcome of a run that ended with exit code 0 and did not report an end.
fn without_end_and_error(tool: Tool, facts: &Facts) -> Outcome {
    match tool {
        Tool::Plain => Outcome::Unknown,
        _ if facts.printed == Printed::Nothing => Outcome::Failed(reasons::EMPTY_OUTPUT),
        // The user has chosen another format.
        _ if facts.printed == Printed::Text => Outcome::Unknown,
        // The end of the output may be lost in a pipe, or in a line that was too long.
        Tool::Gemini => Outcome::Unknown,
        _ if facts.cut_lines > 0 => Outcome::Unknown,
        _ => Outcome::Interrupted,
    }
}

fn message(outcome: Outcome, exit: Exit, facts: &Facts) -> String {
    let how = match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    };
    let said = match &facts.end {
        Some(End::Failed { message, .. }) => message,
        _ if matches!(outcome, Outcome::Success | Outcome::Unknown) => &facts.summary,
        _ => [&facts.last_error, &facts.error_tail, &facts.plain_tail]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or(&facts.last_error),
    };
    match outcome {
        Outcome::Success => said.clone(),
        Outcome::Failed(_) if facts.has_ended() && !said.is_empty() => said.clone(),
        Outcome::Failed(_) if said.is_empty() => format!("The program ended with {how}"),
        Outcome::Failed(_) => format!("The program ended with {how}: {said}"),
        Outcome::Interrupted => format!("The program was interrupted ({how})"),
        Outcome::Unknown => format!("The program ended with {how} and reported no result"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::Reader, lines::Line};

    fn judged(tool: Tool, exit: Exit, output: &[&str]) -> Verdict {
        let mut reader = Reader::new(tool);
        for line in output {
            reader.output(Line::Whole(line.as_bytes()));
        }
        classify(tool, exit, false, reader.facts())
    }

    #[test]
    fn exit_codes_of_a_plain_command() {
        let of = |exit| judged(Tool::Plain, exit, &["429 Too Many Requests"]).outcome;
        let failed = [
            (1, "other"),
            (65, "other"),
            (75, "setup_failed"),
            (77, "provider_auth"),
            (78, "bad_config"),
            (126, "missing_tool"),
            (127, "missing_tool"),
            (134, "crash"),
            (137, "oom"),
            (-1, "crash"),
        ];
        for (code, reason) in failed {
            assert_eq!(of(Exit::Code(code)), Outcome::Failed(reason), "{code}");
        }
        for exit in [Exit::Code(129), Exit::Code(130), Exit::Code(143), Exit::Signal(15)] {
            assert_eq!(of(exit), Outcome::Interrupted);
        }
        assert_eq!(of(Exit::Code(0)), Outcome::Unknown);
        assert_eq!(of(Exit::Signal(9)), Outcome::Failed("oom"));
        assert_eq!(of(Exit::Signal(11)), Outcome::Failed("crash"));
        let is_final = |code| judged(Tool::Plain, Exit::Code(code), &[]).is_final;
        assert!(is_final(65) && !is_final(75) && !is_final(1));
    }

    #[test]
    fn a_program_that_was_told_to_stop_is_interrupted_whatever_its_exit_code() {
        for tool in [Tool::Claude, Tool::Codex, Tool::Opencode, Tool::Gemini, Tool::Plain] {
            for exit in [Exit::Code(0), Exit::Code(1), Exit::Code(65), Exit::Signal(9)] {
                let verdict = classify(tool, exit, true, &Facts::default());
                assert_eq!((verdict.outcome, verdict.is_final), (Outcome::Interrupted, false));
            }
        }
    }

    #[test]
    fn silence_with_exit_code_0_is_empty_output() {
        for tool in [Tool::Claude, Tool::Codex, Tool::Opencode, Tool::Gemini] {
            assert_eq!(
                judged(tool, Exit::Code(0), &[" "]).outcome,
                Outcome::Failed("empty_output")
            );
            assert_eq!(judged(tool, Exit::Code(0), &["text"]).outcome, Outcome::Unknown);
            assert_eq!(judged(tool, Exit::Code(9), &[]).outcome, Outcome::Failed("bad_config"));
        }
    }

    #[test]
    fn a_lost_end_is_unknown_if_a_line_was_too_long() {
        let mut reader = Reader::new(Tool::Claude);
        reader.output(Line::Whole(br#"{"type":"system","subtype":"init"}"#));
        let of = |reader: &Reader| classify(Tool::Claude, Exit::Code(0), false, reader.facts());
        assert_eq!(of(&reader).outcome, Outcome::Interrupted);
        reader.output(Line::Cut(br#"{"type":"result""#));
        assert_eq!(of(&reader).outcome, Outcome::Unknown);
    }

    #[test]
    fn a_text_that_was_too_long_is_a_text() {
        let mut reader = Reader::new(Tool::Opencode);
        let end = br#"{"type":"step_finish","part":{"reason":"stop"}}"#;
        let of = |reader: &Reader| classify(Tool::Opencode, Exit::Code(0), false, reader.facts());
        reader.output(Line::Whole(end));
        assert_eq!(of(&reader).outcome, Outcome::Failed("empty_output"));
        reader.output(Line::Cut(br#"{"type":"text""#));
        reader.output(Line::Whole(end));
        assert_eq!(of(&reader).outcome, Outcome::Success);
    }

    #[test]
    fn what_a_run_without_evidence_lacks() {
        let mut facts = Facts::default();
        assert_eq!(without_evidence(&facts), "empty_output");
        facts.summarize("All done.");
        assert_eq!(without_evidence(&facts), "no_change");
        facts.deny("Bash", "git commit");
        assert_eq!(without_evidence(&facts), "needs_input");
    }

    #[test]
    fn messages_name_the_exit_status_where_the_program_says_nothing() {
        let of = |code, output| judged(Tool::Plain, Exit::Code(code), output).message;
        assert_eq!(of(3, &[]), "The program ended with exit code 3");
        assert_eq!(of(3, &["a", "b"]), "The program ended with exit code 3: a\nb");
        assert_eq!(of(143, &[]), "The program was interrupted (exit code 143)");
    }
}
