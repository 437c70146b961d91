//! The first server's database as a read-only SQLite database, loaded from any supported source.

use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
    path::Path,
    rc::Rc,
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags,
    types::{Value, ValueRef},
};

use crate::import::{
    ImportError, Notes, json, load,
    notes::{Change, short},
    schema::{BOOKKEEPING, NEWEST, SOURCE_TABLES, lacks, level, source_table, tables_at},
    sql::quoted,
};

/// How long to wait while another program has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
     WHERE t.type = 'table' ORDER BY t.name, c.cid";

/// The highest number of a draft.
const DRAFTS: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'drafts'";

/// The applied migrations, as recorded by wrangler.
const MIGRATIONS: &str = "SELECT name FROM d1_migrations";

/// A database of the first server.
pub(crate) struct Source {
    connection: Connection,
    /// The columns of each table.
    tables: BTreeMap<String, Vec<String>>,
    /// Possible changes made by the export.
    doubts: Vec<(&'static str, Change)>,
    level: i64,
}

/// A row: its columns by name.
pub(crate) struct Cells {
    names: Rc<HashMap<String, usize>>,
    values: Vec<Value>,
    /// The columns with invalid UTF-8.
    garbled: Vec<usize>,
}

impl Cells {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name).map(|at| &self.values[*at])
    }

    /// Whether a text was invalid UTF-8 and had characters replaced.
    pub(crate) fn is_garbled(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|at| self.garbled.contains(at))
    }

    pub(crate) fn take(&mut self, name: &str) -> Value {
        let at = self.names.get(name);
        at.map_or(Value::Null, |at| std::mem::replace(&mut self.values[*at], Value::Null))
    }
}

