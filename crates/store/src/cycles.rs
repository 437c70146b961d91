//! Detection of dependency cycles.
//!
//! The write itself refuses to close a cycle, and the refusal is explained by looking again. Where
//! many write, those that begin to wait in one scope do so one after the other (`Lock::waiting`).

use octopoid_domain::{
    Refusal, Task,
    blockers::{blockers, cycle},
};

use crate::{Result, Store, all, engine::bind, lists::json, row::RowReader};

/// The pairs of a waiting task and its blocker that are reached from the blockers `$list` in the
/// scope `$scope`, the near ones first; as many as `LINKS_MAX`. A blocker that is done is none.
/// What is joined to the scope keeps its index out of the plan: a scope has more pairs than a task.
macro_rules! links {
    ($scope:literal, $list:literal) => {
        concat!(
            "WITH RECURSIVE links (task_id, blocker_id) AS ( \
             SELECT pair.task_id, pair.blocker_id FROM task_blockers AS pair \
             WHERE pair.task_id IN (SELECT value FROM json_each(",
            $list,
            ")) AND pair.scope || '' = ",
            $scope,
            " AND NOT EXISTS (SELECT 1 FROM tasks AS ended WHERE ended.id = pair.task_id \
             AND ended.queue = 'done') \
             UNION SELECT pair.task_id, pair.blocker_id FROM links \
             JOIN task_blockers AS pair ON pair.task_id = links.blocker_id \
             WHERE pair.scope || '' = ",
            $scope,
            ") SELECT task_id, blocker_id FROM links LIMIT 1000"
        )
    };
}

/// Whether a task that waits for `$list` waits for itself. Only one that others wait for can, so
/// nothing is looked for otherwise.
macro_rules! closes_cycle {
    ($is_awaited:literal, $id:literal, $scope:literal, $list:literal) => {
        concat!(
            "(",
            $is_awaited,
            " AND EXISTS (SELECT 1 FROM (",
            $crate::cycles::links!($scope, $list),
            ") AS near WHERE near.blocker_id = ",
            $id,
            "))"
        )
    };
}
pub(crate) use {closes_cycle, links};

const LINKS: &str = links!("?1", "?2");

impl Store {
    /// Refuses a task that would wait for itself through others.
    pub(crate) async fn check_cycle(&self, task: &Task) -> Result<()> {
        let list = blockers(task.blocked_by.as_deref().unwrap_or_default());
        if list.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = list.iter().map(|id| (*id).to_owned()).collect();
        let [rows] = self.read([bind!(LINKS, &task.scope, json(&ids))]).await?;
        let links = all(rows, |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, row.next()?))
        })?;
        match cycle(&task.id, &list, &links) {
            Some(path) => Err(Refusal::DependencyCycle { path }.into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::blockers::LINKS_MAX;

    #[test]
    fn the_statement_looks_at_as_many_links_as_the_rule_says() {
        assert!(super::LINKS.ends_with(&format!(" LIMIT {LINKS_MAX}")));
    }
}
