//! The database: whether it can be opened, its schema, and on PostgreSQL its version and clock.

use std::{path::Path, sync::Arc};

use octopoid_api::Host as _;
use octopoid_domain::Millis;
use octopoid_store::{Inspected, Store, StoreError};
use octopoid_store_postgres::{Location as Server, Postgres};
use octopoid_store_sqlite::{Peek, folder_of};
use rustix::fs::{Access, access};

use super::{Finding, Subject};
use crate::{Pool, database::Database, host::System};

const NAME: &str = "database";

/// The oldest version of PostgreSQL that is supported, as PostgreSQL writes it as a number.
const POSTGRES_MIN: i64 = 130_000;

/// The greatest difference of two clocks that is not told, in milliseconds.
const CLOCKS_DIFFER_MAX_MS: i64 = 5_000;

const OTHER_USER: &str = "run this command as the user of the server, or change the owner";

/// Checks the database.
pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    match (&subject.database, subject.file()) {
        // The check of the configuration says why.
        (None, _) => Vec::new(),
        (Some(database @ Database::Postgres(server)), _) => {
            check_postgres(subject, server, &database.to_string()).await
        }
        (Some(Database::Sqlite { .. }), Some(path)) => check_file(subject, path).await,
        (Some(Database::Sqlite { url, .. }), None) => vec![Finding::warning(
            NAME,
            format!("{url} is lost when the server stops"),
            "name a file: --database sqlite:octopoid.db",
        )],
    }
}

async fn check_file(subject: &Subject<'_>, path: &Path) -> Vec<Finding> {
    let shown = path.display();
    if !path.exists() {
        return vec![check_missing(path)];
    }
    if access(path, Access::WRITE_OK).is_err() {
        let text = format!("this user cannot write to {shown}");
        return vec![Finding::problem(NAME, text, OTHER_USER)];
    }
    let peek = match Peek::open_unchanged(path) {
        Ok(peek) => Arc::new(peek),
        Err(error) => return vec![Finding::problem(NAME, error.to_string(), OTHER_USER)],
    };
    let schema = Store::new(Arc::clone(&peek) as _).inspect().await;
    let mut findings = vec![judge(&shown.to_string(), &schema)];
    if subject.is_deep && schema.is_ok() {
        findings.push(judge_pages(&shown.to_string(), peek.quick_check()));
    }
    findings
}

/// Judges a file that does not exist, which the server creates.
fn check_missing(path: &Path) -> Finding {
    let shown = path.display();
    let folder = folder_of(path);
    if !folder.is_dir() {
        let text = format!("the directory {} does not exist", folder.display());
        return Finding::problem(NAME, text, "create it, or name another file with --database");
    }
    if access(folder, Access::WRITE_OK).is_err() {
        let text = format!("this user cannot create files in {}", folder.display());
        return Finding::problem(NAME, text, OTHER_USER);
    }
    Finding::ok(NAME, format!("{shown} does not exist yet: the server creates it"))
}

/// Judges the schema of the database that is shown as `shown`.
fn judge(shown: &str, found: &Result<Inspected, StoreError>) -> Finding {
    let Inspected { schema, newest, .. } = match found {
        Ok(found) => *found,
        Err(error) => {
            return Finding::problem(NAME, format!("{shown}: {error}"), remedy(error));
        }
    };
    if schema == 0 {
        return Finding::ok(NAME, format!("{shown} is empty: the server creates its schema"));
    }
    let text = format!("{shown} has schema version {schema}");
    if schema < newest {
        let text = format!("{text}, this program knows {newest}: the server migrates it");
        return Finding::warning(
            NAME,
            text,
            "start the server or octopoid migrate: SQLite's file is backed up before, PostgreSQL is not",
        );
    }
    if schema > newest {
        let text = format!("{text}, this program knows {newest}, and can work with it");
        return Finding::warning(NAME, text, "use the newer program");
    }
    Finding::ok(NAME, text)
}

fn remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Newer { .. } => "install the newer program, or restore a backup",
        StoreError::Foreign { .. } => "name another file with --database",
        StoreError::Unreleased { .. } | StoreError::Unfinished => {
            "move it away, or name another database with --database"
        }
        _ => "check address and permissions; if a file is damaged, restore a backup",
    }
}