impl Source {
    /// Loads the output of `wrangler d1 export`, and reports the number of bytes read after each
    /// statement. An incomplete dump is rejected unless `partial` is set.
    pub(crate) fn of_dump(
        dump: impl BufRead,
        partial: bool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ImportError> {
        let connection = scratch()?;
        let loaded = load::load(&connection, dump, progress)?;
        let source = Self::over(connection, loaded.doubts())?;
        source.check(partial)?;
        if !loaded.has_end && !partial {
            let missing = "the dump is truncated: it ends before the indexes".to_owned();
            return Err(ImportError::Incomplete { level: source.level, missing });
        }
        Ok(source)
    }

    /// Loads a directory with the output of `wrangler d1 execute --json` for each table.
    pub(crate) fn of_json(
        directory: &Path,
        partial: bool,
        progress: &mut dyn FnMut(&Path),
    ) -> Result<Self, ImportError> {
        let connection = scratch()?;
        json::load(&connection, directory, progress)?;
        let source = Self::over(connection, Vec::new())?;
        source.check(partial)?;
        Ok(source)
    }

    /// Opens an SQLite file read-only. Its WAL is read too, and other programs may use the file.
    pub(crate) fn of_sqlite(file: &Path, partial: bool) -> Result<Self, ImportError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "temp_store", "FILE")?;
        // All tables are read in one snapshot.
        connection.execute_batch("BEGIN")?;
        let source = Self::over(connection, Vec::new())?;
        source.check(partial)?;
        Ok(source)
    }

    fn over(
        connection: Connection,
        doubts: Vec<(&'static str, Change)>,
    ) -> Result<Self, ImportError> {
        let mut tables = BTreeMap::<String, Vec<String>>::new();
        {
            let mut statement = connection.prepare(TABLES)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                tables.entry(row.get(0)?).or_default().push(row.get(1)?);
            }
        }
        let level = level(|name| tables.get(name).map(Vec::as_slice));
        let mut source = Self { connection, tables, doubts, level };
        source.level = source.applied()?.max(level);
        Ok(source)
    }

    /// The last migration recorded by wrangler. Migrations later than the newest known one are
    /// ignored.
    fn applied(&self) -> Result<i64, ImportError> {
        let mut last = 0;
        if self.has_column("d1_migrations", "name") {
            let mut statement = self.connection.prepare(MIGRATIONS)?;
            let mut names = statement.query([])?;
            while let Some(row) = names.next()? {
                let name: String = row.get(0).unwrap_or_default();
                let number = name.split('_').next().and_then(|number| number.parse().ok());
                last = last.max(number.unwrap_or_default());
            }
        }
        Ok(last.min(NEWEST))
    }

    /// Rejects databases of other programs and incomplete ones.
    fn check(&self, partial: bool) -> Result<(), ImportError> {
        if self.tables.contains_key("schema_versions") {
            return Err(ImportError::Ours);
        }
        if !self.has("tasks") && !partial {
            return Err(ImportError::Foreign("tasks"));
        }
        if self.has("tasks") && !self.has_column("tasks", "scope") {
            return Err(ImportError::Unscoped);
        }
        let missing: Vec<_> = tables_at(self.level).filter(|name| !self.has(name)).collect();
        if !missing.is_empty() && !partial {
            let missing = format!("missing tables: {}", missing.join(", "));
            return Err(ImportError::Incomplete { level: self.level, missing });
        }
        self.check_keys()
    }

    /// Rejects duplicate keys, which overlapping parts of an export have.
    fn check_keys(&self) -> Result<(), ImportError> {
        for table in SOURCE_TABLES.iter().filter(|table| self.has(table.name)) {
            let has_all =
                |key: &[&str]| key.iter().all(|column| self.has_column(table.name, column));
            for key in table.keys.iter().filter(|key| has_all(key)) {
                let texts = key.iter().map(|column| format!("CAST({column} AS TEXT)"));
                let texts = texts.collect::<Vec<_>>().join(", ");
                let sql = format!(
                    "SELECT {texts} FROM {} WHERE {} IS NOT NULL GROUP BY {texts} \
                     HAVING COUNT(*) > 1 LIMIT 1",
                    table.name,
                    key.join(" IS NOT NULL AND "),
                );
                let mut statement = self.connection.prepare(&sql)?;
                if let Some(row) = statement.query([])?.next()? {
                    let mut parts = Vec::new();
                    for (at, column) in key.iter().enumerate() {
                        let text: String = row.get(at)?;
                        parts.push(format!("{column} {:?}", short(&text)));
                    }
                    let key = parts.join(" and ");
                    return Err(ImportError::Duplicate { table: table.name, key });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.iter().any(|name| name == column))
    }

    /// The number of rows of a table.
    pub(crate) fn count(&self, table: &str) -> Result<usize, ImportError> {
        if !self.has(table) {
            return Ok(0);
        }
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(table));
        let rows: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(usize::try_from(rows).unwrap_or_default())
    }

    /// Visits all rows of a table in the given SQL order; none if the table does not exist. Reads
    /// only the columns of the first server's schema, except those in `without`.
    pub(crate) fn each(
        &self,
        table: &'static str,
        order: &str,
        without: &[&str],
        mut visit: impl FnMut(Cells) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let (Some(found), Some(known)) = (self.tables.get(table), source_table(table)) else {
            return Ok(());
        };
        let is_read = |name: &str| found.iter().any(|column| column == name);
        let columns: Vec<&str> = known.columns.iter().map(|(name, _)| *name).collect();
        let columns: Vec<&str> =
            columns.into_iter().filter(|name| is_read(name) && !without.contains(name)).collect();
        let names: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY {order}, rowid", names.join(", "));
        let names = columns.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at));
        let names = Rc::new(names.collect::<HashMap<_, _>>());
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns.len());
            let mut garbled = Vec::new();
            for at in 0..columns.len() {
                let cell = row.get_ref(at)?;
                if is_garbled(cell) {
                    garbled.push(at);
                }
                values.push(value(cell));
            }
            visit(Cells { names: Rc::clone(&names), values, garbled })?;
        }
        Ok(())
    }

    /// Reports unknown tables and columns that hold data, and what an older schema lacks.
    pub(crate) fn note_unsupported(&self, notes: &mut Notes) -> Result<(), ImportError> {
        for (table, change) in &self.doubts {
            notes.add(table, "", Change::new(change.kind.clone(), change.what.clone()));
        }
        for what in lacks(self.level) {
            let what = format!("schema of migration {:04}: {what}", self.level);
            notes.add("schema", "", Change::plain(what));
        }
        for name in tables_at(self.level).filter(|name| !self.has(name)) {
            notes.add(name, "", Change::plain("missing in the export"));
        }
        if self.has("api_keys") && self.count("api_keys")? == 0 {
            let what = "no keys: each scope gets one when an orchestrator registers";
            notes.add("api_keys", "", Change::plain(what));
        }
        for (table, columns) in &self.tables {
            let is_inner = ["sqlite_", "_cf_"].iter().any(|name| table.starts_with(name));
            if is_inner || BOOKKEEPING.contains(&&**table) {
                continue;
            }
            match source_table(table) {
                None => {
                    let rows = self.count(table)?;
                    if rows > 0 {
                        let what = format!("skipped: {rows} rows of an unknown table");
                        notes.add(table, "", Change::plain(what));
                    }
                }
                Some(known) => {
                    let is_known =
                        |name: &str| known.columns.iter().any(|(column, _)| *column == name);
                    for column in columns.iter().filter(|name| !is_known(name)) {
                        self.note_column(table, column, notes)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn note_column(&self, table: &str, column: &str, notes: &mut Notes) -> Result<(), ImportError> {
        let (from, name) = (quoted(table), quoted(column));
        let sql = format!("SELECT COUNT(*) FROM {from} WHERE {name} IS NOT NULL");
        let rows: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        if rows > 0 {
            let what =
                format!("skipped: unknown column {:?} with values in {rows} rows", short(column));
            notes.add(table, "", Change::plain(what));
        }
        Ok(())
    }

    pub(crate) fn counters(&self) -> Result<Vec<(&'static str, i64)>, ImportError> {
        // Without AUTOINCREMENT columns, SQLite does not create this table.
        let Ok(mut statement) = self.connection.prepare(DRAFTS) else { return Ok(Vec::new()) };
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0))?;
        Ok(numbers.map(|number| Ok(("drafts", number?))).collect::<rusqlite::Result<_>>()?)
    }
}

/// A temporary SQLite database on disk, which is deleted when it is closed: an export does not have
/// to fit into memory.
fn scratch() -> Result<Connection, ImportError> {
    let connection = Connection::open("")?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}

/// A cell. Invalid UTF-8 is replaced with U+FFFD.
fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

fn is_garbled(cell: ValueRef<'_>) -> bool {
    matches!(cell, ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err())
}
