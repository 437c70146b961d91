//! `octopoid-server import`: imports the database of the first server.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context;
use octopoid_store::{
    Store,
    copy::{Progress, Table, text},
    engine::{Row, text_bytes},
};
use octopoid_store_postgres::Options as Pool;
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    copy::{empty, left_behind, progress},
    database::Database,
    hidden::Hidden,
    import::{
        ImportError, ImportedTable, Notes, RowScope, Scopes, SinkError, Source, Summary, convert,
    },
    print,
};

/// The most rows that are written at once, and the most bytes of text they have.
const ROWS_MAX: usize = 500;
const TEXT_MAX: usize = 8 << 20;

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: Origin,
    /// Target: the URL of an empty database, or `d1:FILE` for a new file of SQL statements, which
    /// `wrangler d1 execute --file` loads into a migrated D1 database.
    #[arg(long, value_name = "URL", value_parser = Hidden::<Destination>::new())]
    to: Destination,
    /// Assign a scope to one row without a scope; may be repeated.
    #[arg(long, value_name = "TABLE:ID=SCOPE")]
    scope_of: Vec<RowScope>,
    /// Assign a scope to all other rows without a scope.
    #[arg(long, value_name = "SCOPE", value_parser = Scopes::parse_name)]
    scope_for_unscoped: Option<String>,
    /// Accept an incomplete export: missing tables or a missing end.
    #[arg(long)]
    partial: bool,
    /// Write the complete report to a new file. Standard output shows the first lines of each kind.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Origin {
    /// SQL dump of the first server's database, written by `wrangler d1 export`.
    #[arg(long = "from-d1-dump", value_name = "FILE")]
    d1_dump: Option<PathBuf>,
    /// Directory with one TABLE.json for each table, written by `wrangler d1 execute --json`.
    #[arg(long = "from-d1-json", value_name = "DIRECTORY")]
    d1_json: Option<PathBuf>,
    /// SQLite file of the first server. The file is opened read-only.
    #[arg(long = "from-sqlite", value_name = "FILE")]
    sqlite: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Destination {
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

/// The inputs and the report of an import.
struct Work {
    source: Source,
    scopes: Scopes,
    notes: Notes,
}

/// Rows of a table that are written together.
struct Batch {
    table: &'static Table,
    /// The number of rows in the table.
    of: usize,
    rows: Vec<Row>,
}

/// Collects rows and passes them on in batches.
struct Batches<F> {
    batch: Option<Batch>,
    bytes: usize,
    pass: F,
}

/// Reads the source, writes the converted rows, and prints the report.
pub(crate) async fn run(args: &Args, pool: Pool) -> anyhow::Result<()> {
    let source = args.from.open(args.partial)?;
    let scopes = Scopes::new(&args.scope_of, args.scope_for_unscoped.clone());
    let notes = || match &args.report {
        None => Ok(Notes::default()),
        Some(path) => File::create_new(path)
            .map(|file| Notes::writing_to(Box::new(BufWriter::new(file))))
            .with_context(|| format!("cannot write {}", path.display())),
    };
    let (summary, notes) = match &args.to {
        Destination::D1(path) => {
            let shown = path.display();
            let work = Work { source, scopes, notes: notes()? };
            work.write_statements(path).with_context(|| format!("cannot write {shown}"))?
        }
        Destination::Database(to) => {
            let target = empty(to, pool).await;
            let target = target.with_context(|| format!("cannot import into {to}"))?;
            let work = Work { source, scopes, notes: notes()? };
            target.begin_filling().await.with_context(|| format!("cannot import into {to}"))?;
            work.fill(&target).await.with_context(|| left_behind(to))?
        }
    };
    print(&report(&summary, &notes))
}

impl Origin {
    fn open(&self, partial: bool) -> anyhow::Result<Source> {
        match self {
            Self { d1_dump: Some(path), .. } => {
                let shown = path.display();
                let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
                let size = file.metadata().map_or(0, |data| data.len());
                let dump = BufReader::with_capacity(1 << 16, file);
                Source::of_dump(dump, partial, &mut loading(size))
                    .with_context(|| format!("cannot import {shown}"))
            }
            Self { d1_json: Some(path), .. } => {
                let mut report = |path: &Path| {
                    let _ = writeln!(std::io::stderr(), "loading: {}", path.display());
                };
                Source::of_json(path, partial, &mut report)
                    .with_context(|| format!("cannot import {}", path.display()))
            }
            Self { sqlite, .. } => {
                let path = sqlite.as_deref().unwrap_or(Path::new(""));
                Source::of_sqlite(path, partial)
                    .with_context(|| format!("cannot import {}", path.display()))
            }
        }
    }
}

/// Prints the progress of loading a file to standard error, at every tenth.
fn loading(size: u64) -> impl FnMut(u64) {
    let mut reported = 0;
    move |bytes| {
        // Only regular files have a size.
        let tenth = (bytes * 10).checked_div(size).unwrap_or_default();
        if tenth > reported {
            reported = tenth;
            let mb = |bytes: u64| bytes.div_ceil(1_000_000);
            let (bytes, size) = (mb(bytes), mb(size));
            let _ = writeln!(std::io::stderr(), "loading: {bytes} of {size} MB");
        }
    }
}

impl Work {
    /// Inserts the rows into a database. Another thread reads them a few batches ahead.
    async fn fill(self, target: &Store) -> anyhow::Result<(Summary, Notes)> {
        let (sender, mut batches) = mpsc::channel::<Batch>(2);
        let reading = spawn_blocking(move || {
            self.emit_all(|batch| {
                Ok(sender.blocking_send(batch).map_err(|_| "the import was stopped")?)
            })
        });
        let mut report = progress("importing");
        let (mut name, mut done) = ("", 0);
        while let Some(Batch { table, of, rows }) = batches.recv().await {
            done = rows.len() + if name == table.name { done } else { 0 };
            name = table.name;
            target.insert_rows(table, rows).await?;
            let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
            report(Progress { table: name, rows: count(done), of: count(of.max(done)) });
        }
        let (summary, notes) = reading.await??;
        let mut numbers = target.counters().await?;
        for (table, number) in &mut numbers {
            let given = summary.counters.iter().filter(|(counted, _)| counted == table);
            *number = given.map(|(_, given)| *given).fold(*number, i64::max);
        }
        target.set_counters(&numbers).await?;
        target.finish_filling().await?;
        Ok((summary, notes))
    }

    /// Writes a new file of SQL statements.
    fn write_statements(self, path: &Path) -> anyhow::Result<(Summary, Notes)> {
        let mut file = BufWriter::new(File::create_new(path)?);
        writeln!(file, "{}", text::beginning())?;
        let (summary, notes) = self.emit_all(|Batch { table, rows, .. }| {
            let statements = rows.iter().flat_map(|row| text::inserting(table, row));
            for statement in statements {
                writeln!(file, "{statement}")?;
            }
            Ok(())
        })?;
        for statement in text::counting(&summary.counters) {
            writeln!(file, "{statement}")?;
        }
        writeln!(file, "{}", text::finishing())?;
        file.into_inner()?.sync_all()?;
        Ok((summary, notes))
    }

    fn emit_all(
        mut self,
        pass: impl FnMut(Batch) -> Result<(), SinkError>,
    ) -> Result<(Summary, Notes), ImportError> {
        let mut batches = Batches { batch: None, bytes: 0, pass };
        let summary = {
            let mut sink = |table, of, row| batches.add(table, of, row);
            convert(&self.source, &self.scopes, &mut self.notes, &mut sink)?
        };
        batches.pass().map_err(ImportError::Sink)?;
        Ok((summary, self.notes))
    }
}

impl<F: FnMut(Batch) -> Result<(), SinkError>> Batches<F> {
    fn add(&mut self, table: &'static Table, of: usize, row: Row) -> Result<(), SinkError> {
        if self.batch.as_ref().is_some_and(|batch| batch.table.name != table.name) {
            self.pass()?;
        }
        self.bytes += text_bytes(&row);
        let batch = self.batch.get_or_insert_with(|| Batch { table, of, rows: Vec::new() });
        batch.rows.push(row);
        if batch.rows.len() == ROWS_MAX || self.bytes > TEXT_MAX { self.pass() } else { Ok(()) }
    }

    fn pass(&mut self) -> Result<(), SinkError> {
        self.bytes = 0;
        self.batch.take().map_or(Ok(()), &mut self.pass)
    }
}

/// The report: a line for each table, then the notes.
fn report(summary: &Summary, notes: &Notes) -> String {
    let mut lines = format!("{:<16} {:>10} {:>10}\n", "table", "imported", "of");
    for ImportedTable { table, rows, source_rows } in &summary.tables {
        let of = source_rows.map_or("derived".to_owned(), |of| of.to_string());
        let _ = writeln!(lines, "{:<16} {rows:>10} {of:>10}", table.name);
    }
    if notes.groups().is_empty() {
        lines.push_str("all rows were imported unchanged\n");
    }
    for group in notes.groups() {
        let _ = write!(lines, "{group}");
    }
    lines
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
        let mut batches = Batches {
            batch: None,
            bytes: 0,
            pass: |Batch { table, rows, .. }| {
                sizes.push((table.name, rows.len()));
                Ok(())
            },
        };
        let (roles, flows) = (table("roles").unwrap(), table("flows").unwrap());
        for _ in 0..5 {
            let large = vec![Value::Text("x".repeat(TEXT_MAX / 2 + 1))];
            batches.add(roles, 5, large).unwrap();
        }
        for _ in 0..501 {
            batches.add(flows, 501, vec![Value::Null]).unwrap();
        }
        batches.pass().unwrap();
        let expected = [("roles", 2), ("roles", 2), ("roles", 1), ("flows", 500), ("flows", 1)];
        assert_eq!(sizes, expected);
    }
}
