//! Where imported rows go: a database, or a file of SQL statements for D1.

use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use octopoid_store::{
    Store,
    copy::{Progress, Table, text},
    engine::{Row, text_bytes},
};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{copy::progress, database::Database, import::SinkError, new_file::NewFile};

/// The most rows that are written at once, and the most bytes of text they have.
const ROWS_MAX: usize = 500;
const TEXT_MAX: usize = 8 << 20;

/// The target of an import.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A file of SQL statements.
    D1(PathBuf),
    /// A database.
    Database(Database),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("d1:") {
            Some("") => Err("the URL has no file name".to_owned()),
            Some(file) => Ok(Self::D1(file.into())),
            None => text.parse().map(Self::Database),
        }
    }
}

/// Rows of a table that are written together.
pub(crate) struct Batch {
    table: &'static Table,
    /// The number of rows in the table.
    of: usize,
    rows: Vec<Row>,
}

/// Receives batches. An error stops the import.
pub(crate) type Pass<'a> = dyn FnMut(Batch) -> Result<(), SinkError> + 'a;

/// Collects rows and passes them on in batches.
pub(crate) struct Batches<'a> {
    batch: Option<Batch>,
    bytes: usize,
    pass: &'a mut Pass<'a>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(pass: &'a mut Pass<'a>) -> Self {
        Self { batch: None, bytes: 0, pass }
    }

    /// Adds a row of a table that has `of` rows.
    pub(crate) fn add(
        &mut self,
        table: &'static Table,
        of: usize,
        row: Row,
    ) -> Result<(), SinkError> {
        if self.batch.as_ref().is_some_and(|batch| batch.table.name != table.name) {
            self.pass()?;
        }
        self.bytes += text_bytes(&row);
        let batch = self.batch.get_or_insert_with(|| Batch { table, of, rows: Vec::new() });
        batch.rows.push(row);
        if batch.rows.len() == ROWS_MAX || self.bytes > TEXT_MAX { self.pass() } else { Ok(()) }
    }

    /// Passes on the last rows.
    pub(crate) fn finish(mut self) -> Result<(), SinkError> {
        self.pass()
    }

    fn pass(&mut self) -> Result<(), SinkError> {
        self.bytes = 0;
        self.batch.take().map_or(Ok(()), &mut self.pass)
    }
}

/// Inserts the rows that `emit` passes on. It runs in another thread, a few batches ahead. Progress is
/// reported as `what`.
pub(crate) async fn insert<T: Send + 'static>(
    target: &Store,
    what: &'static str,
    emit: impl FnOnce(&mut Pass<'_>) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, mut batches) = mpsc::channel::<Batch>(2);
    let reading = spawn_blocking(move || {
        emit(&mut |batch| Ok(sender.blocking_send(batch).map_err(|_| "the import was stopped")?))
    });
    let mut report = progress(what);
    let (mut name, mut done) = ("", 0);
    while let Some(Batch { table, of, rows }) = batches.recv().await {
        done = rows.len() + if name == table.name { done } else { 0 };
        name = table.name;
        target.insert_rows(table, rows).await?;
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        report(Progress { table: name, rows: count(done), of: count(of.max(done)) });
    }
    reading.await?
}

/// Lets the tables of a filled database go on counting after the given numbers, or after the
/// highest that they hold.
pub(crate) async fn set_counters(
    target: &Store,
    given: &[(impl AsRef<str>, i64)],
) -> anyhow::Result<()> {
    let mut numbers = target.counters().await?;
    for (table, number) in &mut numbers {
        let given = given.iter().filter(|(counted, _)| counted.as_ref() == *table);
        *number = given.map(|(_, given)| *given).fold(*number, i64::max);
    }
    Ok(target.set_counters(&numbers).await?)
}

/// Writes the rows that `emit` passes on into a new file of SQL statements. `counters` are the
/// numbers after which the tables go on counting.
pub(crate) fn write_statements<T>(
    path: &Path,
    emit: impl FnOnce(&mut Pass<'_>) -> anyhow::Result<T>,
    counters: impl FnOnce(&T) -> Vec<(&'static str, i64)>,
) -> anyhow::Result<T> {
    let new = NewFile::create(path)?;
    let mut file = BufWriter::new(&new.file);
    writeln!(file, "{}", text::beginning())?;
    let emitted = emit(&mut |Batch { table, rows, .. }| {
        let statements = rows.iter().flat_map(|row| text::inserting(table, row));
        for statement in statements {
            writeln!(file, "{statement}")?;
        }
        Ok(())
    })?;
    for statement in text::counting(&counters(&emitted)) {
        writeln!(file, "{statement}")?;
    }
    writeln!(file, "{}", text::finishing())?;
    file.flush()?;
    drop(file);
    new.keep()?;
    Ok(emitted)
}

#[cfg(test)]
mod tests {
    use octopoid_store::{copy::table, engine::Value};

    use super::{Batch, Batches, Destination, TEXT_MAX};

    #[test]
    fn a_destination_is_a_database_or_a_file_of_statements() {
        let parsed = |text: &str| text.parse::<Destination>();
        assert!(matches!(parsed("d1:out.sql"), Ok(Destination::D1(path)) if path == *"out.sql"));
        assert!(matches!(parsed("sqlite:a.db"), Ok(Destination::Database(_))));
        assert!(matches!(parsed("postgres://a/b"), Ok(Destination::Database(_))));
        for text in ["d1:", "out.sql", "mysql://x"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn large_rows_are_written_a_few_at_a_time_and_tables_apart() {
        let mut sizes = Vec::new();
        let mut pass = |Batch { table, rows, .. }: Batch| {
            sizes.push((table.name, rows.len()));
            Ok(())
        };
        let mut batches = Batches::new(&mut pass);
        let (roles, flows) = (table("roles").unwrap(), table("flows").unwrap());
        for _ in 0..5 {
            let large = vec![Value::Text("x".repeat(TEXT_MAX / 2 + 1))];
            batches.add(roles, 5, large).unwrap();
        }
        for _ in 0..501 {
            batches.add(flows, 501, vec![Value::Null]).unwrap();
        }
        batches.finish().unwrap();
        let expected = [("roles", 2), ("roles", 2), ("roles", 1), ("flows", 500), ("flows", 1)];
        assert_eq!(sizes, expected);
    }
}
