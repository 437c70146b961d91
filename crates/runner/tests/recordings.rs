//! Real output of the programs, recorded in several hundred situations, is judged as it should be.
//!
//! `streams/<tool>/` has the recordings, with `meta.json` about each of them, and
//! `streams/expected.tsv` what was to be found in them, written by hand.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use octopoid_runner::{
    adapter::{Reader, Tool},
    classify::{Exit, Outcome, Verdict, classify},
    facts::Facts,
    lines::Splitter,
};
use serde_json::Value;

/// The directories of recordings.
const DIRECTORIES: [&str; 5] = ["claude", "claude-2.1.197", "codex", "opencode", "gemini"];

/// A row of the table of expectations.
struct Expected {
    outcome: String,
    reason: String,
    denials: usize,
}

fn streams() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams")
}

fn expected() -> BTreeMap<(String, String), Expected> {
    let table = fs::read_to_string(streams().join("expected.tsv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [tool, run, outcome, reason, denials, _comment] = fields.try_into().unwrap();
        ((tool, run), Expected { outcome, reason, denials: denials.parse().unwrap() })
    };
    table.lines().skip(1).map(row).collect()
}

fn meta(directory: &str) -> Value {
    let text = fs::read_to_string(streams().join(directory).join("meta.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn exit(about: &Value) -> Exit {
    let signal = match about["killed_by_signal"].as_str() {
        Some("SIGTERM") => 15,
        Some("SIGINT") => 2,
        Some("SIGKILL") => 9,
        Some(other) => panic!("{other}"),
        None => return Exit::Code(about["exit_code"].as_i64().unwrap().try_into().unwrap()),
    };
    Exit::Signal(signal)
}

/// Whether the recorder has told the program to stop, as the runner does.
fn was_stopped(about: &Value) -> bool {
    let actions = about["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_signal = |action: &Value| action.get("signal").is_some();
    about["timed_out_by_harness"] == true || actions.iter().any(is_signal)
}

fn read(directory: &str, run: &str) -> Option<(Tool, Facts)> {
    let file = |ending: &str| streams().join(directory).join(format!("{run}.{ending}"));
    let output = fs::read(file("jsonl")).or_else(|_| fs::read(file("txt"))).ok()?;
    let tool = Tool::of_program(directory.split('-').next().unwrap_or_default());
    let mut reader = Reader::new(tool);
    let mut splitter = Splitter::default();
    for piece in output.chunks(4_096) {
        splitter.push(piece, |line| drop(reader.output(line)));
    }
    splitter.finish(|line| drop(reader.output(line)));
    let mut splitter = Splitter::default();
    splitter.push(&fs::read(file("stderr")).ok()?, |line| reader.error(line));
    splitter.finish(|line| reader.error(line));
    Some((tool, reader.into_facts()))
}

fn words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Success => ("success", "-"),
        Outcome::Failed(reason) => ("failed", reason),
        Outcome::Interrupted => ("interrupted", "-"),
        Outcome::Unknown => ("unknown", "-"),
    }
}

/// Calls back for each recording.
fn each(mut on_run: impl FnMut(&str, &str, &Value, &Facts, &Verdict)) {
    for directory in DIRECTORIES {
        let meta = meta(directory);
        for (run, about) in meta["runs"].as_object().unwrap() {
            let (tool, facts) = read(directory, run).unwrap_or_else(|| panic!("{directory} {run}"));
            let verdict = classify(tool, exit(about), was_stopped(about), &facts);
            on_run(directory, run, about, &facts, &verdict);
        }
    }
}

#[test]
fn each_recording_is_judged_as_expected() {
    let mut expected = expected();
    let (mut wrong, mut count) = (Vec::new(), 0);
    each(|directory, run, _, facts, verdict| {
        count += 1;
        let key = (directory.to_owned(), run.to_owned());
        let row = expected.remove(&key).unwrap_or_else(|| panic!("no row for {key:?}"));
        let found = words(verdict.outcome);
        if found != (&row.outcome, &row.reason) || facts.denials.len() != row.denials {
            let (outcome, reason) = (row.outcome, row.reason);
            let denials = (facts.denials.len(), row.denials);
            wrong.push(format!(
                "{key:?}: {found:?}, expected {outcome} {reason}, denials {denials:?}"
            ));
        }
    });
    assert!(expected.is_empty(), "rows without a recording: {:?}", expected.keys());
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, 340);
}

#[test]
fn each_failure_has_a_message_and_each_success_its_facts() {
    each(|directory, run, _, facts, verdict| {
        let key = format!("{directory} {run}");
        match verdict.outcome {
            Outcome::Failed(_) => assert!(!verdict.message.is_empty(), "{key}"),
            // The recording of one shows only the end of the file that was written.
            Outcome::Success if !run.starts_with("13d") => {
                assert!(facts.session.is_some(), "{key}");
                assert!(facts.usage.input_tokens.is_some_and(|count| count > 0), "{key}");
                assert!(facts.usage.output_tokens.is_some_and(|count| count > 0), "{key}");
                assert_eq!(
                    facts.usage.cost_usd.is_some(),
                    directory.starts_with("claude"),
                    "{key}"
                );
            }
            _ => {}
        }
        assert_eq!(facts.cut_lines, 0, "{key}");
    });
}

#[test]
fn only_a_limit_with_a_date_says_when_it_is_reset() {
    let mut found = Vec::new();
    each(|directory, run, _, _, verdict| {
        if let Some(at) = verdict.not_before {
            found.push(format!("{directory} {} {}", run.split('-').next().unwrap(), at.to_iso()));
        }
    });
    let expected = ["claude 03e 2026-11-25T23:11:59.000Z", "opencode 03 2026-11-25T22:20:31.705Z"];
    assert_eq!(found, expected);
}

/// What an exit status says by itself. The runner knows better, because it has sent the signals.
#[test]
fn without_knowing_of_the_signals_less_is_certain() {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    each(|directory, run, about, facts, verdict| {
        let tool = Tool::of_program(directory.split('-').next().unwrap_or_default());
        let alone = classify(tool, exit(about), false, facts).outcome;
        if alone != verdict.outcome {
            let number = run.split('-').next().unwrap().to_owned();
            found.entry((directory.to_owned(), words(alone))).or_default().push(number);
        }
    });
    let found: Vec<_> = found
        .iter()
        .map(|((directory, (outcome, reason)), runs)| {
            format!("{directory} {outcome} {reason}: {}", runs.join(" "))
        })
        .collect();
    let expected = [
        "claude failed oom: 10e",
        "codex failed crash: 10b 10d 10k",
        "codex failed oom: 10e",
        "gemini failed oom: 03 05 05b 09 10 10b 10c 10d 10e 10o",
        "gemini unknown -: 10f 10l 10m 10n",
        "opencode failed oom: 10e",
    ];
    assert_eq!(found, expected);
}
