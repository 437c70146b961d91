//! Every change has its line in the report.

use super::{
    fixtures::{dump, task},
    import,
};

/// A task of scope `s` with some other columns.
fn with(columns: &str, values: &str) -> String {
    task("t", &format!(",scope{columns}"), &format!(",'s'{values}"))
}

/// Makes databases with these statements, and compares the line of the report for each.
fn are_reported(cases: &[(String, &str)]) {
    for (statement, line) in cases {
        import(&dump(20, statement)).reports(line);
    }
}

#[test]
fn nothing_is_told_of_what_is_as_it_was() {
    let plain = dump(20, &with(",needs_intervention", ",0"));
    let expected = "api_keys: there is no key: each scope gets one when an orchestrator registers";
    assert_eq!(import(&plain).report, [expected]);
}

#[test]
fn numbers_flags_and_times_that_differ_are_told() {
    let flags = || with("", "").replace(",0,0,0,0", ",NULL,0,0,7");
    let nulls = || with("", "").replace("'2026-01-01 00:00:00',1,", "NULL,NULL,");
    let event = "INSERT INTO task_history VALUES(1,'t','claimed',NULL,NULL,NULL);\n";
    are_reported(&[
        (
            with(",attempt_count", ",'many'"),
            "tasks t: attempt_count: left out: \"many\" is no whole number below 2^53",
        ),
        (flags(), "tasks t: has_plan: null became 0"),
        (flags(), "tasks t: needs_breakdown: 7 became 1"),
        (nulls(), "tasks t: updated_at: there is none, and created_at was taken"),
        (nulls(), "tasks t: version: null became 1"),
        (
            with(",claimed_at", ",1772445600123"),
            "tasks t: claimed_at: the number 1772445600123 was taken for milliseconds since 1970",
        ),
        (
            with(",claimed_at", ",1772445600"),
            "tasks t: claimed_at: left out: 1772445600 is no time",
        ),
        (
            with(",lease_expires_at", ",'2026-03-02T10:00:00.123456Z'"),
            "tasks t: lease_expires_at: what is below the millisecond was left out",
        ),
        (
            event.to_owned() + &with("", ""),
            "task_history 1: timestamp: it has none, and got that of the event before it",
        ),
        (
            "INSERT INTO drafts (id) VALUES(5);\n".to_owned(),
            "drafts 5: created_at: there is none, and 1970 was taken",
        ),
    ]);
}

#[test]
fn texts_that_differ_are_told() {
    are_reported(&[
        (
            with(",hooks", ",'[{\"evidence\":\"a'||char(10)||'b\"}]'"),
            "tasks t: hooks: taken as it is, but it is no valid JSON; an export as SQL may have \
             changed it (control character (\\u0000-\\u001F) found while parsing a string at line \
             1 column 15)",
        ),
        (
            with(",checks", ",X'0102'"),
            "tasks t: checks: a list of numbers that was stored as bytes became its JSON text",
        ),
        (with(",title", ",'a'||char(0)||'b'"), "tasks t: title: NUL characters were left out"),
        (with(",title", ",5"), "tasks t: title: the number 5 became text"),
        (
            with(",title", ",CAST(X'61FF62' AS TEXT)"),
            "tasks t: title: what is no UTF-8 in it was replaced by U+FFFD",
        ),
        (
            with(",role", ",'a'||char(31)||'b'"),
            "tasks t: role: left out: it has a control character",
        ),
        (
            with(",content", ",replace('a\\nb','\\n',char(10))"),
            "dump: 1 rows have texts with line breaks, and those that also have a backslash before \
             an n or r were changed by the export: docs/migrating.md tells how to find them",
        ),
        (
            "INSERT INTO drafts (id,title,author) VALUES(5,NULL,'me');\n".to_owned(),
            "drafts 5: title: null became \"\"",
        ),
        (
            "INSERT INTO drafts (id,tags) VALUES(5,'null');\n".to_owned(),
            "drafts 5: tags: the text null became null",
        ),
        (
            "INSERT INTO projects (id,scope) VALUES('p','s');\n".to_owned(),
            "projects p: status: null became \"draft\"",
        ),
    ]);
}

#[test]
fn names_and_lists_that_differ_are_told() {
    let long = "x".repeat(600);
    let named = format!(
        "tasks {}… (600 bytes): left out: its id is longer than 512 bytes: 600",
        &long[..200]
    );
    let comma = || task("a,b", ",scope", ",'s'");
    are_reported(&[
        (
            with(",blocked_by", ",' a, b,,a'"),
            "tasks t: blocked_by: blanks, empty names and repeated ones were left out",
        ),
        (
            with(",claimed_by", &format!(",'{long}'")),
            "tasks t: claimed_by: left out: its claimed_by is longer than 512 bytes: 600",
        ),
        (with("", "").replace("'t','f/t'", &format!("'{long}','f'")), &named),
        (
            with(",blocked_by", &format!(",'a,{long}'")),
            "tasks t: left out: its blocked_by names an id of more than 512 bytes: 600",
        ),
        (
            comma() + &with(",blocked_by", ",'a,b'"),
            "tasks t: blocked_by: it waited for the task \"a,b\", whose id has a comma, and waits \
             now for a and b",
        ),
        (
            comma(),
            "tasks a,b: id: it has a comma, so no other task can be told to wait for this one",
        ),
        (task("..", ",scope", ",'s'"), "tasks ..: id: no URL can name it, so only lists show it"),
        (
            "ALTER TABLE tasks ADD COLUMN colour;\n".to_owned() + &with(",colour", ",'red'"),
            "tasks: left out: the column \"colour\", which this server has not, has a value in 1 \
             rows",
        ),
    ]);
}
