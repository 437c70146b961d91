//! What can be read of a database before it is used.

use crate::{Result, Store, engine::bind, first, migrate::newest, row::RowReader, sql::Sql};

/// The version of PostgreSQL as a number: 13.4 is 130004.
const SERVER_VERSION: Sql =
    Sql::OnlyPostgres("SELECT CAST(current_setting('server_version_num') AS BIGINT)");

/// What was found in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The version of its schema; 0 if it has none.
    pub schema: i64,
    /// The newest version of the schema that this program knows.
    pub newest: i64,
    /// The version of PostgreSQL as a number, such as 130004 for 13.4.
    pub server_version: Option<i64>,
}

impl Store {
    /// Reads the version of the schema, which may be missing. Fails if this program cannot work with
    /// the database. Nothing is written.
    pub async fn inspect(&self) -> Result<Inspected> {
        self.check_ours().await?;
        let [server] = self.read([bind!(SERVER_VERSION)]).await?;
        let server_version = first(server, |row| RowReader::new(row).next())?;
        let schema = self.schema_version().await?;
        Ok(Inspected { schema, newest: newest(), server_version })
    }
}
