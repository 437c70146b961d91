//! A database as text: newline-delimited JSON (NDJSON), the same on every engine.
//!
//! The first line is the header: format, version, schema, the number of rows of each table, and the
//! counters. Then each row is a line, `{"table":…,"row":{…}}`, the tables in the order of
//! [`super::tables`], the rows in the order of their keys, the columns in the order of the schema.
//! The last line has the number of rows and the SHA-256 of all lines before it. Nothing depends on
//! the engine, the time or the machine, so equal databases have equal exports.

mod read;
mod write;

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::{Kind, Table, counters::lasting_counters, table, tables};
use crate::engine::Value;

pub use read::{ReadError, Reader};
pub use write::ExportError;

/// What the header calls the format. Every export begins with [`BEGINNING`].
const FORMAT: &str = "octopoid";

/// The first bytes of every export, of all versions.
pub const BEGINNING: &str = "{\"format\":\"octopoid\",";

/// The version of the format that is written and read.
const VERSION: i64 = 1;

/// The first line.
#[derive(Clone, Debug)]
pub struct Header {
    /// The number of rows of each table, in the order of [`super::tables`].
    pub tables: Vec<(&'static Table, i64)>,
    /// The highest number that each counted table has given to a row.
    pub counters: Vec<(&'static str, i64)>,
}

impl Header {
    /// The header as a line.
    fn line(&self) -> String {
        let tables = self.tables.iter().map(|(table, rows)| (table.name, *rows));
        let header = json!({
            "format": FORMAT,
            "version": VERSION,
            "schema": crate::migrate::newest(),
            "tables": object(tables),
            "counters": object(self.counters.iter().copied()),
        });
        format!("{header}\n")
    }

    /// Reads the parts that depend on the schema, or tells what is wrong with them.
    fn parse(json: &Json) -> Result<Self, String> {
        let number = |list: &str, name: &str| {
            let number = json[list][name].as_i64().filter(|number| *number >= 0);
            number.ok_or_else(|| format!("the header has no number of {list} for {name}"))
        };
        let tables = tables().iter().map(|table| Ok((table, number("tables", table.name)?)));
        let counters = lasting_counters().map(|name| Ok((name, number("counters", name)?)));
        Ok(Self {
            tables: tables.collect::<Result<_, String>>()?,
            counters: counters.collect::<Result<_, String>>()?,
        })
    }
}

fn object<'a>(numbers: impl Iterator<Item = (&'a str, i64)>) -> Json {
    numbers.map(|(name, number)| (name.to_owned(), number.into())).collect::<Map<_, _>>().into()
}

/// A row as a line.
fn row_line(table: &Table, row: &[Value]) -> String {
    let mut line = format!("{{\"table\":\"{}\",\"row\":{{", table.name);
    for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
        let separator = if at == 0 { "" } else { "," };
        let value = match value {
            Value::Null => Json::Null,
            Value::Int(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
        };
        let _ = write!(line, "{separator}\"{}\":{value}", column.name);
    }
    line += "}}\n";
    line
}

/// Reads a row of a table from its columns by name, or tells what is wrong with it.
pub fn row(table: &'static Table, mut columns: Map<String, Json>) -> Result<Vec<Value>, String> {
    let name = table.name;
    let mut row = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let found = columns.remove(column.name);
        let found = found
            .ok_or_else(|| format!("the column {} of the table {name} is missing", column.name))?;
        let value = value(column.kind, found).ok_or_else(|| {
            let kind = if column.kind == Kind::Int { "an integer" } else { "text" };
            format!("the column {} of the table {name} holds neither {kind} nor null", column.name)
        })?;
        row.push(value);
    }
    match columns.keys().next() {
        Some(unknown) => Err(format!("the table {name} has no column {}", shown(unknown))),
        None => Ok(row),
    }
}

fn value(kind: Kind, json: Json) -> Option<Value> {
    match (kind, json) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::Int, Json::Number(number)) => number.as_i64().map(Value::Int),
        (Kind::Text, Json::String(text)) => Some(Value::Text(text)),
        _ => None,
    }
}

/// The table of this name, or what to say where there is none.
fn known(name: &str) -> Result<&'static Table, String> {
    table(name).ok_or_else(|| format!("there is no table {}", shown(name)))
}

/// A name from a file, quoted and shortened.
fn shown(name: &str) -> String {
    let end = name.floor_char_boundary(100);
    format!("{:?}", &name[..end])
}

