//! Rules that a Rust file keeps by itself.

use std::path::Path;

use super::Finding;
use super::scan::{self, Scan};

/// The longest file, in lines. Longer ones hold more than one thing.
const FILE_LINES_MAX: usize = 500;

/// The longest function, in lines: about a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// The widest line of code, which rustfmt keeps wherever it can format.
const CODE_COLUMNS_MAX: usize = 100;

/// The widest line of any kind, unless an address in it cannot be broken.
const COLUMNS_MAX: usize = 120;

/// Words that put off work. A gap is an issue in the tracker; a comment that admits one is forgotten.
const PUT_OFF: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// The attribute value that makes code differ between native hosts and WebAssembly. What differs is
/// passed in by the host, so that one build's tests speak for the others.
const TARGET_ARCH: &str = "target_arch";

/// The crates that hold no SQL: each statement is written once, in the store.
pub(super) const SQL_FREE: [&str; 5] =
    ["octopoid", "octopoid-api", "octopoid-server", "octopoid-edge", "octopoid-store-d1"];

/// What may hold SQL in such a crate: it reads the first server's schema, which the store does not know.
pub(super) const SQL_EXEMPT: &str = "crates/server/src/import";

/// Everything in a file that breaks a rule.
pub(super) fn check(path: &Path, text: &str, sql_is_elsewhere: bool) -> Vec<Finding> {
    let scan = match scan::scan(text) {
        Ok(scan) => scan,
        Err(error) => {
            let line = error.span().start().line;
            return vec![Finding::line(path, line, "this is not Rust")];
        }
    };
    let mut findings = file_length(path, text);
    findings.extend(function_length(path, &scan));
    findings.extend(width(path, text, &scan));
    findings.extend(put_off(path, text, &scan));
    findings.extend(words(path, &scan));
    if sql_is_elsewhere {
        findings.extend(sql(path, &scan));
    }
    findings
}

fn file_length(path: &Path, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![Finding::file(path, format!("{lines} lines; a file has at most {FILE_LINES_MAX}"))]
}

fn function_length(path: &Path, scan: &Scan) -> Vec<Finding> {
    let judge = |function: &scan::Function| {
        let lines = function.last - function.first + 1;
        let name = &function.name;
        let what =
            format!("`{name}` has {lines} lines; a function has at most {FUNCTION_LINES_MAX}");
        (lines > FUNCTION_LINES_MAX).then(|| Finding::line(path, function.first, what))
    };
    scan.functions.iter().filter_map(judge).collect()
}

fn width(path: &Path, text: &str, scan: &Scan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let columns = content.chars().count();
        if columns <= CODE_COLUMNS_MAX || content.contains("://") {
            continue;
        }
        let is_comment = content.trim_start().starts_with("//");
        let has_string = scan.strings.iter().any(|text| (text.first..=text.last).contains(&line));
        let (kind, most) = if is_comment || has_string {
            ("a line", COLUMNS_MAX)
        } else {
            ("a line of code", CODE_COLUMNS_MAX)
        };
        if columns > most {
            let what = format!("{columns} columns; {kind} has at most {most}");
            findings.push(Finding::line(path, line, what));
        }
    }
    findings
}

