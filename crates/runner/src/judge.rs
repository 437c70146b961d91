//! Decides how a run ends: from how its program ended, what the agent says, the evidence in git and
//! the results of the checks.
//!
//! An agent is believed when it says that it is not done. That it is done needs evidence: commits,
//! and checks that pass.

use octopoid_domain::{report::MESSAGE_BYTES_MAX, text::cut, time::Millis};

use crate::{
    classify::{self, Outcome, Verdict},
    facts::Facts,
    mailbox::{Said, Word},
    reasons,
};

/// Why the runner has stopped a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The task is cancelled.
    Cancelled,
    /// Another run has the task, or it is not held any more.
    LeaseLost,
    /// The runner was told to stop.
    Drained,
    /// Nothing was heard of the agent for too long.
    Stalled(String),
    /// It ran for too long.
    Timeout(String),
    /// It wrote too much.
    TooMuch(String),
}

/// What to do when an agent says that there was nothing to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoChange {
    /// Submit it, so that a reviewer decides.
    #[default]
    Review,
    /// Fail the attempt.
    Fail,
}

/// What a run has left in git.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// New commits.
    pub commits: u64,
    /// Paths with changes that are not committed, at most 20.
    pub dirty: Vec<String>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The command.
    pub command: String,
    /// Its exit code; 128 and the number of the signal if one ended it, 124 after a timeout.
    pub exit_code: i32,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The end of its output.
    pub tail: String,
}

/// What is known of a run when it has ended.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// How the program ended.
    pub verdict: &'a Verdict,
    /// What the program has printed.
    pub facts: &'a Facts,
    /// Why the runner stopped it, if it did.
    pub cause: Option<&'a Cause>,
    /// What the agent said.
    pub said: Option<&'a Said>,
    /// What is in git.
    pub evidence: &'a Evidence,
    /// What to do when nothing had to be changed.
    pub no_change: NoChange,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is reported: the lease is lost.
    Nothing,
    /// The work is submitted.
    Submit,
    /// The run fails.
    Fail(Failure),
}

/// How a run fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// A reason of [`octopoid_domain::failure::REASONS`].
    pub reason: String,
    /// What a person reads.
    pub message: String,
    /// Whether another attempt would fail as well.
    pub is_final: bool,
    /// When a provider's limit is reset.
    pub not_before: Option<Millis>,
}

impl Failure {
    /// A failure with a message, which is cut.
    pub fn new(reason: &str, message: &str) -> Self {
        let message = cut(message.trim(), MESSAGE_BYTES_MAX).to_owned();
        Self { reason: reason.to_owned(), message, ..Self::default() }
    }
}

fn fail(reason: &str, message: &str) -> End {
    End::Fail(Failure::new(reason, message))
}

/// Decides how a run ends before its checks are run. They are run only if this is [`End::Submit`].
pub fn judge(case: &Case<'_>) -> End {
    if let Some(cause) = case.cause {
        return stopped(cause);
    }
    if let Outcome::Failed(reason) = case.verdict.outcome {
        let Verdict { message, not_before, is_final, .. } = case.verdict;
        let failure = Failure::new(reason, message);
        return End::Fail(Failure { is_final: *is_final, not_before: *not_before, ..failure });
    }
    if case.verdict.outcome == Outcome::Interrupted {
        return fail(reasons::CRASH, &case.verdict.message);
    }
    match case.said {
        Some(said) => told(case, said),
        None => shown(case, ""),
    }
}

/// The exit codes of a check that could not be run: they say nothing about the work. One that took too
/// long does, because work may hang.
const NOT_RUN: [i32; 2] = [126, 127];

