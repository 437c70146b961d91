//! Names that a batch holds until it ends, where several write at the same time.
//!
//! A statement looks at what was committed when it began. So a batch that decides by rows that are
//! not there yet (nobody has this id, nothing waits for it, the scope has no key) would miss
//! another batch that is just writing them. Both hold the name of what they decide about, and the
//! second looks when the first has ended. An engine with a single writer has nothing to wait for.

use crate::{
    Result, Store,
    engine::{Rows, Statement, bind},
    idempotency::Once,
    merge::{Merge, Turn},
    sql::Sql,
};

const HOLD: Sql = Sql::Merged {
    sqlite: None,
    postgres: "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || ?1, 0))",
    merge: Merge::query(Turn::Hold),
};

const SHARE: Sql = Sql::Merged {
    sqlite: None,
    postgres: "SELECT pg_advisory_xact_lock_shared(\
        hashtextextended(current_schema() || ' ' || ?1, 0))",
    merge: Merge::query(Turn::Share),
};

/// A name to hold. They are taken in their order, so that two batches seldom wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lock {
    name: String,
    is_shared: bool,
}

impl Lock {
    /// Whether there is a task of this id, and who waits for it.
    pub(crate) fn task(id: &str) -> Self {
        Self::of("task", id)
    }

    /// Which tasks of a scope wait for which.
    pub(crate) fn waiting(scope: &str) -> Self {
        Self::of("waiting", scope)
    }

    /// Whether there is a project of this id, and whether it has tasks.
    pub(crate) fn project(id: &str) -> Self {
        Self::of("project", id)
    }

    /// The same for those who join a project: they need not wait for each other.
    pub(crate) fn joining(project: &str) -> Self {
        Self { is_shared: true, ..Self::project(project) }
    }

    /// What was made of a draft.
    pub(crate) fn draft(id: i64) -> Self {
        Self::of("draft", &id.to_string())
    }

    /// Which keys a scope has.
    pub(crate) fn keys(scope: &str) -> Self {
        Self::of("keys", scope)
    }

    /// Which messages about a task there are. Who holds it commits them in the order of their numbers,
    /// by which an agent confirms what it has read.
    pub(crate) fn messages(scope: &str, task: &str) -> Self {
        Self::of("messages", &format!("{scope} {task}"))
    }

    /// The positions of events.
    pub(crate) fn journal() -> Self {
        Self::of("journal", "")
    }

    /// Whether a request with an idempotency key was carried out.
    pub(crate) fn request(once: &Once) -> Self {
        Self::of("idempotency", &format!("{} {} {}", once.scope, once.route, once.key))
    }

    /// The version of the schema.
    pub(crate) fn schema() -> Self {
        Self::of("schema", "")
    }

    fn of(kind: &str, name: &str) -> Self {
        Self { name: format!("{kind} {name}"), is_shared: false }
    }

    fn statement(self) -> Statement {
        if self.is_shared { bind!(SHARE, self.name) } else { bind!(HOLD, self.name) }
    }
}

impl Store {
    /// Runs a batch that holds these names. The answers are those of the batch alone.
    pub(crate) async fn write_holding(
        &self,
        mut locks: Vec<Lock>,
        mut batch: Vec<Statement>,
    ) -> Result<Vec<Rows>> {
        locks.sort();
        locks.dedup();
        let held = locks.len();
        batch.splice(..0, locks.into_iter().map(Lock::statement));
        let mut answers = self.engine.write(batch).await?;
        answers.drain(..held.min(answers.len()));
        Ok(answers)
    }
}