/// Looks at everything but strings, because comments are where such words stand.
fn put_off(path: &Path, text: &str, scan: &Scan) -> Vec<Finding> {
    let mut rest = text.as_bytes().to_vec();
    for string in &scan.strings {
        for byte in &mut rest[string.bytes.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    let rest = String::from_utf8_lossy(&rest);
    let mut findings = Vec::new();
    for (line, content) in (1..).zip(rest.lines()) {
        let mut words = content.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(word) = words.find(|word| PUT_OFF.contains(word)) {
            let what = format!("`{word}`: do it now, or file an issue and say nothing here");
            findings.push(Finding::line(path, line, what));
        }
    }
    findings
}

fn words(path: &Path, scan: &Scan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in &scan.words {
        if word.text == TARGET_ARCH {
            let what = format!("`{TARGET_ARCH}`: what differs between hosts is passed in by them");
            findings.push(Finding::line(path, word.line, what));
        }
    }
    findings
}

fn sql(path: &Path, scan: &Scan) -> Vec<Finding> {
    let statements = scan.strings.iter().filter(|text| is_sql(&text.written));
    let what = "an SQL statement; they live in the store";
    statements.map(|text| Finding::line(path, text.first, what)).collect()
}

/// Whether a string literal holds a statement. Statements are written in capitals here, prose is not.
fn is_sql(written: &str) -> bool {
    // A line of a string may end in a backslash that joins the next one to it.
    let words: Vec<&str> = written
        .split(|c: char| c.is_whitespace() || c == '\\' || c == '"' || c == '(')
        .filter(|word| !word.is_empty())
        .collect();
    let has = |first: &str, second: &str| {
        let at = words.iter().position(|word| *word == first);
        at.is_some_and(|at| words[at..].contains(&second))
    };
    // Where it is the last word, it is a name and not the start of a statement.
    let selects = words.iter().rev().skip(1).any(|word| *word == "SELECT");
    selects || has("UPDATE", "SET") || has("INSERT", "INTO") || has("DELETE", "FROM")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a file of a crate that holds no SQL.
    fn found(text: &str) -> Vec<String> {
        let findings = check(Path::new("a.rs"), text, true);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_in_order_has_no_findings() {
        let none: [&str; 0] = [];
        assert_eq!(
            found("//! A file.\n\nfn f() -> &'static str {\n    \"Select one.\"\n}\n"),
            none
        );
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(found(&"\n".repeat(500)).is_empty());
        assert_eq!(found(&"\n".repeat(501)), ["a.rs: 501 lines; a file has at most 500"]);
    }

    #[test]
    fn a_long_function_is_found() {
        let lines = |count: usize| format!("\nfn f() {{\n{}}}\n", "\n".repeat(count - 2));
        assert!(found(&lines(70)).is_empty());
        assert_eq!(found(&lines(71)), ["a.rs:2: `f` has 71 lines; a function has at most 70"]);
    }

    #[test]
    fn a_wide_line_is_found() {
        let code = format!("const {}: u8 = 1;", "A".repeat(86));
        assert_eq!(found(&code), ["a.rs:1: 101 columns; a line of code has at most 100"]);
        let prose = |columns: usize| format!("// {}", "ä".repeat(columns - 3));
        assert!(found(&prose(120)).is_empty());
        assert_eq!(found(&prose(121)), ["a.rs:1: 121 columns; a line has at most 120"]);
    }

    #[test]
    fn strings_may_be_wider_than_code_and_addresses_as_wide_as_they_are() {
        let string = |columns: usize| format!("const A: &str = \"{}\";", "b".repeat(columns - 19));
        assert!(found(&string(120)).is_empty());
        assert_eq!(found(&string(121)).len(), 1);
        assert!(found(&format!("// https://example.org/{}", "c".repeat(120))).is_empty());
    }

    #[test]
    fn work_that_is_put_off_is_found_in_comments_and_not_in_strings() {
        let [first, second] = PUT_OFF;
        assert_eq!(found(&format!("// {first}: more.")).len(), 1);
        assert_eq!(found(&format!("/* ä\n{second} */")).len(), 1);
        assert!(found(&format!("const A: &str = \"ä {first}\"; // ä")).is_empty());
        assert!(found(&format!("// {first}NE is another word.")).is_empty());
    }

    #[test]
    fn code_for_one_architecture_is_found() {
        assert_eq!(found("#[cfg(target_arch = \"wasm32\")] fn f() {}").len(), 1);
        assert_eq!(found("fn f() -> bool { cfg!(not(target_arch = \"wasm32\")) }").len(), 1);
        assert!(found("// target_arch").is_empty());
    }

    #[test]
    fn sql_outside_of_the_store_is_found() {
        let line = |text: &str| found(&format!("const A: &str = {text};")).len();
        assert_eq!(line("\"SELECT id FROM tasks\""), 1);
        assert_eq!(line("\"insert: INSERT\n  INTO tasks VALUES (1)\""), 1);
        assert_eq!(line("r#\"UPDATE tasks\n SET a = 1\"#"), 1);
        assert_eq!(line("\"DELETE \\\n FROM tasks\""), 1);
        assert_eq!(line("\"EXISTS (SELECT 1)\""), 1);
        assert_eq!(line("\"INSERT OR IGNORE INTO tasks DEFAULT VALUES\""), 1);
    }

    #[test]
    fn prose_about_sql_and_sql_in_the_store_are_not_found() {
        let line = |text: &str| found(&format!("const A: &str = {text};")).len();
        assert_eq!(line("\"select a task, then update it to set a flag\""), 0);
        assert_eq!(line("\"SELECT\""), 0);
        assert!(found("/// SELECT id FROM tasks\nfn f() {}").is_empty());
        assert!(check(Path::new("a.rs"), "const A: &str = \"SELECT 1\";", false).is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_found() {
        assert_eq!(found("fn f() {\n)"), ["a.rs:2: this is not Rust"]);
    }
}
