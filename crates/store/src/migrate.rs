//! Numbered migrations, embedded in the binary and applied once each, in order, however many servers
//! start at the same time.
//!
//! During a rolling upgrade, servers of two versions share a database. So a migration only adds
//! (expand), and what nobody needs any more goes in a later release (contract). Each names the
//! oldest schema whose servers can still work with its result; older ones refuse to.

use octopoid_domain::Millis;

use crate::{
    EngineError, Result, Store, StoreError, answers,
    engine::{Statement, bind},
    first,
    locks::Lock,
    row::RowReader,
    sql::Sql,
};

/// Versions up to this one are those of builds before the first release, whose schemas differ from
/// build to build. Editing a migration in place raises this by the number of
/// migrations.
pub(crate) const UNRELEASED: i64 = 2;

/// A step from one version of the schema to the next. One that was released never changes.
struct Migration {
    sqlite: &'static str,
    postgres: &'static str,
    /// The oldest version whose servers can work with the schema that this leads to.
    readable_from: i64,
}

/// From version [`UNRELEASED`] + 1 on.
const MIGRATIONS: [Migration; 6] = [
    Migration {
        sqlite: include_str!("migrations/0001_tasks.sql"),
        postgres: include_str!("migrations/0001_tasks.postgres.sql"),
        readable_from: 3,
    },
    Migration {
        sqlite: include_str!("migrations/0002_nouns.sql"),
        postgres: include_str!("migrations/0002_nouns.postgres.sql"),
        readable_from: 4,
    },
    Migration {
        sqlite: include_str!("migrations/0003_run_digests.sql"),
        postgres: include_str!("migrations/0003_run_digests.postgres.sql"),
        readable_from: 4,
    },
    Migration {
        sqlite: include_str!("migrations/0004_key_overlap.sql"),
        postgres: include_str!("migrations/0004_key_overlap.postgres.sql"),
        readable_from: 4,
    },
    Migration {
        sqlite: include_str!("migrations/0005_task_traceparent.sql"),
        postgres: include_str!("migrations/0005_task_traceparent.postgres.sql"),
        readable_from: 4,
    },
    Migration {
        sqlite: include_str!("migrations/0006_webhooks.sql"),
        postgres: include_str!("migrations/0006_webhooks.postgres.sql"),
        readable_from: 4,
    },
];

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, \
     applied_at BIGINT NOT NULL, readable_from BIGINT NOT NULL)";

const CURRENT: &str =
    "SELECT version, readable_from FROM schema_versions ORDER BY version DESC LIMIT 1";

/// Fails if the version is there already, and its migration with it.
const ENTER: &str =
    "INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (?1, ?2, ?3)";

/// Stands among the versions as long as rows from elsewhere are being put in. No server works with
/// it, one that does not know it neither, because none is as new as that.
pub(crate) const UNFINISHED: i64 = 1_000_000_000;

/// Makes the mark, or fails if it is there.
const BEGIN_FILLING: Sql = Sql::Same(std::borrow::Cow::Borrowed(
    "INSERT INTO schema_versions (version, applied_at, readable_from) \
     VALUES (1000000000, 0, 1000000000)",
));

const FINISH_FILLING: Sql =
    Sql::Same(std::borrow::Cow::Borrowed("DELETE FROM schema_versions WHERE version = 1000000000"));

/// A table of another program's, if there is any and none of ours.
const FOREIGN: Sql = Sql::OnlySqlite(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
     AND 3 > (SELECT COUNT(*) FROM pragma_table_info('schema_versions') \
         WHERE name IN ('version', 'applied_at', 'readable_from')) LIMIT 1",
);

/// The newest schema version this server knows.
pub(crate) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).map_or(i64::MAX, |count| UNRELEASED + count)
}

impl Store {
    /// Brings the schema up to date and returns the versions before and after. Each migration is
    /// one batch, so a crash leaves it done or not begun. A database whose schema this server
    /// cannot work with is refused untouched.
    pub async fn migrate(&self, now: Millis) -> Result<(i64, i64)> {
        self.write_holding(vec![Lock::schema()], vec![bind!(CREATE)]).await?;
        let before = self.version().await?;
        let mut found = before.max(UNRELEASED);
        while let Some(next) =
            usize::try_from(found - UNRELEASED).ok().and_then(|index| MIGRATIONS.get(index))
        {
            let mut batch = vec![bind!(ENTER, found + 1, now, next.readable_from)];
            batch.extend(next.statements());
            match self.write_holding(vec![Lock::schema()], batch).await {
                Ok(_) => found += 1,
                // Another server was faster; what it has done need not be done again.
                Err(StoreError::Engine(EngineError::Constraint(text))) => {
                    let current = self.version().await?.max(UNRELEASED);
                    if current == found {
                        return Err(EngineError::Constraint(text).into());
                    }
                    found = current;
                }
                Err(error) => return Err(error),
            }
        }
        Ok((before, found))
    }

    /// Refuses a database that another program has made. It is only read.
    pub async fn check_ours(&self) -> Result<()> {
        let [rows] = self.read([bind!(FOREIGN)]).await?;
        let name = first(rows, |row| RowReader::new(row).next::<String>())?;
        name.map_or(Ok(()), |table| Err(StoreError::Foreign { table }))
    }

    /// Marks the database, so that no server works with it before [`Store::finish_filling`].
    pub async fn begin_filling(&self) -> Result<()> {
        self.write_holding(vec![Lock::schema()], vec![bind!(BEGIN_FILLING)]).await.map(drop)
    }

    /// Takes the mark away: all rows are there.
    pub async fn finish_filling(&self) -> Result<()> {
        self.write_holding(vec![Lock::schema()], vec![bind!(FINISH_FILLING)]).await.map(drop)
    }

    /// Fails unless the schema is one that this server can work with.
    pub(crate) async fn check_version(&self) -> Result<()> {
        let (found, known) = (self.version().await?, newest());
        if found < known {
            return Err(StoreError::Older { found, known });
        }
        Ok(())
    }

    /// The version of the schema, if this server can work with it.
    pub(crate) async fn version(&self) -> Result<i64> {
        let known = newest();
        let [rows] = answers(self.engine.read_for_health(vec![bind!(CURRENT)]).await?)?;
        let versions = |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, row.next()?))
        };
        let (found, readable_from): (i64, i64) = first(rows, versions)?.unwrap_or_default();
        if (1..=UNRELEASED).contains(&found) {
            return Err(StoreError::Unreleased { found });
        }
        if found == UNFINISHED {
            return Err(StoreError::Unfinished);
        }
        if found > known && readable_from > known {
            return Err(StoreError::Newer { found, known });
        }
        Ok(found)
    }
}

/// The statements that make the mark and take it away, as text for SQLite.
pub(crate) fn filling_texts() -> [String; 2] {
    [BEGIN_FILLING, FINISH_FILLING].map(|sql| format!("{};", sql.sqlite().unwrap_or_default()))
}

impl Migration {
    /// The statements, split at the semicolons that end a line. None has one elsewhere.
    fn statements(&self) -> impl Iterator<Item = Statement> {
        let split =
            |text: &'static str| text.split(";\n").map(str::trim).filter(|text| !text.is_empty());
        let sqlite = split(self.sqlite).map(Sql::OnlySqlite);
        sqlite.chain(split(self.postgres).map(Sql::OnlyPostgres)).map(|sql| bind!(sql))
    }
}
