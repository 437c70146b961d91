//! An engine that counts the rows each statement writes, as edge databases bill them: a row of a
//! table is one, and each entry of an index is one more.
//!
//! Which b-trees a statement writes to stands in its bytecode: `Insert`, `IdxInsert`, `Delete` and
//! `IdxDelete`, where deleting and inserting in the same b-tree is one write. How many rows it
//! changed, SQLite tells after it has run (`changes()`). Only a partial index needs a closer look:
//! the bytecode for it is there whether or not the row is in the index. So the index's entries are
//! read before and after the statement, and those of changed rows that stand in either count.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Row, Rows, SharedEngine, Statement, Value},
};

/// What was written: how many rows of each table and entries of each index.
pub(crate) type Bill = BTreeMap<String, usize>;

pub(crate) struct Meter {
    inner: SharedEngine,
    bill: Mutex<Bill>,
}

/// A table or an index.
struct Tree {
    name: String,
    table: String,
    /// What a row must fulfil to be in it, if it is a partial index.
    condition: Option<String>,
}

/// The rows of a table with a partial index, and which of them are in the index.
struct Look {
    rows: BTreeMap<String, Row>,
    members: BTreeSet<String>,
}

impl Meter {
    pub(crate) fn of(inner: SharedEngine) -> Self {
        Self { inner, bill: Mutex::default() }
    }

    /// What was written since the last time somebody asked.
    pub(crate) fn take(&self) -> Bill {
        std::mem::take(&mut *self.bill.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a statement alone and charges for it.
    async fn run(&self, statement: Statement) -> Result<Rows, EngineError> {
        if statement.sql.sqlite().is_none() {
            return Ok(Rows::new());
        }
        let trees = self.written(&statement).await?;
        let mut before = Vec::new();
        for tree in &trees {
            before.push(self.look(tree).await?);
        }
        let changes = plain("SELECT changes()".to_owned());
        let mut answers = self.inner.write(vec![statement, changes]).await?;
        let changes = answers.pop().map_or(0, |rows| number(rows.first(), 0));
        let changes = usize::try_from(changes).expect("a count is not negative");
        for (tree, before) in trees.iter().zip(before) {
            let written = match (before, self.look(tree).await?) {
                (Some(before), Some(after)) => entries(&before, &after, changes),
                _ => changes,
            };
            if written > 0 {
                let mut bill = self.bill.lock().unwrap_or_else(PoisonError::into_inner);
                *bill.entry(tree.name.clone()).or_default() += written;
            }
        }
        Ok(answers.pop().unwrap_or_default())
    }

    /// The b-trees that a statement's bytecode writes to.
    async fn written(&self, statement: &Statement) -> Result<Vec<Tree>, EngineError> {
        const TREES: &str =
            "SELECT rootpage, name, tbl_name, sql FROM sqlite_schema WHERE rootpage > 0";
        let explain = Statement {
            sql: format!("EXPLAIN {}", statement.sql.sqlite().unwrap_or("SELECT 1")).into(),
            parameters: statement.parameters.clone(),
        };
        let batch = vec![explain, plain(TREES.to_owned())];
        let [code, schema] = <[Rows; 2]>::try_from(self.inner.read(batch).await?)
            .expect("two statements have two answers");
        let mut cursors: BTreeMap<i64, i64> = BTreeMap::new();
        let mut written: BTreeSet<i64> = BTreeSet::new();
        // The columns are: address, opcode, p1, p2, …
        for step in &code {
            let (cursor, root) = (number(Some(step), 2), number(Some(step), 3));
            match text(step, 1) {
                "OpenWrite" => drop(cursors.insert(cursor, root)),
                "Insert" | "IdxInsert" | "Delete" | "IdxDelete" => {
                    // Cursors that were opened otherwise are on the statement's own scratch tables.
                    written.extend(cursors.get(&cursor));
                }
                _ => {}
            }
        }
        let trees = schema.into_iter().filter(|row| written.contains(&number(Some(row), 0)));
        Ok(trees.map(|row| tree(&row)).collect())
    }

    async fn look(&self, tree: &Tree) -> Result<Option<Look>, EngineError> {
        let Tree { name, table, condition: Some(condition) } = tree else { return Ok(None) };
        let key = self.key(table).await?;
        let rows = plain(format!("SELECT {key}, * FROM {table}"));
        let members =
            plain(format!("SELECT {key} FROM {table} INDEXED BY {name} WHERE {condition}"));
        let mut answers = self.inner.read(vec![rows, members]).await?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        Ok(Some(Look {
            rows: next().into_iter().map(|row| (text(&row, 0).to_owned(), row)).collect(),
            members: next().iter().map(|row| text(row, 0).to_owned()).collect(),
        }))
    }

    /// The primary key of a table as one text.
    async fn key(&self, table: &str) -> Result<String, EngineError> {
        let columns = format!(
            "SELECT group_concat('CAST(' || name || ' AS TEXT)', ' || char(31) || ') \
             FROM pragma_table_info('{table}') WHERE pk > 0"
        );
        let answers = self.inner.read(vec![plain(columns)]).await?;
        Ok(text(&answers[0][0], 0).to_owned())
    }
}

/// How many entries of a partial index were written by a statement that wrote so many rows.
fn entries(before: &Look, after: &Look, written: usize) -> usize {
    let members: BTreeSet<_> = before.members.union(&after.members).collect();
    let all: BTreeSet<_> = before.rows.keys().chain(after.rows.keys()).collect();
    let differs = |id: &&String| before.rows.get(*id) != after.rows.get(*id);
    let changed: BTreeSet<_> = all.into_iter().filter(differs).collect();
    if changed.len() == written {
        changed.intersection(&members).count()
    } else {
        // Some rows were written as they were, so nothing tells which: charge for the worst.
        written.min(members.len())
    }
}

fn tree(row: &Row) -> Tree {
    let (name, table) = (text(row, 1).to_owned(), text(row, 2).to_owned());
    let condition = text(row, 3).split_once("WHERE ").map(|(_, condition)| condition.to_owned());
    let condition = condition.filter(|_| name != table);
    Tree { name, table, condition }
}

fn plain(sql: String) -> Statement {
    Statement { sql: sql.into(), parameters: Vec::new() }
}

fn text(row: &Row, column: usize) -> &str {
    match row.get(column) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn number(row: Option<&Row>, column: usize) -> i64 {
    match row.and_then(|row| row.get(column)) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

impl Engine for Meter {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.inner.read(batch)
    }

    /// Runs the statements one by one, which for a caller that is alone is the same.
    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for statement in batch {
                answers.push(self.run(statement).await?);
            }
            Ok(answers)
        })
    }
}
