//! The record of when the jobs ran, one row for all servers of a database.

use octopoid_domain::availability::Availability;

use crate::{Result, Store, engine::bind, first, row::RowReader};

const FIND: &str = "SELECT noted_at, gaps FROM availability WHERE id = 1";

/// Of servers that note a run at the same time, one does.
const NOTE: &str = "INSERT INTO availability (id, noted_at, gaps) VALUES (1, ?1, ?2) \
     ON CONFLICT (id) DO UPDATE SET noted_at = excluded.noted_at, gaps = excluded.gaps \
     WHERE availability.noted_at = ?3";

impl Store {
    /// When agents could reach the servers of this database.
    pub async fn availability(&self) -> Result<Availability> {
        let [rows] = self.read([bind!(FIND)]).await?;
        let found = first(rows, |row| {
            let mut row = RowReader::new(row);
            let (noted_at, gaps): (_, String) = (row.next()?, row.next()?);
            Ok(Availability::new(noted_at, &gaps))
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Stores what became of a record, unless another server has stored something since it was read.
    pub async fn note_availability(&self, was: &Availability, is: &Availability) -> Result<()> {
        let note = bind!(NOTE, is.noted_at(), is.gaps(), was.noted_at());
        self.write([note]).await.map(drop)
    }
}
