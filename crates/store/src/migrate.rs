//! Numbered migrations, embedded in the binary and applied once each, in order.

use std::cmp::Ordering;

use crate::{
    Result, Store, StoreError,
    engine::{Statement, Value},
    row::number,
};

/// The statements of each migration, from version 1. One that was released never changes.
const MIGRATIONS: [&str; 2] =
    [include_str!("migrations/0001_tasks.sql"), include_str!("migrations/0002_nouns.sql")];

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_versions \
    (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)";

const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_versions";

fn statement(sql: &'static str) -> Statement {
    Statement { sql: sql.into(), parameters: Vec::new() }
}

/// The newest schema version this server knows.
fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

impl Store {
    /// Brings the schema up to date and returns the versions before and after. Each migration is
    /// one batch, so a crash leaves it done or not begun. A database from a newer server is
    /// refused untouched.
    pub async fn migrate(&self, now: octopoid_domain::Millis) -> Result<(i64, i64)> {
        let answers = self.engine.write(vec![statement(CREATE), statement(CURRENT)]).await?;
        let found = number(answers.into_iter().nth(1).unwrap_or_default())?;
        let known = newest();
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for version in found + 1..=known {
            let index = usize::try_from(version - 1).unwrap_or_default();
            let mut batch: Vec<_> = statements(MIGRATIONS[index]).map(statement).collect();
            batch.push(Statement {
                sql: "INSERT INTO schema_versions (version, applied_at) VALUES (?1, ?2)".into(),
                parameters: vec![Value::Int(version), now.into()],
            });
            self.engine.write(batch).await?;
        }
        Ok((found, known))
    }

    /// Whether the database takes writes, answers, and has the schema this server knows.
    pub async fn check_ready(&self) -> Result<()> {
        // Changes nothing, but a writer that is gone or locked out cannot answer it.
        self.engine.write(Vec::new()).await?;
        let [rows] = self.read([statement(CURRENT)]).await?;
        let (found, known) = (number(rows)?, newest());
        match found.cmp(&known) {
            Ordering::Greater => Err(StoreError::Newer { found, known }),
            Ordering::Less => Err(StoreError::Older { found, known }),
            Ordering::Equal => Ok(()),
        }
    }
}

/// Splits a migration at the semicolons that end a line. No statement has one elsewhere.
fn statements(migration: &'static str) -> impl Iterator<Item = &'static str> {
    migration.split(";\n").map(str::trim).filter(|text| !text.is_empty())
}
