//! Imports an export of this server: the text that `octopoid export` writes.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _},
    path::Path,
};

use anyhow::Context;
use octopoid_store::copy::{
    Checksum,
    ndjson::{BEGINNING, Header, Reader},
};
use octopoid_store_postgres::Options as Pool;

use crate::{
    copy::{compare, empty, left_behind, listed, progress},
    import::{
        ImportError,
        target::{Batches, Destination, Pass, insert, set_counters, write_statements},
    },
    print,
};

/// The size of the buffer for reading, in bytes.
const BUFFER: usize = 1 << 16;

/// What is known of an export when all of it was read.
struct Whole {
    header: Header,
    sums: Vec<Checksum>,
}

/// Checks the whole export, then writes its rows, and prints the rows and the checksum of each
/// table. The target of an export that is rejected is not opened.
pub(crate) async fn run(path: &Path, to: &Destination, pool: Pool) -> anyhow::Result<()> {
    let rejected = || format!("cannot import {}", shown(path));
    let mut file = open(path).with_context(rejected)?;
    emit(&file, &mut |_| Ok(())).with_context(rejected)?;
    file.rewind().with_context(rejected)?;
    let sums = match to {
        Destination::D1(path) => {
            let shown = path.display();
            let emit = |pass: &mut Pass<'_>| emit(&file, pass);
            let written = write_statements(path, emit, |whole| whole.header.counters.clone());
            written.with_context(|| format!("cannot write {shown}"))?.sums
        }
        Destination::Database(to) => {
            let cannot = || format!("cannot import into {to}");
            let target = empty(to, pool).await.with_context(cannot)?;
            target.begin_filling().await.with_context(cannot)?;
            let filling = async {
                let whole = insert(&target, "importing", move |pass| emit(&file, pass)).await?;
                set_counters(&target, &whole.header.counters).await?;
                let there = target.checksums(progress("checking")).await?;
                compare("the database differs from the export", &whole.sums, &there)?;
                target.finish_filling().await?;
                anyhow::Ok(there)
            };
            filling.await.with_context(|| left_behind(to))?
        }
    };
    print(&listed(&sums))
}

/// Refuses an export of this server where one of the first server is expected.
pub(crate) fn refuse(path: &Path) -> Result<(), ImportError> {
    let mut beginning = Vec::new();
    let length = BEGINNING.len() as u64;
    // What is no regular file can be read once only. What cannot be read is reported by the reader of
    // the expected format.
    if path.is_file()
        && let Ok(file) = File::open(path)
        && file.take(length).read_to_end(&mut beginning).is_ok()
        && beginning == BEGINNING.as_bytes()
    {
        return Err(ImportError::Export);
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Opens an export so that it can be read twice: what is not a regular file goes through a temporary
/// one, which is deleted when it is closed.
fn open(path: &Path) -> anyhow::Result<File> {
    let keep = |mut input: Box<dyn io::Read>| -> io::Result<File> {
        let mut kept = tempfile::tempfile()?;
        io::copy(&mut input, &mut kept)?;
        kept.rewind()?;
        Ok(kept)
    };
    if path == Path::new("-") {
        return keep(Box::new(io::stdin())).context("cannot store it in a temporary file");
    }
    let file = File::open(path).context("cannot read it")?;
    if file.metadata().is_ok_and(|data| data.is_file()) {
        return Ok(file);
    }
    keep(Box::new(file)).context("cannot store it in a temporary file")
}

/// Reads and checks an export, and passes its rows on.
fn emit(file: &File, pass: &mut Pass<'_>) -> anyhow::Result<Whole> {
    let mut reader = Reader::new(BufReader::with_capacity(BUFFER, file))?;
    let header = reader.header().clone();
    let mut batches = Batches::new(pass);
    while let Some((table, row)) = reader.next_row()? {
        let of = header.tables.iter().find(|(one, _)| one.name == table.name);
        let of = of.and_then(|(_, rows)| usize::try_from(*rows).ok()).unwrap_or_default();
        batches.add(table, of, row).map_err(anyhow::Error::from_boxed)?;
    }
    batches.finish().map_err(anyhow::Error::from_boxed)?;
    Ok(Whole { header, sums: reader.checksums() })
}
