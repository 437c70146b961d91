//! `octopoid-server import`: imports the database of the first server, or an export of this one.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use octopoid_store_postgres::Options as Pool;

use crate::{
    copy::{empty, left_behind},
    hidden::Hidden,
    import::{
        ImportError, ImportedTable, Notes, RowScope, Scopes, Source, Summary, convert, ndjson,
        target::{Batches, Destination, Pass, insert, set_counters, write_statements},
    },
    new_file::create_private,
    print,
};

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: Origin,
    /// The format of FILE. `ndjson` is what `octopoid export` writes.
    #[arg(long, value_enum, requires = "export", conflicts_with_all = FIRST_SERVER)]
    format: Option<Format>,
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

/// The options that apply to the database of the first server only.
const FIRST_SERVER: [&str; 4] = ["scope_of", "scope_for_unscoped", "partial", "report"];

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Newline-delimited JSON.
    Ndjson,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Origin {
    /// An export of this server, written by `octopoid export`; `-` reads standard input.
    #[arg(value_name = "FILE", requires = "format")]
    export: Option<PathBuf>,
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

/// The inputs and the report of an import.
struct Work {
    source: Source,
    scopes: Scopes,
    notes: Notes,
}

/// Reads the source, writes the converted rows, and prints the report.
pub(crate) async fn run(args: &Args, pool: Pool) -> anyhow::Result<()> {
    if let Some(path) = &args.from.export {
        return ndjson::run(path, &args.to, pool).await;
    }
    let source = args.from.open(args.partial)?;
    let scopes = Scopes::new(&args.scope_of, args.scope_for_unscoped.clone());
    let notes = || match &args.report {
        None => Ok(Notes::default()),
        Some(path) => create_private(path)
            .map(|file| Notes::writing_to(Box::new(BufWriter::new(file))))
            .with_context(|| format!("cannot write {}", path.display())),
    };
    let (summary, notes) = match &args.to {
        Destination::D1(path) => {
            let shown = path.display();
            let work = Work { source, scopes, notes: notes()? };
            let emit = |pass: &mut Pass<'_>| work.emit(pass);
            let written = write_statements(path, emit, |(summary, _)| summary.counters.clone());
            written.with_context(|| format!("cannot write {shown}"))?
        }
        Destination::Database(to) => {
            let target = empty(to, pool).await;
            let target = target.with_context(|| format!("cannot import into {to}"))?;
            let work = Work { source, scopes, notes: notes()? };
            target.begin_filling().await.with_context(|| format!("cannot import into {to}"))?;
            let filling = async {
                let imported = insert(&target, "importing", move |pass| work.emit(pass)).await?;
                set_counters(&target, &imported.0.counters).await?;
                target.finish_filling().await?;
                anyhow::Ok(imported)
            };
            filling.await.with_context(|| left_behind(to))?
        }
    };
    print(&report(&summary, &notes))
}

impl Origin {
    fn open(&self, partial: bool) -> anyhow::Result<Source> {
        for path in [&self.d1_dump, &self.d1_json, &self.sqlite].into_iter().flatten() {
            ndjson::refuse(path).with_context(|| format!("cannot import {}", path.display()))?;
        }
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
    /// Converts all rows and passes them on.
    fn emit(mut self, pass: &mut Pass<'_>) -> anyhow::Result<(Summary, Notes)> {
        let mut batches = Batches::new(pass);
        let summary = {
            let mut sink = |table, of, row| batches.add(table, of, row);
            convert(&self.source, &self.scopes, &mut self.notes, &mut sink)?
        };
        batches.finish().map_err(ImportError::Sink)?;
        Ok((summary, self.notes))
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