fn judge_pages(shown: &str, found: Result<Vec<String>, String>) -> Finding {
    const NAME: &str = "integrity";
    let damages = match found {
        Ok(lines) if lines == ["ok"] => return Finding::ok(NAME, format!("{shown} is undamaged")),
        Ok(lines) => lines.join("; "),
        Err(error) => error,
    };
    let text = format!("{shown} is damaged: {damages}");
    Finding::problem(NAME, text, "stop the server and restore a backup")
}

async fn check_postgres(subject: &Subject<'_>, server: &Server, shown: &str) -> Vec<Finding> {
    let pool = Pool { connections: 1, ..subject.configuration.options.database.pool.pool() };
    let store = match Postgres::open(server, pool) {
        Ok(engine) => Store::new(Arc::new(engine)),
        Err(error) => {
            let text = format!("{shown}: {error}");
            return vec![Finding::problem(NAME, text, "correct the URL in DATABASE_URL")];
        }
    };
    let inspected = store.inspect().await;
    let mut findings = vec![judge(shown, &inspected)];
    if let Ok(Inspected { server_version: Some(version), .. }) = inspected {
        findings.push(judge_version(version));
        let before = System.now();
        if let Ok(Some(there)) = store.clock().await {
            findings.push(judge_clock("database clock", there, before, System.now()));
        }
    }
    findings
}

fn judge_version(version: i64) -> Finding {
    const NAME: &str = "PostgreSQL";
    let text = format!("has version {}.{}", version / 10_000, version % 10_000);
    if version < POSTGRES_MIN {
        return Finding::problem(NAME, text, "upgrade it: version 13 or newer is required");
    }
    Finding::ok(NAME, text)
}

/// Compares a clock that was read between two moments of this machine's clock with it.
pub fn judge_clock(name: &'static str, there: Millis, before: Millis, after: Millis) -> Finding {
    let difference =
        if there.0 < before.0 { there.0 - before.0 } else { (there.0 - after.0).max(0) };
    if difference.abs() <= CLOCKS_DIFFER_MAX_MS {
        return Finding::ok(name, "agrees with the clock of this machine");
    }
    let direction = if difference < 0 { "behind" } else { "ahead of" };
    let seconds = difference.abs() / 1_000;
    let text = format!("is {seconds} s {direction} the clock of this machine");
    Finding::warning(name, text, "run NTP on both machines")
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Millis;
    use octopoid_store::{EngineError, Inspected, StoreError};

    use super::{judge, judge_clock, judge_pages, judge_version};
    use crate::doctor::State;

    #[test]
    fn a_schema_is_judged_by_what_the_server_makes_of_it() {
        let state = |schema| {
            let found = Inspected { schema, newest: 5, server_version: None };
            judge("a.db", &Ok(found)).state
        };
        assert_eq!([0, 5].map(state), [State::Ok; 2]);
        assert_eq!([4, 6].map(state), [State::Warning; 2]);
        for error in [
            StoreError::Newer { found: 9, known: 5 },
            StoreError::Unfinished,
            EngineError::Unavailable("gone".to_owned()).into(),
        ] {
            let finding = judge("a.db", &Err(error));
            assert_eq!(finding.state, State::Problem);
            assert!(finding.remedy.is_some() && finding.text.starts_with("a.db: "), "{finding:?}");
        }
    }

    #[test]
    fn clocks_may_differ_by_as_long_as_the_question_took_and_five_seconds() {
        let judged = |there| judge_clock("clock", Millis(there), Millis(10_000), Millis(11_000));
        for there in [5_000, 10_500, 16_000] {
            assert_eq!(judged(there).state, State::Ok, "{there}");
        }
        assert_eq!(judged(4_999).text, "is 5 s behind the clock of this machine");
        assert_eq!(judged(21_000).text, "is 10 s ahead of the clock of this machine");
        assert_eq!(judged(21_000).state, State::Warning);
    }

    #[test]
    fn an_old_postgresql_is_a_problem() {
        assert_eq!(judge_version(120_022).state, State::Problem);
        assert_eq!(judge_version(130_000).state, State::Ok);
        assert_eq!(judge_version(170_004).text, "has version 17.4");
    }

    #[test]
    fn pages_are_undamaged_only_if_sqlite_says_ok_and_nothing_else() {
        let state = |found: Result<Vec<String>, String>| judge_pages("a.db", found).state;
        assert_eq!(state(Ok(vec!["ok".to_owned()])), State::Ok);
        assert_eq!(state(Ok(vec!["row 1 missing from index".to_owned()])), State::Problem);
        assert_eq!(state(Ok(Vec::new())), State::Problem);
        assert_eq!(state(Err("malformed".to_owned())), State::Problem);
    }
}
