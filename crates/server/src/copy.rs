//! `octopoid-server copy`: copies all data from one database into another.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use octopoid_store::{
    Store,
    copy::{Checksum, Progress},
};
use octopoid_store_postgres::Options as Pool;
use octopoid_store_sqlite::Location as File;

use crate::{connect, database::Database, hidden::Hidden, open, print};

/// Why a copy is rejected.
const DIFFERS: &str = "the copy differs, a server may have written to one of the databases";

/// The arguments of `copy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Source database. No server may write to it during the copy.
    #[arg(long, value_name = "URL", value_parser = Hidden::<Database>::new())]
    from: Database,
    /// Target database. It must be empty. Its schema is created or migrated.
    #[arg(long, value_name = "URL", value_parser = Hidden::<Database>::new())]
    to: Database,
}

/// Copies, compares, and prints rows and checksum of each table.
pub(crate) async fn run(args: &Args, pool: Pool) -> anyhow::Result<()> {
    let Args { from, to } = args;
    let source =
        existing(from, pool.clone()).await.with_context(|| format!("cannot copy {from}"))?;
    let target = empty(to, pool).await.with_context(|| format!("cannot copy into {to}"))?;
    target.begin_filling().await?;
    source.copy_to(&target, progress("copying")).await.with_context(|| left_behind(to))?;
    let here = source.checksums(progress("checking the source")).await?;
    let there = target.checksums(progress("checking the target")).await?;
    compare(DIFFERS, &here, &there).with_context(|| left_behind(to))?;
    target.finish_filling().await?;
    print(&listed(&there))
}

/// Opens the source. It is not changed, so it must already have the latest schema.
pub(crate) async fn existing(database: &Database, pool: Pool) -> anyhow::Result<Store> {
    if let Database::Sqlite { location: File::File(path), .. } = database {
        ensure!(path.exists(), "there is no such file");
    }
    let store = connect(database, pool).await?;
    store.check_newest().await?;
    Ok(store)
}

/// Opens an empty target database.
pub(crate) async fn empty(database: &Database, pool: Pool) -> anyhow::Result<Store> {
    if matches!(database, Database::Sqlite { location: File::Memory, .. }) {
        bail!("an in-memory database would be lost when the command exits");
    }
    let (store, _) = open(database, pool).await?;
    // The schema of a newer server may have tables that this server would leave empty.
    store.check_newest().await?;
    store.check_empty().await?;
    Ok(store)
}

pub(crate) fn left_behind(to: &Database) -> String {
    format!("{to} is incomplete: empty it before retrying")
}

/// Shows the progress of each table on standard error: a bar on a terminal, otherwise a line at every
/// tenth.
pub(crate) fn progress(what: &'static str) -> impl FnMut(Progress) {
    let bar = std::io::stderr().is_terminal().then(|| bar(what));
    let mut reported = ("", 0);
    move |progress| {
        let Progress { table, rows, of } = progress;
        if let Some(bar) = &bar {
            bar.set_length(of.unsigned_abs());
            bar.set_message(table);
            bar.set_position(rows.unsigned_abs());
            return;
        }
        let tenth = (rows * 10).checked_div(of).unwrap_or(10);
        if reported == (table, tenth) {
            return;
        }
        reported = (table, tenth);
        let _ = writeln!(std::io::stderr(), "{what}: {table}, {rows} of {of} rows");
    }
}

/// A bar, which is taken away with its last clone.
fn bar(what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix}: {msg:16} {bar:30} {pos} of {len} rows, {eta}");
    let bar = ProgressBar::no_length().with_prefix(what).with_finish(ProgressFinish::AndClear);
    bar.with_style(style.expect("the template is well-formed"))
}

/// Fails with `what` unless two databases are equal, and names the tables that differ.
pub(crate) fn compare(what: &str, here: &[Checksum], there: &[Checksum]) -> anyhow::Result<()> {
    let mut differing = String::new();
    for (here, there) in here.iter().zip(there).filter(|(here, there)| here != there) {
        let (table, rows, sum) = (there.table, there.rows, &there.sha256);
        let _ = write!(
            differing,
            "\n  {table}: {rows} rows, {sum}; expected {} rows, {}",
            here.rows, here.sha256
        );
    }
    ensure!(differing.is_empty(), "{what}:{differing}");
    Ok(())
}

/// A line for each table.
pub(crate) fn listed(sums: &[Checksum]) -> String {
    let mut lines = format!("{:<16} {:>10}  {}\n", "table", "rows", "sha256");
    for Checksum { table, rows, sha256 } in sums {
        let _ = writeln!(lines, "{table:<16} {rows:>10}  {sha256}");
    }
    lines
}
