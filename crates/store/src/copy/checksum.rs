//! Checksums to compare two databases.

use sha2::{Digest, Sha256};

use super::{CopyError, Pages, Progress, Table, count, tables};
use crate::{
    Store,
    engine::{Row, Value},
};

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
        let mut progress = Progress { table: table.name, rows: 0, of };
        let mut hash = Sha256::new();
        let mut pages = Pages::of(self, table);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            progress.rows += count(&page);
            for row in page {
                hash.update(line(row));
            }
            report(progress);
        }
        let sha256 = hex::encode(hash.finalize());
        Ok(Checksum { table: table.name, rows: progress.rows, sha256 })
    }
}

fn line(row: Row) -> String {
    let columns = row.into_iter().map(|value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(number) => number.into(),
        Value::Text(text) => text.into(),
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
        assert_eq!(line(row), "[-1,null,\"a\\n\\\"ü\\\"\",\"\"]\n");
    }
}
