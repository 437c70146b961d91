//! `octopoid-server export`: writes all data of a database as newline-delimited JSON.

mod d1;

use std::{
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use octopoid_store::{Store, copy::Checksum};
use octopoid_store_postgres::Options as Pool;

use crate::{
    copy::{compare, existing, listed, progress},
    database::Database,
    new_file::NewFile,
    print,
};

/// The arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File to create; `-` writes to standard output. Only its owner can read it.
    #[arg(long, value_name = "FILE", default_value = "-")]
    to: PathBuf,
    /// Instead of a database: a directory with one TABLE.json for each table of a D1 database, written
    /// by `wrangler d1 execute --json`.
    #[arg(long = "from-d1-json", value_name = "DIRECTORY")]
    d1_json: Option<PathBuf>,
}

/// Exports. What was written to a file is summed up on standard output.
pub(crate) async fn run(args: &Args, database: &Database, pool: Pool) -> anyhow::Result<()> {
    if let Some(directory) = &args.d1_json {
        let cannot = || format!("cannot export {}", directory.display());
        let loaded = d1::load(directory).await.with_context(cannot)?;
        return write(&loaded.store, &args.to, false).await.with_context(cannot);
    }
    let cannot = || format!("cannot export {database}");
    let store = existing(database, pool).await.with_context(cannot)?;
    // No other program can write to a file that this one has open.
    let is_shared = matches!(database, Database::Postgres(_));
    write(&store, &args.to, is_shared).await.with_context(cannot)
}

/// Writes the rows of a database. One that others can write to is read again and compared.
async fn write(store: &Store, to: &Path, is_shared: bool) -> anyhow::Result<()> {
    let check = async |sums: &[Checksum]| check(store, sums, is_shared).await;
    if to == Path::new("-") {
        let out = BufWriter::new(io::stdout().lock());
        store.export(out, progress("exporting"), check).await?;
        return Ok(());
    }
    let file = NewFile::create(to)?;
    let sums = store.export(BufWriter::new(&file.file), progress("exporting"), check).await?;
    file.keep()?;
    print(&listed(&sums))
}

async fn check(store: &Store, sums: &[Checksum], is_shared: bool) -> anyhow::Result<()> {
    if !is_shared {
        return Ok(());
    }
    let again = store.checksums(progress("checking")).await?;
    let what = "the database changed during the export: stop the servers, then export again";
    compare(what, sums, &again)
}
