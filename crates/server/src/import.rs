//! `octopoid-server import`: the database of the first server becomes one of ours.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context;
use octopoid_import::{Import, Taken};
use octopoid_store::{
    Store,
    copy::text,
    engine::{Row, text_bytes},
};
use octopoid_store_postgres::Options as Pool;

use crate::{
    config::Database,
    copy::{empty, left_behind},
    hidden::Hidden,
    print,
};

/// The most rows that are written at once, and the most bytes of text they have.
const ROWS_MAX: usize = 500;
const TEXT_MAX: usize = 8 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `wrangler d1 export` wrote of the first server's database.
    #[arg(long, value_name = "FILE")]
    from_d1_dump: PathBuf,
    /// Where it goes: the URL of a database without rows, or `d1:FILE` for a new file of statements
    /// for `wrangler d1 execute --file`, which puts the rows into a migrated D1 database.
    #[arg(long, value_name = "URL", value_parser = Hidden::<Destination>::new())]
    to: Destination,
}

#[derive(Clone, Debug)]
enum Destination {
    /// A file of statements.
    D1(PathBuf),
    /// A database.
    Database(Database),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("d1:") {
            Some("") => Err("the URL names no file".to_owned()),
            Some(file) => Ok(Self::D1(file.into())),
            None => text.parse().map(Self::Database),
        }
    }
}

/// Reads the dump, writes what was made of it, and prints what was taken and what was not.
pub(crate) async fn run(args: &Args, pool: Pool) -> anyhow::Result<()> {
    let file = args.from_d1_dump.display();
    let dump = fs::read_to_string(&args.from_d1_dump);
    let dump = dump.with_context(|| format!("cannot read {file}"))?;
    let import =
        octopoid_import::read(&dump).with_context(|| format!("cannot take over {file}"))?;
    drop(dump);
    let report = report(&import);
    match &args.to {
        Destination::D1(path) => {
            let shown = path.display();
            write_statements(&import, path).with_context(|| format!("cannot write {shown}"))?;
        }
        Destination::Database(to) => {
            let target = empty(to, pool).await;
            let target = target.with_context(|| format!("cannot import into {to}"))?;
            fill(&target, import).await.with_context(|| left_behind(to))?;
        }
    }
    print(&report)
}

/// Puts the rows into a database.
async fn fill(target: &Store, import: Import) -> anyhow::Result<()> {
    for Taken { table, rows, .. } in import.tables {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            target.insert_rows(table, batch(&mut rows)).await?;
        }
    }
    let mut numbers = target.counters().await?;
    for (table, number) in &mut numbers {
        let given = import.counters.iter().filter(|(counted, _)| counted == table);
        *number = given.map(|(_, given)| *given).fold(*number, i64::max);
    }
    target.set_counters(&numbers).await?;
    Ok(())
}

/// The next rows to write at once.
fn batch(rows: &mut impl Iterator<Item = Row>) -> Vec<Row> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    for row in rows {
        bytes += text_bytes(&row);
        batch.push(row);
        if batch.len() == ROWS_MAX || bytes > TEXT_MAX {
            break;
        }
    }
    batch
}

/// Writes a new file of statements.
fn write_statements(import: &Import, path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create_new(path)?);
    let mut write = |statements: Vec<String>| {
        statements.iter().try_for_each(|statement| writeln!(file, "{statement}"))
    };
    for Taken { table, rows, .. } in &import.tables {
        for row in rows {
            write(text::inserting(table, row))?;
        }
    }
    write(text::counting(&import.counters))?;
    file.into_inner()?.sync_all()?;
    Ok(())
}

/// A line for each table, and one for everything that is not as it was.
fn report(import: &Import) -> String {
    let mut lines = format!("{:<16} {:>10} {:>10}\n", "table", "taken", "of");
    for Taken { table, rows, of } in &import.tables {
        let of = of.map_or("made".to_owned(), |of| of.to_string());
        let _ = writeln!(lines, "{:<16} {:>10} {of:>10}", table.name, rows.len());
    }
    if import.notes.is_empty() {
        lines.push_str("nothing was left out or changed\n");
    }
    for note in &import.notes {
        let _ = writeln!(lines, "{note}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use octopoid_store::engine::Value;

    use super::{Destination, TEXT_MAX, batch};

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
    fn large_rows_are_written_a_few_at_a_time() {
        let large = vec![Value::Text("x".repeat(TEXT_MAX / 2 + 1))];
        let mut rows = vec![large; 5].into_iter();
        let sizes = std::iter::from_fn(|| Some(batch(&mut rows).len()).filter(|size| *size > 0));
        assert_eq!(sizes.collect::<Vec<_>>(), [2, 2, 1]);
        let mut rows = vec![vec![Value::Null]; 501].into_iter();
        assert_eq!((batch(&mut rows).len(), batch(&mut rows).len()), (500, 1));
    }
}
