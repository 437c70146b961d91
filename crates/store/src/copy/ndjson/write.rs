//! Writes an export.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Header, footer_line, row_line};
use crate::{
    Store,
    copy::{Checksum, CopyError, Pages, Progress, Table, checksum::Sum, tables},
};

/// Why a database was not exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The database cannot be read.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The text cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
    /// Rows were added or deleted meanwhile.
    #[error("the table {0} changed during the export: stop the servers, then export again")]
    Changed(&'static str),
}

/// Writes lines and hashes them.
struct Lines<W> {
    out: W,
    hash: Sha256,
    rows: i64,
}

impl Store {
    /// Writes all rows of all tables, page by page, and returns the checksum of each table. The
    /// servers must be stopped: no transaction stays open. `check` gets the checksums before the
    /// last line is written, without which an export is incomplete: a comparison with
    /// [`Store::checksums`] shows whether a row was changed meanwhile.
    pub async fn export<E: From<ExportError>>(
        &self,
        out: impl Write,
        report: impl FnMut(Progress),
        check: impl AsyncFnOnce(&[Checksum]) -> Result<(), E>,
    ) -> Result<Vec<Checksum>, E> {
        let (lines, sums) = self.export_tables(out, report).await?;
        check(&sums).await?;
        lines.finish().map_err(ExportError::Write)?;
        Ok(sums)
    }

    async fn export_tables<W: Write>(
        &self,
        out: W,
        mut report: impl FnMut(Progress),
    ) -> Result<(Lines<W>, Vec<Checksum>), ExportError> {
        // Rows are in the order of their keys, and the key of an event is its position.
        self.number_events().await.map_err(CopyError::from)?;
        let header = self.header().await?;
        let mut lines = Lines { out, hash: Sha256::new(), rows: 0 };
        lines.write(&header.line())?;
        let mut sums = Vec::with_capacity(header.tables.len());
        for (table, of) in header.tables {
            let sum = self.export_table(table, of, &mut lines, &mut report).await?;
            if sum.rows != of {
                return Err(ExportError::Changed(table.name));
            }
            sums.push(sum);
        }
        Ok((lines, sums))
    }

    async fn header(&self) -> Result<Header, CopyError> {
        let mut header = Header { tables: Vec::new(), counters: self.lasting_counters().await? };
        for table in tables() {
            header.tables.push((table, self.count_rows(table).await?));
        }
        Ok(header)
    }

    async fn export_table(
        &self,
        table: &'static Table,
        of: i64,
        lines: &mut Lines<impl Write>,
        report: &mut impl FnMut(Progress),
    ) -> Result<Checksum, ExportError> {
        let mut sum = Sum::of(table);
        let mut pages = Pages::of(self, table);
        loop {
            report(Progress { table: table.name, rows: sum.rows(), of });
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(sum.finish());
            }
            for row in &page {
                sum.add(row);
                lines.write(&row_line(table, row))?;
                lines.rows += 1;
            }
        }
    }
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &str) -> io::Result<()> {
        self.hash.update(line);
        self.out.write_all(line.as_bytes())
    }

    fn finish(mut self) -> io::Result<()> {
        let sha256 = hex::encode(self.hash.finalize());
        self.out.write_all(footer_line(self.rows, &sha256).as_bytes())?;
        self.out.flush()
    }
}
