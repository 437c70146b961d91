//! What a scheduler asks for every few seconds, in one read that never touches finished tasks.

use octopoid_domain::{
    Refusal,
    flow::state_names,
    poll::{Poll, PolledFlow, ProvisionalTask, QueueCounts},
};

use crate::{
    Result, Store, StoreError, all, answers,
    engine::{Row, bind},
    first,
    row::RowReader,
};

/// A caller confined to a scope learns nothing of the orchestrators of others.
const FIND_SCOPE: &str =
    "SELECT scope FROM orchestrators WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)";

/// Each count reads its own part of the queue index.
const COUNTS: &str = "SELECT \
     (SELECT COUNT(*) FROM tasks WHERE scope = ?1 AND queue = 'incoming'), \
     (SELECT COUNT(*) FROM tasks WHERE scope = ?1 AND queue = 'claimed'), \
     (SELECT COUNT(*) FROM tasks WHERE scope = ?1 AND queue = 'provisional')";

const PROVISIONAL: &str = "SELECT id, hooks, pr_number, claimed_by FROM tasks \
     WHERE scope = ?1 AND queue = 'provisional' LIMIT 10000";

const FLOWS: &str = "SELECT name, states FROM flows WHERE scope = ?1 ORDER BY name LIMIT 1000";

impl Store {
    /// What a scheduler wants to know about `scope`, or else about the scope its orchestrator is
    /// registered in. `within` confines the caller to a scope.
    pub async fn poll(
        &self,
        orchestrator: Option<&str>,
        scope: Option<&str>,
        within: Option<&str>,
    ) -> Result<Poll> {
        let scope = match scope {
            Some(scope) => scope.to_owned(),
            None => self.scope_of(orchestrator, within).await?,
        };
        let batch = vec![
            bind!(FIND_SCOPE, orchestrator, within),
            bind!(COUNTS, &scope),
            bind!(PROVISIONAL, &scope),
            bind!(FLOWS, &scope),
        ];
        let [registered, counted, provisional, flows] =
            answers(self.list(Some(&scope), batch).await?)?;
        Ok(Poll {
            queue_counts: first(counted, counts)?
                .ok_or(StoreError::Corrupt("counting returned no row"))?,
            provisional_tasks: all(provisional, provisional_task)?,
            orchestrator_registered: !registered.is_empty(),
            flows: all(flows, polled_flow)?.into_iter().collect(),
            scope,
        })
    }

    async fn scope_of(&self, orchestrator: Option<&str>, within: Option<&str>) -> Result<String> {
        let [rows] = self.read([bind!(FIND_SCOPE, orchestrator, within)]).await?;
        let scope = first(rows, |row| RowReader::new(row).next())?;
        scope.ok_or_else(|| {
            Refusal::invalid(
                "Missing scope. Provide orchestrator_id (with registered scope) or scope query \
                 parameter.",
            )
            .into()
        })
    }
}

fn counts(row: Row) -> Result<QueueCounts> {
    let mut row = RowReader::new(row);
    Ok(QueueCounts { incoming: row.next()?, claimed: row.next()?, provisional: row.next()? })
}

fn provisional_task(row: Row) -> Result<ProvisionalTask> {
    let mut row = RowReader::new(row);
    Ok(ProvisionalTask {
        id: row.next()?,
        hooks: row.next()?,
        pr_number: row.next()?,
        claimed_by: row.next()?,
    })
}

fn polled_flow(row: Row) -> Result<(String, PolledFlow)> {
    let mut row = RowReader::new(row);
    let (name, states): (String, String) = (row.next()?, row.next()?);
    let states = state_names(&states);
    Ok((name, PolledFlow { states }))
}
