//! Loads the output of `wrangler d1 execute --json`: an array of results, one for each statement. A
//! file `TABLE.json` or `TABLE.<part>.json` has rows of that table.

use std::{
    fmt,
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, types::Value as Cell};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::import::{
    ImportError,
    notes::short,
    schema::source_table,
    sql::{quoted, reason},
};

const COUNTING: &str =
    "CREATE TABLE counting (number INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE counting;";

/// SQLite's internal table of counters, which may be among the files.
const COUNTERS: &str = "sqlite_sequence";

/// Loads all files of a directory.
pub(crate) fn load(
    connection: &Connection,
    directory: &Path,
    progress: &mut dyn FnMut(&Path),
) -> Result<(), ImportError> {
    // SQLite creates its table of counters with the first AUTOINCREMENT table.
    connection.execute_batch(COUNTING)?;
    connection.execute_batch("BEGIN")?;
    let mut files = files(directory)?;
    files.sort();
    for (table, path) in files {
        load_file(connection, &table, &path)?;
        progress(&path);
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// The files of a directory, each with its table.
pub(crate) fn files(directory: &Path) -> Result<Vec<(String, PathBuf)>, ImportError> {
    let fails = |error: std::io::Error| ImportError::File {
        path: directory.to_owned(),
        why: error.to_string(),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(fails)? {
        let path = entry.map_err(fails)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let table = name.split('.').next().unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if table.is_empty() || !table.chars().all(is_word) {
            let why = "the file name is not a table name".to_owned();
            return Err(ImportError::Json { file: path, why });
        }
        files.push((table.to_owned(), path));
    }
    Ok(files)
}

/// Receives a row: its columns by name. An error stops the reading.
type Add<'a> = dyn FnMut(Map<String, Value>) -> Result<(), String> + 'a;

/// Reads all rows of a file.
pub(crate) fn read(path: &Path, add: &mut Add<'_>) -> Result<(), ImportError> {
    let file = File::open(path)
        .map_err(|error| ImportError::File { path: path.to_owned(), why: error.to_string() })?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(file));
    let read = Results(add).deserialize(&mut json).and_then(|()| json.end());
    let fails = |why: String| ImportError::Json { file: path.to_owned(), why: short(&why) };
    read.map_err(|error| fails(error.to_string()))
}

fn load_file(connection: &Connection, table: &str, path: &Path) -> Result<(), ImportError> {
    let mut rows = Rows { connection, table, columns: Vec::new(), sql: String::new() };
    read(path, &mut |row| rows.add(row))?;
    let fails = |why: String| ImportError::Json { file: path.to_owned(), why: short(&why) };
    if rows.columns.is_empty() {
        // An empty file does not contain the columns, so the known ones are used.
        let names = source_table(table).map(|known| known.columns.iter().map(|(name, _)| *name));
        let names: Vec<_> = names.into_iter().flatten().map(str::to_owned).collect();
        let names = if names.is_empty() { vec!["nothing".to_owned()] } else { names };
        create(connection, table, &names).map_err(|error| fails(reason(&error)))?;
    }
    Ok(())
}

fn create(connection: &Connection, table: &str, columns: &[String]) -> rusqlite::Result<()> {
    if table == COUNTERS {
        return Ok(());
    }
    let columns: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
    let columns = columns.join(", ");
    connection.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {} ({columns})", quoted(table)))
}

/// Inserts the rows of a file.
struct Rows<'a> {
    connection: &'a Connection,
    table: &'a str,
    /// The columns, as the first row has them.
    columns: Vec<String>,
    sql: String,
}

impl Rows<'_> {
    fn add(&mut self, mut row: Map<String, Value>) -> Result<(), String> {
        if self.columns.is_empty() {
            self.columns = row.keys().cloned().collect();
            create(self.connection, self.table, &self.columns).map_err(|error| reason(&error))?;
            let names: Vec<_> = self.columns.iter().map(|name| quoted(name)).collect();
            let places = vec!["?"; names.len()].join(", ");
            let (table, names) = (quoted(self.table), names.join(", "));
            self.sql = format!("INSERT INTO {table} ({names}) VALUES ({places})");
        }
        let cells: Vec<Cell> = self
            .columns
            .iter()
            .map(|name| row.shift_remove(name).map_or(Ok(Cell::Null), |value| cell(name, value)))
            .collect::<Result<_, _>>()?;
        if let Some(name) = row.keys().next() {
            return Err(format!(
                "a row has the column {name:?}, which the first row does not have"
            ));
        }
        let mut insert =
            self.connection.prepare_cached(&self.sql).map_err(|error| reason(&error))?;
        insert.execute(rusqlite::params_from_iter(cells)).map_err(|error| reason(&error))?;
        Ok(())
    }
}

fn cell(name: &str, value: Value) -> Result<Cell, String> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Integer(i64::from(flag)),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Cell::Integer(number),
            None => Cell::Real(number.as_f64().unwrap_or_default()),
        },
        // wrangler prints a blob as the list of its bytes.
        Value::Array(list) => {
            let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Option<Vec<u8>> = list.iter().map(byte).collect();
            Cell::Blob(
                bytes.ok_or_else(|| format!("{name} is a list with elements other than bytes"))?,
            )
        }
        Value::Object(_) => {
            return Err(format!("{name} is an object, which is not a valid column value"));
        }
    })
}

/// The array of results.
struct Results<'a, 'r>(&'a mut Add<'r>);
/// One of them.
struct OneResult<'a, 'r>(&'a mut Add<'r>);
/// Its array of rows.
struct ItsRows<'a, 'r>(&'a mut Add<'r>);

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the array of results that `wrangler d1 execute --json` prints")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut results: A) -> Result<(), A::Error> {
        while results.next_element_seed(OneResult(self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for OneResult<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneResult<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `results`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut has_results = false;
        while let Some(name) = fields.next_key::<String>()? {
            match &*name {
                "results" => {
                    has_results = true;
                    fields.next_value_seed(ItsRows(self.0))?;
                }
                "success" if !fields.next_value::<bool>()? => {
                    return Err(A::Error::custom("the statement failed"));
                }
                "success" => {}
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if has_results { Ok(()) } else { Err(A::Error::missing_field("results")) }
    }
}

impl<'de> DeserializeSeed<'de> for ItsRows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItsRows<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Map<String, Value>>()? {
            (self.0)(row).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
