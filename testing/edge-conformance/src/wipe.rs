//! Emptying the database, so that each request begins where a new one does.

use worker::{D1Database, Result};

/// D1 has internal tables, which must not be modified.
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' \
     AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Drops every table with its indexes.
pub(crate) async fn wipe(database: &D1Database) -> Result<()> {
    let tables: Vec<Vec<String>> = database.prepare(TABLES).raw().await?;
    let drops = tables.concat().into_iter();
    let drops: Vec<_> =
        drops.map(|table| database.prepare(format!("DROP TABLE \"{table}\""))).collect();
    if !drops.is_empty() {
        database.batch(drops).await?;
    }
    Ok(())
}
