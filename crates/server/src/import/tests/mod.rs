//! What is made of databases of the first server, however they come.

mod changes;
mod fixtures;
mod queues;
mod sources;

use octopoid_store::engine::{Row, Value};

use self::fixtures::{dump, tables, task};
use crate::import::{ImportError, Notes, Scopes, Source, Summary, convert};

/// Everything that was made of a database.
pub(crate) struct Imported {
    pub(crate) rows: Vec<(&'static str, Row)>,
    pub(crate) summary: Summary,
    /// The lines of the report.
    pub(crate) report: Vec<String>,
}

pub(crate) fn load(dump: &str) -> Result<Source, ImportError> {
    Source::of_dump(dump.as_bytes(), false, &mut |_| ())
}

pub(crate) fn import_source(source: &Source, scopes: &Scopes) -> Imported {
    let (mut rows, mut notes) = (Vec::new(), Notes::default());
    let summary = convert(source, scopes, &mut notes, &mut |table, _, row| {
        assert_eq!(row.len(), table.columns.len());
        rows.push((table.name, row));
        Ok(())
    });
    let report: String = notes.groups().iter().map(ToString::to_string).collect();
    let report = report.lines().map(str::to_owned).collect();
    Imported { rows, summary: summary.unwrap(), report }
}

pub(crate) fn import(dump: &str) -> Imported {
    import_source(&load(dump).unwrap(), &Scopes::default())
}

impl Imported {
    /// A column of all rows of a table.
    pub(crate) fn column(&self, table: &str, name: &str) -> Vec<Value> {
        let columns = &octopoid_store::copy::table(table).unwrap().columns;
        let at = columns.iter().position(|column| column.name == name).unwrap();
        let rows = self.rows.iter().filter(|(name, _)| *name == table);
        rows.map(|(_, row)| row[at].clone()).collect()
    }

