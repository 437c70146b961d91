//! The scopes of a server, and how much there is to do in each.
//!
//! There is no table of scopes. Their names are found in the indexes of the tables whose rows have
//! one, each from the name before it, so that what is read depends on the number of scopes, not on
//! that of rows. Counting stops at a bound.

use octopoid_domain::scope::{COUNT_MAX, COUNT_OF_EACH_MAX, SCOPES_MAX, Scope, Scopes};

use crate::{Result, Store, all, answers, engine::bind, lists::UNFINISHED, row::RowReader};

/// The first name behind another.
macro_rules! next {
    ($name:literal) => {
        concat!(
            "(SELECT MIN(name) FROM (\
             SELECT MIN(scope) AS name FROM tasks WHERE scope > ",
            $name,
            " UNION ALL SELECT MIN(scope) FROM projects WHERE scope > ",
            $name,
            " UNION ALL SELECT MIN(scope) FROM drafts WHERE scope > ",
            $name,
            " UNION ALL SELECT MIN(scope) FROM orchestrators WHERE scope > ",
            $name,
            " UNION ALL SELECT MIN(scope) FROM api_keys WHERE scope > ",
            $name,
            ") AS nexts)"
        )
    };
}

/// The names of all scopes, with their places from 1; the last may be null. At most as many as the
/// parameter says.
macro_rules! names_of_all {
    ($max:literal) => {
        concat!(
            "RECURSIVE names (scope, place) AS (SELECT ",
            $crate::scopes::next!("''"),
            ", 1 UNION ALL SELECT ",
            $crate::scopes::next!("names.scope"),
            ", place + 1 FROM names WHERE names.scope IS NOT NULL AND place < ",
            $max,
            ")"
        )
    };
}
pub(crate) use {names_of_all, next};

/// The name of one scope.
const NAME_OF_ONE: &str = "names (scope) AS (SELECT CAST(?2 AS TEXT))";

/// What is counted in each of some scopes, up to `?1`.
fn counting(names: &str) -> String {
    let open = UNFINISHED.map(|part| {
        format!("SELECT 1 AS found FROM tasks WHERE tasks.scope = names.scope AND {part}")
    });
    format!(
        "WITH {names} SELECT scope, \
         (SELECT COUNT(*) FROM ({} LIMIT ?1) AS open), \
         (SELECT COUNT(*) FROM (SELECT 1 AS found FROM orchestrators \
         WHERE orchestrators.scope = names.scope LIMIT ?1) AS counted) \
         FROM names WHERE scope IS NOT NULL ORDER BY scope",
        open.join(" UNION ALL ")
    )
}

impl Store {
    /// One scope, or all that have a task, a project, a draft, a machine or a key: at most
    /// [`SCOPES_MAX`], by name.
    pub async fn list_scopes(&self, scope: Option<&str>) -> Result<Scopes> {
        let (count_max, statement) = if let Some(name) = scope {
            (COUNT_MAX, bind!(counting(NAME_OF_ONE), COUNT_MAX + 1, name))
        } else {
            let counting = counting(names_of_all!("?2"));
            (COUNT_OF_EACH_MAX, bind!(counting, COUNT_OF_EACH_MAX + 1, SCOPES_MAX + 1))
        };
        let [rows] = answers(self.list(scope, vec![statement]).await?)?;
        let mut scopes = all(rows, |row| {
            let mut row = RowReader::new(row);
            let (scope, open_tasks, machines): (String, i64, i64) =
                (row.next()?, row.next()?, row.next()?);
            Ok(Scope {
                scope,
                open_tasks: open_tasks.min(count_max),
                machines: machines.min(count_max),
                is_partial: open_tasks.max(machines) > count_max,
            })
        })?;
        let scopes_max = usize::try_from(SCOPES_MAX).unwrap_or(usize::MAX);
        let is_partial = scopes.len() > scopes_max;
        scopes.truncate(scopes_max);
        Ok(Scopes { scopes, is_partial })
    }
}
