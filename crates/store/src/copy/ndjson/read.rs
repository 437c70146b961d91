//! Reads an export, line by line, and checks all of it.

use std::io::{self, BufRead, Read as _};

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{BEGINNING, Header, VERSION, footer_line, known, row, row_line};
use crate::{
    copy::{Checksum, Table, checksum::Sum},
    engine::Row,
};

/// The maximum length of a line in bytes: 64 MiB. Rows are shorter, so a file without line breaks is
/// rejected before it fills the memory.
const LINE_MAX: u64 = 64 << 20;

/// Why an export is rejected.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot read the export: {0}")]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error(
        "this is not an export: the first line is not the header that `octopoid export` writes"
    )]
    Foreign,
    /// It has another version of the format.
    #[error(
        "the export has version {found} of the format, and this program reads version {VERSION}: \
         import it with the version of octopoid that exported it"
    )]
    Version {
        /// Its version.
        found: i64,
    },
    /// The exported database had another schema.
    #[error("the export has schema version {found}, and only {newest} can be imported: {advice}")]
    Schema {
        /// The version of its schema.
        found: i64,
        /// The newest version that this program knows.
        newest: i64,
        /// What to do.
        advice: &'static str,
    },
    /// A line is not as an export has it.
    #[error("line {line}: {why}")]
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The end is missing.
    #[error("the export is truncated: it ends after line {line}, without its last line")]
    Truncated {
        /// The number of its last complete line.
        line: u64,
    },
    /// The lines differ from those that were written.
    #[error(
        "the export is damaged: its SHA-256 is {found}, and its last line has {expected}: \
         export again"
    )]
    Damaged {
        /// The hash of the lines.
        found: String,
        /// The hash in the last line.
        expected: String,
    },
}

/// The rows of an export. Only one of them is held in memory.
pub struct Reader<R> {
    input: R,
    header: Header,
    /// The number of lines that were read.
    line: u64,
    hash: Sha256,
    sums: Vec<Sum>,
    is_over: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let first = match next_line(&mut input, 1)? {
            Some(first) if first.starts_with(BEGINNING) => first,
            _ => return Err(ReadError::Foreign),
        };
        let json: Json = serde_json::from_str(&first).map_err(|_| ReadError::Foreign)?;
        check_versions(&json)?;
        let fails = |why| ReadError::Line { line: 1, why };
        let header = Header::parse(&json).map_err(fails)?;
        if header.line() != first {
            return Err(fails("the header has more than an export writes".to_owned()));
        }
        let sums = header.tables.iter().map(|(table, _)| Sum::of(table)).collect();
        let hash = Sha256::new_with_prefix(first);
        Ok(Self { input, header, line: 1, hash, sums, is_over: false })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next row; `None` at the end of an export that is complete and unchanged.
    pub fn next_row(&mut self) -> Result<Option<(&'static Table, Row)>, ReadError> {
        if self.is_over {
            return Ok(None);
        }
        let Some(text) = next_line(&mut self.input, self.line + 1)? else {
            return Err(ReadError::Truncated { line: self.line });
        };
        self.line += 1;
        let fails = |why: String| ReadError::Line { line: self.line, why };
        let mut json: Map<String, Json> =
            serde_json::from_str(&text).map_err(|error| fails(without_place(&error)))?;
        let Some(Json::Object(columns)) = json.remove("row") else {
            self.finish(&json)?;
            return Ok(None);
        };
        let name = json.get("table").and_then(Json::as_str).unwrap_or_default();
        let table = known(name).map_err(fails)?;
        let row = row(table, columns).map_err(fails)?;
        // So that an export of these rows is this text again.
        if row_line(table, &row) != text {
            return Err(fails(
                "the line has more than an export writes, or in another order".into(),
            ));
        }
        let at = self.header.tables.iter().position(|(one, _)| one.name == table.name);
        if let Some(sum) = at.and_then(|at| self.sums.get_mut(at)) {
            sum.add(&row);
        }
        self.hash.update(text);
        Ok(Some((table, row)))
    }

    /// The checksum of each table, of the rows so far.
    pub fn checksums(&self) -> Vec<Checksum> {
        self.sums.iter().map(|sum| sum.clone().finish()).collect()
    }

    /// Checks the last line.
    fn finish(&mut self, json: &Map<String, Json>) -> Result<(), ReadError> {
        let fails = |why: String| ReadError::Line { line: self.line, why };
        let Some(expected) = json.get("sha256").and_then(Json::as_str) else {
            return Err(fails("it is neither a row nor the end of an export".to_owned()));
        };
        let found = hex::encode(self.hash.clone().finalize());
        if found != expected {
            return Err(ReadError::Damaged { found, expected: super::shown(expected) });
        }
        for ((table, expected), sum) in self.header.tables.iter().zip(&self.sums) {
            if sum.rows() != *expected {
                let (name, found) = (table.name, sum.rows());
                let why =
                    format!("the table {name} has {found} rows, and {expected} in the header");
                return Err(fails(why));
            }
        }
        let rows = self.sums.iter().map(Sum::rows).sum();
        let is_as_written = json.len() == 2 && json.get("rows") == Some(&Json::from(rows));
        if !is_as_written {
            return Err(fails(format!(
                "the end of the export is not {}",
                footer_line(rows, &found)
            )));
        }
        self.is_over = true;
        if next_line(&mut self.input, self.line + 1)?.is_some() {
            let why = "there is more after the end of the export".to_owned();
            return Err(ReadError::Line { line: self.line + 1, why });
        }
        Ok(())
    }
}

fn check_versions(json: &Json) -> Result<(), ReadError> {
    let number = |name: &str| json[name].as_i64().ok_or(ReadError::Foreign);
    let version = number("version")?;
    if version != VERSION {
        return Err(ReadError::Version { found: version });
    }
    let (found, newest) = (number("schema")?, crate::migrate::newest());
    let advice = match found.cmp(&newest) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => {
            "import it with the version of octopoid that exported it, then run `octopoid migrate`"
        }
        std::cmp::Ordering::Greater => "use a newer octopoid",
    };
    Err(ReadError::Schema { found, newest, advice })
}

/// The next line with its line break. The last line of a truncated file has none, and counts as
/// missing.
fn next_line(input: &mut impl BufRead, line: u64) -> Result<Option<String>, ReadError> {
    let fails = |why: &str| ReadError::Line { line, why: why.to_owned() };
    let mut text = Vec::new();
    let length = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut text)?;
    if length == 0 {
        return Ok(None);
    }
    if !text.ends_with(b"\n") {
        if u64::try_from(length).is_ok_and(|length| length == LINE_MAX) {
            return Err(fails("the line is longer than 64 MiB"));
        }
        return Err(ReadError::Truncated { line: line - 1 });
    }
    String::from_utf8(text).map(Some).map_err(|_| fails("the line is not UTF-8"))
}

/// The error of a parser that reads one line at a time, and so knows no other line number.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or_default();
    format!("the line is not a JSON object: {why}, at column {}", error.column())
}
