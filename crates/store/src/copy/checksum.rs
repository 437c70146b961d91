//! Checksums to compare two databases.

use sha2::{Digest, Sha256};

use super::{CopyError, Pages, Progress, Table, tables};
use crate::{Store, engine::Value};

/// What a table holds, in short. Two tables with the same rows have the same, on every engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The table.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: i64,
    /// SHA-256, in hexadecimal digits, of all rows in the order of their keys, each a line with its
    /// columns as a JSON array.
    pub sha256: String,
}

/// A checksum in the making.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    table: &'static str,
    rows: i64,
    hash: Sha256,
}

impl Sum {
    pub(super) fn of(table: &Table) -> Self {
        Self { table: table.name, rows: 0, hash: Sha256::new() }
    }

    /// Adds the next row.
    pub(super) fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        self.hash.update(line(row));
    }

    /// How many rows were added.
    pub(super) fn rows(&self) -> i64 {
        self.rows
    }

    pub(super) fn finish(self) -> Checksum {
        let Self { table, rows, hash } = self;
        Checksum { table, rows, sha256: hex::encode(hash.finalize()) }
    }
}

impl Store {
    /// The checksum of each table.
    pub async fn checksums(
        &self,
        mut report: impl FnMut(Progress),
    ) -> Result<Vec<Checksum>, CopyError> {
        let mut sums = Vec::with_capacity(tables().len());
        for table in tables() {
            sums.push(self.checksum(table, &mut report).await?);
        }
        Ok(sums)
    }

    async fn checksum(
        &self,
        table: &'static Table,
        report: &mut impl FnMut(Progress),
    ) -> Result<Checksum, CopyError> {
        let of = self.count_rows(table).await?;
        let mut sum = Sum::of(table);
        let mut pages = Pages::of(self, table);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(sum.finish());
            }
            for row in &page {
                sum.add(row);
            }
            report(Progress { table: table.name, rows: sum.rows(), of });
        }
    }
}

fn line(row: &[Value]) -> String {
    let columns = row.iter().map(|value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    });
    let mut line = serde_json::Value::Array(columns.collect()).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::line;
    use crate::engine::Value;

    #[test]
    fn a_row_is_a_line_of_json() {
        let row = vec![Value::Int(-1), Value::Null, Value::from("a\n\"ü\""), Value::from("")];
        assert_eq!(line(&row), "[-1,null,\"a\\n\\\"ü\\\"\",\"\"]\n");
    }
}
