//! What a database holds, in numbers: for the description of a backup, and to decide whether one is
//! needed before a migration.

use std::collections::BTreeMap;

use crate::{Result, Store, answers, copy::HAS_SCHEMA, engine::bind, first, row::RowReader};

/// The tasks by queue. It reads all of them, so it is for copies of a database, and not for one
/// that is being served.
const QUEUES: &str = "SELECT queue, COUNT(*) AS tasks FROM tasks AS copied GROUP BY queue \
     ORDER BY queue";

const LAST_EVENT: &str = "SELECT COALESCE((SELECT MAX(position) FROM events), 0) AS last";

/// Every change is recorded as an event, and the last event of the journal is always kept.
const HAS_DATA: &str = "SELECT EXISTS (SELECT 1 FROM tasks) \
     OR EXISTS (SELECT 1 FROM events) AS has_data";

/// What a database holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The version of its schema; 0 if it has none.
    pub schema_version: i64,
    /// The number of tasks in each queue that has any.
    pub tasks: BTreeMap<String, i64>,
    /// The position of the last event of the journal; 0 if there is none.
    pub last_event: i64,
}

impl Store {
    /// Counts what the database holds. It reads every task. A database without a schema holds
    /// nothing; one whose schema this server cannot work with is refused.
    pub async fn contents(&self) -> Result<Contents> {
        let schema_version = self.schema_version().await?;
        if schema_version == 0 {
            return Ok(Contents::default());
        }
        let [queues, last] =
            answers(self.engine.read_much(vec![bind!(QUEUES), bind!(LAST_EVENT)]).await?)?;
        let queue = |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, row.next()?))
        };
        let tasks = queues.into_iter().map(queue).collect::<Result<_>>()?;
        Ok(Contents { schema_version, tasks, last_event: crate::row::number(last)? })
    }

    /// The version of the schema, if [`Store::migrate`] would change it and the database holds data
    /// that a failed migration could damage.
    pub async fn version_to_migrate(&self) -> Result<Option<i64>> {
        let version = self.schema_version().await?;
        if version == 0 || version >= crate::migrate::newest() {
            return Ok(None);
        }
        let [rows] = self.read([bind!(HAS_DATA)]).await?;
        Ok((crate::row::number(rows)? == 1).then_some(version))
    }

    /// The version of the schema, or 0 if the database has none.
    pub(crate) async fn schema_version(&self) -> Result<i64> {
        let [rows] = self.read([bind!(HAS_SCHEMA)]).await?;
        match first(rows, |row| RowReader::new(row).next::<i64>())? {
            Some(1) => self.version().await,
            _ => Ok(0),
        }
    }
}
