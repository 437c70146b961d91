//! What time it is for the database.

use octopoid_domain::Millis;

use crate::{Result, Store, engine::bind, first, row::RowReader, sql::Sql};

/// The one statement that asks the database for the time. Where there is a single server, its clock
/// is the database's.
const CLOCK: Sql =
    Sql::OnlyPostgres("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");

impl Store {
    /// The time by the clock that all servers of this database go by; none if there is but one
    /// server, which goes by its own.
    pub async fn clock(&self) -> Result<Option<Millis>> {
        let [rows] = self.read_by_key([bind!(CLOCK)]).await?;
        first(rows, |row| RowReader::new(row).next())
    }
}