/// The last line.
fn footer_line(rows: i64, sha256: &str) -> String {
    format!("{}\n", json!({ "rows": rows, "sha256": sha256 }))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use sha2::{Digest, Sha256};

    use super::{BEGINNING, Header, ReadError, Reader, footer_line, row_line};
    use crate::{
        copy::{Checksum, table, tables},
        engine::{Row, Value},
    };

    /// A role, in the columns of its table.
    fn role(name: &str) -> Row {
        let text = |text: &str| Value::from(text);
        vec![
            text(name),
            text("s"),
            text("a \"b\"\nc"),
            Value::Null,
            text("o"),
            Value::Int(1),
            Value::Int(0),
        ]
    }

    fn header() -> String {
        let rows = |name: &str| if name == "roles" { 2 } else { 0 };
        let tables = tables().iter().map(|table| (table, rows(table.name))).collect();
        Header { tables, counters: vec![("drafts", 4)] }.line()
    }

    fn body() -> String {
        let roles = table("roles").unwrap();
        format!("{}{}{}", header(), row_line(roles, &role("a")), row_line(roles, &role("b")))
    }

    fn with_footer(body: &str, rows: i64) -> String {
        let hash = hex::encode(Sha256::digest(body));
        format!("{body}{}", footer_line(rows, &hash))
    }

    fn read(text: &str) -> Result<(Vec<Row>, Vec<Checksum>), ReadError> {
        let mut reader = Reader::new(BufReader::new(text.as_bytes()))?;
        let mut rows = Vec::new();
        while let Some((_, row)) = reader.next_row()? {
            rows.push(row);
        }
        Ok((rows, reader.checksums()))
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = with_footer(&body(), 2);
        assert!(text.starts_with(BEGINNING), "{text}");
        let line = r#"{"table":"roles","row":{"name":"a","scope":"s","description":"a \"b\"\nc","#;
        assert!(text.lines().nth(1).unwrap().starts_with(line), "{text}");
        let (rows, sums) = read(&text).unwrap();
        assert_eq!(rows, [role("a"), role("b")]);
        let counts: i64 = sums.iter().map(|sum| sum.rows).sum();
        assert_eq!((sums.len(), counts), (tables().len(), 2));
    }

    #[test]
    fn a_truncated_export_is_refused_wherever_it_ends() {
        let text = with_footer(&body(), 2);
        for end in 1..text.len() {
            let why = refused(&text[..end]);
            let is_told = why.contains("truncated") || why.contains("this is not an export");
            assert!(is_told, "{end}: {why}");
        }
    }

    #[test]
    fn no_byte_of_an_export_can_be_changed() {
        let text = with_footer(&body(), 2);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(read(&changed).is_err(), "{at}: {changed}");
        }
    }

    #[test]
    fn lines_that_no_export_has_are_refused_with_their_number() {
        let line = |line: &str| with_footer(&format!("{}{line}\n", header()), 1);
        let whole = body();
        let row = whole.lines().nth(1).unwrap();
        for (text, why) in [
            (line("{"), "line 2: the line is not a JSON object: EOF while parsing"),
            (line("[]"), "line 2: the line is not a JSON object: "),
            (line("{}"), "line 2: it is neither a row nor the end of an export"),
            (line(r#"{"table":"songs","row":{}}"#), "line 2: there is no table \"songs\""),
            (
                line(r#"{"table":"roles","row":{"name":"a"}}"#),
                "line 2: the column scope of the table roles is missing",
            ),
            (
                line(&row.replace("\"row\":{", "\"row\":{\"colour\":1,")),
                "line 2: the table roles has no column \"colour\"",
            ),
            (
                line(&row.replace(":1,", ":1.5,")),
                "line 2: the column created_at of the table roles holds neither an integer nor null",
            ),
            (
                line(&row.replace("\"a\"", "1")),
                "line 2: the column name of the table roles holds neither text nor null",
            ),
            (line(&row.replace(":1,", ": 1,")), "line 2: the line has more than an export writes"),
            (with_footer(&whole, 3), "line 4: the end of the export is not {\"rows\":2,"),
            (
                with_footer(&format!("{whole}{row}\n"), 3),
                "line 5: the table roles has 3 rows, and 2 in the header",
            ),
            (with_footer(&whole, 2) + "\n", "line 5: there is more after the end of the export"),
        ] {
            let found = refused(&text);
            assert!(found.starts_with(why), "{found}");
        }
    }

    #[test]
    fn other_files_versions_and_schemas_are_refused() {
        let whole = with_footer(&body(), 2);
        let schema = format!("\"schema\":{}", crate::migrate::newest());
        for (text, why) in [
            (String::new(), "this is not an export"),
            ("PRAGMA defer_foreign_keys=TRUE;\n".to_owned(), "this is not an export"),
            ("{\"format\":\"octopoid\",\n".to_owned(), "this is not an export"),
            (
                whole.replace("\"version\":1", "\"version\":2"),
                "the export has version 2 of the format, and this program reads version 1",
            ),
            (whole.replace(&schema, "\"schema\":3"), "octopoid that exported it, then run"),
            (whole.replace(&schema, "\"schema\":1000"), "imported: use a newer octopoid"),
            (whole.replace("\"api_keys\":0,", ""), "line 1: the header has "),
            (whole.replace("\"drafts\":4", "\"drafts\":-4"), "line 1: the header has no number"),
            (whole.replacen(",\"schema", ", \"schema", 1), "line 1: the header has more"),
        ] {
            assert_ne!(text, whole);
            let found = refused(&text);
            assert!(found.contains(why), "{found}");
        }
    }
}
