//! Which tests of Vitest have failed, and how: in few lines, because often only the end of a log is
//! kept.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The most lines that are told.
const LINES_MAX: usize = 16;
/// The most lines of one test: its name, and the beginning of its error.
const TEST_LINES_MAX: usize = 4;

/// What the report of Vitest's JSON reporter tells of failures; nothing if there is no report or no
/// failure in it.
pub(super) fn read(report: &Path) -> Option<String> {
    let text = fs::read_to_string(report).ok()?;
    let lines = told(&serde_json::from_str(&text).ok()?);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The failures of a report, line by line.
fn told(report: &Value) -> Vec<String> {
    let failures: Vec<Failure<'_>> = array(report, "testResults").flat_map(failures_of).collect();
    let lines_each = (LINES_MAX / failures.len().max(1)).clamp(1, TEST_LINES_MAX);
    let mut lines: Vec<String> =
        failures.iter().take(LINES_MAX).flat_map(|failure| failure.lines(lines_each)).collect();
    if failures.len() > LINES_MAX {
        lines.push(format!("    and {} more", failures.len() - LINES_MAX));
    }
    lines
}

/// A test, or a file without a failed test, that has failed.
struct Failure<'a> {
    file: &'a str,
    test: Option<&'a str>,
    error: &'a str,
}

impl Failure<'_> {
    /// The name, and as much of the error as fits into so many lines.
    fn lines(&self, max: usize) -> Vec<String> {
        let name = match self.test {
            Some(test) => format!("    {} > {test}", self.file),
            None => format!("    {}", self.file),
        };
        let error = without_colours(self.error);
        let error = error.lines().map(str::trim);
        // Of the places, those in the tests and in the board say something.
        let error = error.filter(|line| !line.is_empty() && !line.contains("/node_modules/"));
        let error = error.map(|line| format!("      {line}"));
        std::iter::once(name).chain(error).take(max).collect()
    }
}

/// The failures of one file. What fails outside of its tests, such as in a hook, is the file's.
fn failures_of(file: &Value) -> Vec<Failure<'_>> {
    let path = file["name"].as_str().unwrap_or_default();
    let name = path.rsplit_once("/web/").map_or(path, |(_, below)| below);
    let tests = array(file, "assertionResults").filter(|test| test["status"] == "failed");
    let mut failures: Vec<Failure<'_>> = tests
        .map(|test| Failure {
            file: name,
            test: test["fullName"].as_str(),
            error: test["failureMessages"][0].as_str().unwrap_or_default(),
        })
        .collect();
    if failures.is_empty() && file["status"] == "failed" {
        let error = file["message"].as_str().unwrap_or_default();
        failures.push(Failure { file: name, test: None, error });
    }
    failures
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// A text without the sequences by which terminals show colours: from an escape to its letter.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once(char::is_alphabetic).map_or("", |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn test(name: &str, error: &str) -> Value {
        json!({ "fullName": name, "status": "failed", "failureMessages": [error] })
    }

    fn report(tests: &[Value]) -> Value {
        let path = "/home/ada/octopoid/crates/board/web/e2e/inbox.test.ts";
        let file =
            json!({ "name": path, "status": "failed", "message": "", "assertionResults": tests });
        json!({ "testResults": [file] })
    }

    #[test]
    fn a_failed_test_is_named_with_the_beginning_of_its_error() {
        let error = "Error: \u{1b}[2mTimeout\u{1b}[22m exceeded.\n\n    at /web/node_modules/a.js:1\n\
            Call log:\n  - one\n  - two";
        let passed = json!({ "fullName": "good", "status": "passed", "failureMessages": [] });
        let lines = told(&report(&[passed, test("a flag is cleared", error)]));
        let expected = [
            "    e2e/inbox.test.ts > a flag is cleared",
            "      Error: Timeout exceeded.",
            "      Call log:",
            "      - one",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_file_whose_tests_never_ran_is_named_with_its_error() {
        let file = json!({
            "name": "/octopoid/crates/board/web/e2e/tasks.test.ts",
            "status": "failed",
            "message": "Hook timed out in 120000ms.",
            "assertionResults": [{ "fullName": "skipped", "status": "skipped" }],
        });
        let lines = told(&json!({ "testResults": [file] }));
        assert_eq!(lines, ["    e2e/tasks.test.ts", "      Hook timed out in 120000ms."]);
    }

    #[test]
    fn of_many_failures_each_has_a_line_and_the_rest_is_counted() {
        let tests: Vec<Value> =
            (0..LINES_MAX + 3).map(|number| test(&format!("test {number}"), "no")).collect();
        let lines = told(&report(&tests));
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines[0], "    e2e/inbox.test.ts > test 0");
        assert_eq!(lines[LINES_MAX], "    and 3 more");
    }

    #[test]
    fn without_a_report_nothing_is_told() {
        assert_eq!(read(Path::new("/nowhere/report.json")), None);
    }
}
