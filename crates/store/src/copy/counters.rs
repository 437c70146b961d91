//! The highest number that each table has ever given to a row, so that none is given again.

use std::borrow::Cow::Borrowed;

use super::{CopyError, tables::analyzing};
use crate::{
    Sql, Store,
    engine::{Rows, Value, bind},
};

/// How a table's counter is read and set where there is one.
struct Counter {
    table: &'static str,
    highest: Sql,
    read: Sql,
    set: &'static [Sql],
}

/// A counter that PostgreSQL has and SQLite does without: there the next number follows the highest
/// that is in the table.
macro_rules! identity {
    ($table:literal, $column:literal) => {
        Counter {
            table: $table,
            highest: Sql::Same(Borrowed(concat!(
                "SELECT COALESCE(MAX(",
                $column,
                "), 0) FROM ",
                $table
            ))),
            read: Sql::OnlyPostgres(concat!(
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ",
                $table,
                "_",
                $column,
                "_seq"
            )),
            set: &[Sql::OnlyPostgres(concat!(
                "SELECT setval('",
                $table,
                "_",
                $column,
                "_seq', GREATEST(?1, 1), ?1 > 0)"
            ))],
        }
    };
}

/// A draft's number is seen by people, so SQLite counts it too.
const COUNTERS: [Counter; 5] = [
    Counter {
        table: "drafts",
        highest: Sql::Same(Borrowed("SELECT COALESCE(MAX(id), 0) FROM drafts")),
        read: Sql::Differs {
            sqlite: "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'drafts'",
            postgres: "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM drafts_id_seq",
        },
        set: &[
            Sql::OnlySqlite("DELETE FROM sqlite_sequence WHERE name = 'drafts' AND seq <= ?1"),
            Sql::OnlySqlite(
                "INSERT INTO sqlite_sequence (name, seq) SELECT 'drafts', ?1 \
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'drafts')",
            ),
            Sql::OnlyPostgres("SELECT setval('drafts_id_seq', GREATEST(?1, 1), ?1 > 0)"),
        ],
    },
    identity!("tasks", "seq"),
    identity!("projects", "seq"),
    identity!("messages", "seq"),
    identity!("actions", "seq"),
];

impl Store {
    /// The highest number that each counted table has given away, as far as the database knows.
    pub async fn counters(&self) -> Result<Vec<(&'static str, i64)>, CopyError> {
        let texts = COUNTERS.iter().flat_map(|counter| [&counter.highest, &counter.read]);
        let answers = self.engine.read(texts.map(|sql| bind!(sql.clone())).collect()).await?;
        let tables = COUNTERS.iter().map(|counter| counter.table);
        Ok(tables.zip(answers.chunks(2).map(highest)).collect())
    }

    /// Those of [`Store::counters`] that every engine keeps.
    pub(super) async fn lasting_counters(&self) -> Result<Vec<(&'static str, i64)>, CopyError> {
        let mut numbers = self.counters().await?;
        numbers.retain(|(table, _)| lasting_counters().any(|name| name == *table));
        Ok(numbers)
    }

    /// Lets the tables go on counting after these numbers, and the database look them over.
    pub async fn set_counters(&self, numbers: &[(&'static str, i64)]) -> Result<(), CopyError> {
        let mut batch = Vec::new();
        for (table, number) in numbers {
            let counter = COUNTERS.iter().find(|counter| counter.table == *table);
            let texts = counter.into_iter().flat_map(|counter| counter.set);
            batch.extend(texts.map(|sql| bind!(sql.clone(), *number)));
        }
        self.engine.write(batch).await?;
        self.engine.write(vec![analyzing()]).await?;
        Ok(())
    }
}

/// The tables whose counters every engine keeps.
pub(super) fn lasting_counters() -> impl Iterator<Item = &'static str> {
    let lasting = COUNTERS.iter().filter(|counter| counter.read.sqlite().is_some());
    lasting.map(|counter| counter.table)
}

fn highest(answers: &[Rows]) -> i64 {
    let numbers = answers.iter().flatten().flatten().map(|value| match value {
        Value::Int(number) => *number,
        Value::Null | Value::Text(_) => 0,
    });
    numbers.max().unwrap_or_default()
}

/// What [`Store::set_counters`] runs on SQLite, as text with the numbers in it.
pub(super) fn sqlite_texts(numbers: &[(&str, i64)]) -> Vec<String> {
    let mut texts = Vec::new();
    for (table, number) in numbers {
        let counter = COUNTERS.iter().find(|counter| counter.table == *table);
        let set = counter.into_iter().flat_map(|counter| counter.set).filter_map(Sql::sqlite);
        texts.extend(set.map(|text| format!("{};", text.replace("?1", &number.to_string()))));
    }
    texts
}
