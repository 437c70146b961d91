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
    let expected = "api_keys: no keys: each scope gets one when an orchestrator registers";
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
            "tasks t: attempt_count: skipped: invalid or too large integer `\"many\"`",
        ),
        (flags(), "tasks t: has_plan: changed null to 0"),
        (flags(), "tasks t: needs_breakdown: changed 7 to 1"),
        (nulls(), "tasks t: updated_at: missing, set to created_at"),
        (nulls(), "tasks t: version: changed null to 1"),
        (
            with(",claimed_at", ",1772445600123"),
            "tasks t: claimed_at: read the number 1772445600123 as milliseconds since 1970",
        ),
        (
            with(",claimed_at", ",1772445600"),
            "tasks t: claimed_at: skipped: invalid timestamp `1772445600`",
        ),
        (
            with(",lease_expires_at", ",'2026-03-02T10:00:00.123456Z'"),
            "tasks t: lease_expires_at: truncated to milliseconds",
        ),
        (
            event.to_owned() + &with("", ""),
            "task_history 1: timestamp: missing, set to that of the previous event",
        ),
        (
            "INSERT INTO drafts (id) VALUES(5);\n".to_owned(),
            "drafts 5: created_at: missing, set to 1970",
        ),
    ]);
}

#[test]
fn texts_that_differ_are_told() {
    are_reported(&[
        (
            with(",hooks", ",'[{\"evidence\":\"a'||char(10)||'b\"}]'"),
            "tasks t: hooks: imported unchanged, but it is not valid JSON; the SQL export may have \
             changed it (control character (\\u0000-\\u001F) found while parsing a string at line \
             1 column 15)",
        ),
        (
            with(",checks", ",X'0102'"),
            "tasks t: checks: changed a list of numbers stored as bytes to JSON text",
        ),
        (with(",title", ",'a'||char(0)||'b'"), "tasks t: title: removed NUL characters"),
        (with(",title", ",5"), "tasks t: title: changed the number 5 to text"),
        (
            with(",title", ",CAST(X'61FF62' AS TEXT)"),
            "tasks t: title: replaced invalid UTF-8 with U+FFFD",
        ),
        (
            with(",role", ",'a'||char(31)||'b'"),
            "tasks t: role: skipped: contains a control character",
        ),
        (
            with(",content", ",replace('a\\nb','\\n',char(10))"),
            "dump: 1 rows have texts with line breaks, and those that also have a backslash before \
             an n or r were changed by the export: see docs/migrating.md for how to find them",
        ),
        (
            "INSERT INTO drafts (id,title,author) VALUES(5,NULL,'me');\n".to_owned(),
            "drafts 5: title: changed null to \"\"",
        ),
        (
            "INSERT INTO drafts (id,tags) VALUES(5,'null');\n".to_owned(),
            "drafts 5: tags: changed the text null to null",
        ),
        (
            "INSERT INTO projects (id,scope) VALUES('p','s');\n".to_owned(),
            "projects p: status: changed null to \"draft\"",
        ),
    ]);
}

#[test]
fn names_and_lists_that_differ_are_told() {
    let long = "x".repeat(600);
    let named =
        format!("tasks {}… (600 bytes): skipped: id is longer than 512 bytes: 600", &long[..200]);
    let comma = || task("a,b", ",scope", ",'s'");
    are_reported(&[
        (
            with(",blocked_by", ",' a, b,,a'"),
            "tasks t: blocked_by: removed whitespace, empty and duplicate ids",
        ),
        (
            with(",claimed_by", &format!(",'{long}'")),
            "tasks t: claimed_by: skipped: claimed_by is longer than 512 bytes: 600",
        ),
        (with("", "").replace("'t','f/t'", &format!("'{long}','f'")), &named),
        (
            with(",blocked_by", &format!(",'a,{long}'")),
            "tasks t: skipped: blocked_by contains an id of more than 512 bytes: 600",
        ),
        (
            comma() + &with(",blocked_by", ",'a,b'"),
            "tasks t: blocked_by: read the task id \"a,b\", which has a comma, as a list of ids: a and b",
        ),
        (comma(), "tasks a,b: id: contains a comma, so no other task can wait for this one"),
        (
            task("..", ",scope", ",'s'"),
            "tasks ..: id: not usable in URLs, so the row is visible in lists only",
        ),
        (
            "ALTER TABLE tasks ADD COLUMN colour;\n".to_owned() + &with(",colour", ",'red'"),
            "tasks: skipped: unknown column \"colour\" with values in 1 rows",
        ),
    ]);
}