/// What follows from the results of the checks.
pub fn checked(checks: &[Check]) -> End {
    let failed: Vec<_> = checks.iter().filter(|check| check.exit_code != 0).collect();
    let Some(first) = failed.first() else { return End::Submit };
    if NOT_RUN.contains(&first.exit_code) {
        let Check { command, tail, .. } = first;
        return fail(
            reasons::SETUP_FAILED,
            &format!("The check `{command}` cannot be run:\n{tail}"),
        );
    }
    let others = match failed.len() - 1 {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    // The end of the output says most; the beginning of the message is what is kept.
    let head = format!("`{}` ended with {}{others}:\n", first.command, first.exit_code);
    let room = MESSAGE_BYTES_MAX.saturating_sub(head.len());
    let from = first.tail.ceil_char_boundary(first.tail.len().saturating_sub(room));
    fail(CHECK_FAILED, &format!("{head}{}", &first.tail[from..]))
}

/// The reason of a run whose checks failed.
pub const CHECK_FAILED: &str = "check_failed";

/// The end of a run that the runner has stopped: its cause alone decides.
pub fn stopped(cause: &Cause) -> End {
    match cause {
        Cause::LeaseLost => End::Nothing,
        Cause::Cancelled => {
            fail("cancelled", "The agent was stopped because the task is cancelled")
        }
        Cause::Drained => fail("drained", "The runner was stopped; the work tree is kept"),
        Cause::Stalled(how) => fail("stalled", how),
        Cause::Timeout(how) => fail("timeout", how),
        Cause::TooMuch(how) => fail(reasons::OTHER, how),
    }
}

/// The end that the agent itself names.
fn told(case: &Case<'_>, said: &Said) -> End {
    let or = |otherwise: &str| match (said.message.is_empty(), case.facts.summary.is_empty()) {
        (false, _) => said.message.clone(),
        (true, false) => case.facts.summary.clone(),
        (true, true) => otherwise.to_owned(),
    };
    match said.word {
        Word::Blocked => fail("blocked", &or("The agent is blocked and does not say by what")),
        Word::NeedsInput => {
            fail(reasons::NEEDS_INPUT, &or("The agent needs an answer and does not say to what"))
        }
        Word::Failed => fail(reasons::OTHER, &or("The agent says that it has failed")),
        Word::NoChange if case.evidence.commits == 0 && case.evidence.dirty.is_empty() => {
            match case.no_change {
                NoChange::Review => End::Submit,
                NoChange::Fail => {
                    fail(reasons::NO_CHANGE, &or("The agent says that there was nothing to change"))
                }
            }
        }
        Word::Done | Word::NoChange | Word::Accept | Word::Reject => shown(case, &said.message),
    }
}

/// The end that the evidence shows.
fn shown(case: &Case<'_>, said: &str) -> End {
    let Evidence { commits, dirty } = case.evidence;
    if *commits > 0 {
        return End::Submit;
    }
    if !dirty.is_empty() {
        let paths = dirty.join(", ");
        let text =
            format!("The agent left changes without a commit: {paths}. The work tree is kept");
        return fail(reasons::NO_CHANGE, &text);
    }
    let reason = classify::without_evidence(case.facts);
    let Facts { summary, plain_tail, .. } = case.facts;
    let texts = [said, summary, plain_tail];
    let text = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let message = match reason {
        reasons::NEEDS_INPUT => {
            let denials = case.facts.denials.iter().take(5);
            let denials: Vec<_> =
                denials.map(|denial| format!("{} {}", denial.tool, denial.detail)).collect();
            format!(
                "The agent was not permitted to do its work: {}. Permit it in the agent's command or \
                 configuration, then answer",
                denials.join("; ")
            )
        }
        reasons::EMPTY_OUTPUT => "The agent ended without an error, a text or a commit".to_owned(),
        _ => format!("The agent ended without an error and without a commit. It said: {text}"),
    };
    fail(reason, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Denial;

    struct Run {
        verdict: Verdict,
        facts: Facts,
        cause: Option<Cause>,
        said: Option<Said>,
        evidence: Evidence,
        no_change: NoChange,
    }

    fn run() -> Run {
        Run {
            verdict: Verdict {
                outcome: Outcome::Success,
                message: String::new(),
                not_before: None,
                is_final: false,
            },
            facts: Facts { summary: "All done.".to_owned(), ..Facts::default() },
            cause: None,
            said: None,
            evidence: Evidence::default(),
            no_change: NoChange::Review,
        }
    }

    fn end(run: &Run) -> (String, String) {
        let Run { verdict, facts, cause, said, evidence, no_change } = run;
        let (cause, said, no_change) = (cause.as_ref(), said.as_ref(), *no_change);
        match judge(&Case { verdict, facts, cause, said, evidence, no_change }) {
            End::Nothing => ("nothing".to_owned(), String::new()),
            End::Submit => ("submit".to_owned(), String::new()),
            End::Fail(failure) => (failure.reason, failure.message),
        }
    }

    fn said(text: &str) -> Option<Said> {
        Said::parse(text)
    }

    #[test]
    fn done_needs_evidence() {
        let commits = |commits| Evidence { commits, dirty: Vec::new() };
        for word in [None, said("done"), said("no_change")] {
            let run = Run { said: word, evidence: commits(1), ..run() };
            assert_eq!(end(&run).0, "submit");
        }
        let nothing = Run { said: said("done"), ..run() };
        assert_eq!(end(&nothing).0, "no_change");
        assert!(end(&nothing).1.ends_with("All done."));
        let silent = Run { facts: Facts::default(), ..run() };
        assert_eq!(end(&silent).0, "empty_output");
        let dirty = Evidence { commits: 0, dirty: vec!["a b.rs".to_owned()] };
        let dirty = Run { said: said("no_change"), evidence: dirty, ..run() };
        assert_eq!(end(&dirty).0, "no_change");
        assert!(end(&dirty).1.contains("a b.rs"));
    }

    #[test]
    fn an_agent_that_was_not_permitted_asks_a_person() {
        let denial = Denial { tool: "Bash".to_owned(), detail: "git commit".to_owned() };
        let mut denied = run();
        denied.facts.denials.push(denial);
        let (reason, message) = end(&denied);
        assert_eq!(reason, "needs_input");
        assert!(message.contains("Bash git commit"), "{message}");
        denied.evidence.commits = 1;
        assert_eq!(end(&denied).0, "submit");
    }

    #[test]
    fn an_agent_is_believed_when_it_is_not_done() {
        for (text, reason, message) in [
            ("blocked\nno database", "blocked", "no database"),
            ("needs_input\nWhich port?", "needs_input", "Which port?"),
            ("failed", "other", "All done."),
        ] {
            let evidence = Evidence { commits: 3, dirty: Vec::new() };
            let run = Run { said: said(text), evidence, ..run() };
            assert_eq!(end(&run), (reason.to_owned(), message.to_owned()));
        }
        let review = Run { said: said("no_change"), ..run() };
        assert_eq!(end(&review).0, "submit");
        assert_eq!(end(&Run { no_change: NoChange::Fail, ..review }).0, "no_change");
    }

    #[test]
    fn what_the_program_says_of_its_end_goes_before_what_the_agent_says() {
        let failed = |outcome| Verdict { outcome, message: "why".to_owned(), ..run().verdict };
        let evidence = Evidence { commits: 1, dirty: Vec::new() };
        let limit = failed(Outcome::Failed(reasons::PROVIDER_LIMIT));
        let limit = Run { verdict: limit, said: said("done"), evidence, ..run() };
        assert_eq!(end(&limit), ("provider_limit".to_owned(), "why".to_owned()));
        let interrupted = Run { verdict: failed(Outcome::Interrupted), ..run() };
        assert_eq!(end(&interrupted).0, "crash");
    }

    #[test]
    fn a_run_that_was_stopped_ends_as_its_cause_says() {
        for (cause, reason) in [
            (Cause::LeaseLost, "nothing"),
            (Cause::Cancelled, "cancelled"),
            (Cause::Drained, "drained"),
            (Cause::Stalled("s".to_owned()), "stalled"),
            (Cause::Timeout("t".to_owned()), "timeout"),
            (Cause::TooMuch("m".to_owned()), "other"),
        ] {
            let evidence = Evidence { commits: 1, dirty: Vec::new() };
            let run = Run { cause: Some(cause), said: said("done"), evidence, ..run() };
            assert_eq!(end(&run).0, reason);
        }
    }

    #[test]
    fn every_check_must_pass() {
        let check = |exit_code, tail: &str| Check {
            command: "cargo test".to_owned(),
            exit_code,
            seconds: 1.0,
            tail: tail.to_owned(),
        };
        assert_eq!(checked(&[]), End::Submit);
        assert_eq!(checked(&[check(0, "")]), End::Submit);
        let End::Fail(failure) =
            checked(&[check(0, ""), check(101, &"ü".repeat(5_000)), check(1, "")])
        else {
            panic!("a check failed")
        };
        assert_eq!(failure.reason, CHECK_FAILED);
        assert!(failure.message.starts_with("`cargo test` ended with 101 (and 1 more):\nü"));
        assert!(failure.message.ends_with('ü') && failure.message.len() <= MESSAGE_BYTES_MAX);
    }
}