    pub(crate) fn reports(&self, line: &str) {
        assert!(self.report.iter().any(|known| known == line), "{line}\n{:#?}", self.report);
    }
}

#[test]
fn schemas_since_the_ninth_migration_are_taken_and_what_they_lack_is_told() {
    for level in 9..=20 {
        let mut rows = task("t", ",scope", ",'shop'");
        if level >= 11 {
            let column = if level < 19 { "cluster" } else { "scope" };
            let flow = format!(
                "INSERT INTO flows (name,{column},states,transitions,registered_at,updated_at) \
                 VALUES('f','prod','[]','[]','2026-01-01 00:00:00','2026-01-01 00:00:00');\n"
            );
            rows.push_str(&flow);
        }
        let imported = import(&dump(level, &rows));
        assert_eq!(imported.column("tasks", "id"), ["t".into()], "{level}");
        let flows = imported.column("flows", "scope");
        assert_eq!(flows, vec![Value::from("prod"); usize::from(level >= 11)], "{level}");
        let is_reported = |text: &str| imported.report.iter().any(|line| line.contains(text));
        for (since, text) in [
            (11, "no flows (0011)"),
            (13, "no messages (0013)"),
            (16, "no content of tasks (0016)"),
            (17, "no keys (0017)"),
            (20, "no flag of tasks that need intervention (0020)"),
        ] {
            assert_eq!(is_reported(text), level < since, "{level}: {text}\n{:#?}", imported.report);
        }
        assert_eq!(
            is_reported("flows f: scope: set to the cluster \"prod\""),
            (11..19).contains(&level)
        );
    }
}

#[test]
fn a_schema_from_before_the_scopes_is_refused_with_what_to_do() {
    let error = load(&dump(8, &task("t", "", ""))).err().unwrap().to_string();
    assert!(error.contains("0009_add_scope") && error.contains("export again"), "{error}");
}

#[test]
fn a_dump_that_was_cut_after_any_statement_is_refused() {
    let row = task("t", ",scope", ",'s'");
    let mut statements = tables(20);
    statements.insert(1, row);
    for count in 0..=statements.len() {
        let cut = statements[..count].concat();
        let error = load(&cut).err().unwrap();
        let is_refused =
            matches!(error, ImportError::Incomplete { .. } | ImportError::Foreign("tasks"));
        assert!(is_refused, "{count}: {error}");
        let partial = Source::of_dump(cut.as_bytes(), true, &mut |_| ()).unwrap();
        let imported = import_source(&partial, &Scopes::default());
        assert_eq!(imported.column("tasks", "id").len(), usize::from(count > 1), "{count}");
        let is_reported = imported.report.contains(&"api_keys: missing in the export".to_owned());
        assert_eq!(is_reported, (1..statements.len() - 1).contains(&count), "{count}");
    }
    // The export of SQLite's own program ends otherwise.
    let whole = format!("BEGIN TRANSACTION;\n{}COMMIT;\n", statements.concat());
    assert_eq!(import(&whole).column("tasks", "id"), ["t".into()]);
}

#[test]
fn a_dump_that_was_cut_inside_a_text_is_refused_with_a_short_error() {
    let whole = dump(20, &task("t", ",content", &format!(",'{}'", "word; ".repeat(500_000))));
    for cut in [&whole[..whole.len() / 2], &whole[..whole.len() - 20]] {
        let error = load(cut).err().unwrap().to_string();
        assert!(error.contains("truncated"), "{}", error.len());
        assert!(error.len() < 200, "{}", error.len());
    }
    let broken = whole.replace("'incoming'", "'incoming' 'incoming'");
    let error = load(&broken).err().unwrap().to_string();
    assert!(error.contains("line 14: near \"'incoming'\": syntax error"), "{error}");
    assert!(error.len() < 500, "{}", error.len());
}

#[test]
fn a_dump_does_nothing_but_what_exports_do() {
    for statement in ["ATTACH '/tmp/x' AS x;", "VACUUM INTO '/tmp/x';", "SELECT 1;"] {
        let error = load(&dump(20, statement)).err().unwrap().to_string();
        assert!(error.contains("unexpected statement in an export"), "{error}");
    }
    let error = load("CREATE TABLE songs (title);").err().unwrap();
    assert!(matches!(error, ImportError::Foreign("tasks")), "{error}");
}

#[test]
fn keys_that_are_there_twice_are_refused_by_name() {
    let twice = task("t", ",scope", ",'s'").repeat(2);
    let error = load(&dump(20, &twice)).err().unwrap().to_string();
    assert!(error.contains("tasks has several rows for id \"t\""), "{error}");
}

#[test]
fn the_keys_of_the_first_server_permit_everything() {
    let key = format!(
        "INSERT INTO api_keys (key_hash,scope,created_at) \
         VALUES('{}','s','2026-01-01 00:00:00');\n",
        "0".repeat(64)
    );
    assert_eq!(import(&dump(20, &key)).column("api_keys", "permission"), ["manage".into()]);
}

#[test]
fn flows_that_are_there_twice_are_refused_by_name_and_scope() {
    for (level, column) in [(11, "cluster"), (19, "scope")] {
        let flow = |scope: &str| {
            format!(
                "INSERT INTO flows (name,{column},states,transitions,registered_at,updated_at) \
                 VALUES('f','{scope}','[]','[]','2026-01-01 00:00:00','2026-01-01 00:00:00');\n"
            )
        };
        let error = load(&dump(level, &flow("s").repeat(2))).err().unwrap().to_string();
        let what = format!("flows has several rows for name \"f\" and {column} \"s\"");
        assert!(error.contains(&what), "{error}");
        load(&dump(level, &(flow("s") + &flow("other")))).unwrap();
    }
}

#[test]
fn rows_without_a_scope_are_told_and_get_the_one_that_is_named() {
    let rows = "INSERT INTO projects (id,title,status,auto_accept,created_at) \
         VALUES('p','t','draft',0,'2026-01-01 00:00:00');\n\
         INSERT INTO drafts (id,title,author,status,created_at,updated_at) \
         VALUES(5,'t','me','idea','2026-01-01 00:00:00','2026-01-01 00:00:00');\n"
        .to_owned()
        + &task("t", ",scope", ",''");
    let source = load(&dump(20, &rows)).unwrap();
    let imported = import_source(&source, &Scopes::default());
    let what = "missing, so the row is not visible with any key: set it with --scope-of or \
         --scope-for-unscoped";
    imported.reports(&format!("projects p: scope: {what}"));
    imported.reports(&format!("drafts 5: scope: {what}"));
    imported.reports("tasks t: skipped: no scope");
    assert_eq!(imported.column("projects", "scope"), [Value::Null]);

    let scopes = Scopes::new(&["drafts:5=mine".parse().unwrap()], Some("rest".to_owned()));
    let imported = import_source(&source, &scopes);
    imported.reports("projects p: scope: missing, set to \"rest\"");
    imported.reports("drafts 5: scope: missing, set to \"mine\"");
    imported.reports("tasks t: scope: missing, set to \"rest\"");
    for (table, scope) in
        [("projects", "rest"), ("drafts", "mine"), ("tasks", "rest"), ("events", "rest")]
    {
        assert_eq!(imported.column(table, "scope"), [Value::from(scope)], "{table}");
    }
}

#[test]
fn tasks_are_in_the_order_of_their_creation_and_all_have_a_history() {
    let at = |id: &str, time: &str| {
        task(id, ",scope", ",'s'").replacen("'2026-01-01 00:00:00'", time, 1)
    };
    let rows = [
        at("c", "1767225600500"),
        at("b", "'2026-01-01T00:00:00.400Z'"),
        at("a", "'2026-01-01 00:00:00'"),
        "INSERT INTO task_history VALUES(9,'b','claimed','w',NULL,'2026-01-02 00:00:00');\n".into(),
        "INSERT INTO task_history VALUES(7,'b','','w',NULL,'2026-01-02 00:00:00');\n".into(),
        "INSERT INTO task_history VALUES(8,'gone','claimed','w',NULL,NULL);\n".into(),
    ];
    let imported = import(&dump(20, &rows.concat()));
    assert_eq!(imported.column("tasks", "id"), ["a".into(), "b".into(), "c".into()]);
    assert_eq!(imported.column("tasks", "events"), [1.into(), 2.into(), 1.into()]);
    let mut tasks = imported.column("events", "subject");
    tasks.sort_by_key(|id| format!("{id:?}"));
    assert_eq!(tasks, ["a".into(), "b".into(), "b".into(), "c".into()]);
    imported.reports("task_history gone: skipped: 1 events of a missing task");
    imported.reports("task_history 7: skipped: the event name is missing or too long");
    let history = imported.summary.tables.last().unwrap();
    assert_eq!((history.table.name, history.rows, history.source_rows), ("events", 4, Some(3)));
}
