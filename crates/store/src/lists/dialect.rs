//! The parts of the texts of lists of tasks in which the dialects differ.

use const_format::concatcp;

use super::tasks::LOOK_MAX;

/// The condition that a task waits for another, in place of which each dialect has its own text.
pub(super) const WAITS: &str = "?<waits>";

/// What waits for the task that a parameter names.
const WAITING: &str = concatcp!(
    "SELECT task_id FROM task_blockers WHERE scope = ?1 AND blocker_id = ?# \
     ORDER BY task_id LIMIT ",
    LOOK_MAX
);

/// The most queries that D1 takes in one UNION.
const UNION_MAX: usize = 5;

/// All rows of these queries, in UNIONs of UNIONs where there are many.
pub(super) fn union(mut queries: Vec<String>) -> String {
    while queries.len() > UNION_MAX {
        let groups = queries.chunks(UNION_MAX);
        let groups =
            groups.map(|group| format!("SELECT * FROM ({}) AS grouped", group.join(" UNION ALL ")));
        queries = groups.collect();
    }
    queries.join(" UNION ALL ")
}

/// The dialects of a list's text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A task's number, in the form that the index of a list contains. PostgreSQL would walk
    /// through the primary key past the tasks of all others for a bare `seq`.
    pub(super) fn number(self) -> &'static str {
        match self {
            Self::Sqlite => "seq",
            Self::Postgres => "(seq + 0)",
        }
    }

    /// The condition that a task waits for the one that a parameter names. PostgreSQL looks an
    /// array up in the index; it might join a subquery to the whole table.
    pub(super) fn waits(self, blocker: &str) -> String {
        let waiting = WAITING.replace("?#", blocker);
        match self {
            Self::Sqlite => format!("id IN ({waiting})"),
            Self::Postgres => format!("id = ANY (ARRAY({waiting}))"),
        }
    }
}
