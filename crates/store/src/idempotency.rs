//! Requests that are carried out once, however often they are sent, and conditions on the version of
//! what they change.
//!
//! A request with an idempotency key leaves a row in the batch that carries it out. The first
//! statement of such a batch has the condition that there is no row yet ([`unless_done`]), so the
//! same request again changes nothing and finds the row. The statements without a key are the same:
//! then the condition compares with null, and reads nothing.

use octopoid_domain::{
    Millis, Refusal, Task,
    decide::claim_lost,
    lease::{LeaseSecret, LeaseToken},
    run::Run,
};

use crate::{
    Result, Sql, Stamp, Store, StoreError,
    claims::Claimed,
    engine::{Row, Rows, Statement, bind},
    first,
    journal::Subject,
    merge::{Merge, Turn},
    record,
    row::RowReader,
    runs,
    tasks::FIND,
    write::{Answer, Write},
};

/// How long what a request has done is remembered, in milliseconds.
pub const KEPT_MS: i64 = 86_400_000;

/// The condition that a request was not carried out yet, by the three parameters that
/// [`Write::bind_once`] binds.
macro_rules! unless_done {
    ($scope:literal, $route:literal, $key:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM idempotency WHERE idempotency.scope = ",
            $scope,
            " AND idempotency.route = ",
            $route,
            " AND idempotency.key = ",
            $key,
            ")"
        )
    };
}
pub(crate) use unless_done;

/// The head of a statement that remembers a request. The values follow in the order of these
/// columns.
macro_rules! into_memory {
    () => {
        "INSERT INTO idempotency \
         (scope, route, key, body_hash, status, at, write_id, subject, run, token) "
    };
}
pub(crate) use into_memory;

/// Remembers a request whose subject is in a table. The first eight parameters are those of
/// [`Once::about`].
macro_rules! remembering {
    ($subject:literal, $run:literal, $token:literal, $table:literal, $condition:literal) => {
        concat!(
            into_memory!(),
            "SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ",
            $subject,
            ", ",
            $run,
            ", ",
            $token,
            " FROM ",
            $table,
            " WHERE ",
            $condition,
            " ON CONFLICT DO NOTHING RETURNING subject"
        )
    };
}

/// Remembers a request whose write has marked its subject.
macro_rules! marked {
    ($table:literal) => {
        remembering!("id", "NULL", "NULL", $table, "id = ?1 AND write_id = ?8")
    };
}

const TASK: Sql = Sql::merged(marked!("tasks"), Merge::insert(Turn::Follow));
const PROJECT: &str = marked!("projects");
const MESSAGE: &str = marked!("messages");
const ACTION: &str = marked!("actions");
const DRAFT: &str =
    remembering!("CAST(id AS TEXT)", "NULL", "NULL", "drafts", "id = ?1 AND write_id = ?8");
/// PostgreSQL remembers it in the statement that creates the draft.
const NEW_DRAFT: Sql = Sql::OnlySqlite(remembering!(
    "CAST(id AS TEXT)",
    "NULL",
    "NULL",
    "drafts",
    "?1 IS NULL AND id = (SELECT MAX(id) FROM drafts) AND write_id = ?8"
));

/// A claim finds its task by lease and mark, as its event does. The token is made as
/// [`LeaseToken`] writes it.
const CLAIM: Sql = Sql::merged(
    remembering!(
        "id",
        "run",
        "'olt_' || run || '_' || ?9",
        "tasks",
        "reap_at = ?1 AND write_id = ?8"
    ),
    Merge::insert(Turn::FollowClaim),
);

/// Remembers a request that left a task of this version as it was.
const AS_IT_IS: &str = remembering!("id", "NULL", "NULL", "tasks", "id = ?1 AND version = ?9");

const RECALL: Sql = Sql::merged(
    "SELECT write_id, body_hash, status, subject, run, token FROM idempotency \
     WHERE scope = ?1 AND route = ?2 AND key = ?3",
    Merge::query(Turn::Read),
);

/// The index leads to the oldest.
const FORGET: &str = "DELETE FROM idempotency WHERE (scope, route, key) IN \
     (SELECT scope, route, key FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2) RETURNING at";

/// A request that is carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The caller's scope, or the one that the request is about; empty if there is none.
    pub scope: String,
    /// The operation.
    pub route: String,
    /// The idempotency key.
    pub key: String,
    /// The hash of everything else that tells requests apart.
    pub body_hash: String,
    /// The status of the answer.
    pub status: u16,
}

impl Once {
    /// The parameters that all statements have that remember it; `subject` is `?1` of their
    /// condition.
    fn about(
        &self,
        sql: impl Into<Sql>,
        subject: impl Into<crate::engine::Parameter>,
        stamp: Stamp,
    ) -> Statement {
        bind!(
            sql.into(),
            subject.into(),
            &self.scope,
            &self.route,
            &self.key,
            &self.body_hash,
            i64::from(self.status),
            stamp.now,
            stamp.write_id,
        )
    }

    /// The statement that finds what it has done, for [`Self::check`].
    pub(crate) fn recalling(&self) -> Statement {
        bind!(RECALL, &self.scope, &self.route, &self.key)
    }

    /// What it has done, if another write than this one did it.
    fn recalled(&self, rows: Rows, stamp: Option<Stamp>) -> Result<Option<Memory>> {
        let Some((write_id, body_hash, memory)) = first(rows, read)? else { return Ok(None) };
        if stamp.is_some_and(|stamp| stamp.write_id == write_id) {
            return Ok(None);
        }
        if body_hash != self.body_hash {
            return Err(Refusal::IdempotencyMismatch.into());
        }
        Ok(Some(memory))
    }

    /// Fails with what it has done if another write did it.
    pub(crate) fn check(&self, rows: Rows, stamp: Stamp) -> Result<()> {
        match self.recalled(rows, Some(stamp))? {
            Some(memory) => Err(StoreError::Remembered(Box::new(memory))),
            None => Ok(()),
        }
    }
}

/// What a request has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The status of the answer.
    pub status: u16,
    /// The id of what it created or changed.
    pub subject: String,
    /// The token of the lease, if it was a claim.
    pub token: Option<LeaseToken>,
}

fn read(row: Row) -> Result<(i64, String, Memory)> {
    let mut row = RowReader::new(row);
    let (write_id, body_hash) = (row.next()?, row.next()?);
    let status: i64 = row.next()?;
    let subject: Option<String> = row.next()?;
    let _run: Option<i64> = row.next()?;
    let token: Option<String> = row.next()?;
    let memory = Memory {
        status: u16::try_from(status).unwrap_or(200),
        subject: subject.unwrap_or_default(),
        token: token.as_deref().and_then(LeaseToken::parse),
    };
    Ok((write_id, body_hash, memory))
}

/// Under which conditions the writes of a request are made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The request, if it is to be carried out once.
    pub once: Option<Once>,
    /// The versions that the task must have one of; `None` means any.
    pub versions: Option<Vec<i64>>,
}

impl Write {
    /// Binds the three parameters of [`unless_done`].
    pub(crate) fn bind_once(&self, mut statement: Statement) -> Statement {
        let once = self.once.as_ref();
        let texts = [
            once.map(|once| &*once.scope),
            once.map(|once| &*once.route),
            once.map(|once| &*once.key),
        ];
        statement.parameters.extend(texts.map(Into::into));
        statement
    }

    /// Remembers the request, if this write has changed its subject by now. Without a key it does
    /// nothing.
    pub(crate) fn remember(&mut self, subject: Subject<'_>) {
        let Some(once) = &self.once else { return };
        let stamp = self.stamp;
        let statement = match subject {
            Subject::Task(id) => once.about(TASK, id, stamp),
            Subject::Project(id) => once.about(PROJECT, id, stamp),
            Subject::Message(id) => once.about(MESSAGE, id, stamp),
            Subject::Action(id) => once.about(ACTION, id, stamp),
            Subject::Draft(id) => once.about(DRAFT, id, stamp),
            Subject::NewDraft => once.about(NEW_DRAFT, None::<i64>, stamp),
            _ => return,
        };
        self.run(statement);
    }

    /// Remembers a claim with this end of its lease.
    pub(crate) fn remember_claim(&mut self, expires: Millis, secret: &LeaseSecret) {
        let Some(once) = &self.once else { return };
        let mut statement = once.about(CLAIM, expires, self.stamp);
        statement.parameters.push(secret.reveal().into());
        self.run(statement);
    }

    /// Remembers that the request left a task as it was, if it is still that; the answer is empty if
    /// it is not. Without a key there is nothing to remember.
    fn remember_as_it_is(&mut self, task: &Task) -> Option<Answer> {
        let once = self.once.as_ref()?;
        let mut statement = once.about(AS_IT_IS, &task.id, self.stamp);
        statement.parameters.push(task.version.into());
        Some(self.run(statement))
    }
}

impl Store {
    /// The same store, whose writes are made under these conditions. What they carry out only once
    /// and was done before fails with [`StoreError::Remembered`].
    #[must_use]
    pub fn under(&self, terms: Terms) -> Self {
        Self { terms: std::sync::Arc::new(terms), ..self.clone() }
    }

    /// A write under the conditions of the request.
    pub(crate) fn begin(&self, stamp: Stamp) -> Write {
        Write::once(stamp, self.terms.once.clone())
    }

    /// What the request has done, if it was carried out. An operation that was refused may have been
    /// refused because it was done before.
    pub async fn recall(&self) -> Result<Option<Memory>> {
        let Some(once) = &self.terms.once else { return Ok(None) };
        let [rows] = self.read_by_key([once.recalling()]).await?;
        once.recalled(rows, None)
    }

    /// The answer to a request that leaves a task as it is. Returns `None` if it is not that any
    /// more.
    pub(crate) async fn leave_as_it_is(&self, task: Task, stamp: Stamp) -> Result<Option<Task>> {
        let mut write = self.begin(stamp);
        let Some(kept) = write.remember_as_it_is(&task) else { return Ok(Some(task)) };
        let is_changed = self.commit(write).await?.is_empty(kept);
        Ok((!is_changed).then_some(task))
    }

    /// Refuses a task that has none of the versions that the request names.
    pub(crate) fn check_precondition(&self, task: &Task) -> Result<()> {
        match &self.terms.versions {
            Some(versions) if !versions.contains(&task.version) => {
                Err(Refusal::PreconditionFailed { found: task.version }.into())
            }
            _ => Ok(()),
        }
    }

    /// What a claim was given, as it is now. It is refused once its token is not current any more.
    pub async fn claimed_before(&self, memory: &Memory, within: Option<&str>) -> Result<Claimed> {
        let token = memory.token.clone();
        let token = token.ok_or(StoreError::Corrupt("a remembered claim has no token"))?;
        let id = &memory.subject;
        let batch = [bind!(FIND, id, within), bind!(runs::FIND, id, token.run)];
        let [task, run] = self.read_by_key(batch).await?;
        let task = first(task, record::read::<Task>)?;
        let run = first(run, record::read::<Run>)?.filter(|run| run.has_token(&token));
        match (task, run) {
            (Some(task), Some(run)) if task.lease_run == Some(run.run) => {
                let before = self.before(&task, true).await?;
                Ok(Claimed { task, token, kind: run.kind, before })
            }
            (task, run) => Err(claim_lost(task.as_ref(), run.as_ref()).into()),
        }
    }

    /// Forgets what requests did before an instant, of at most `limit` requests. Returns how many.
    pub async fn forget_requests(&self, before: Millis, limit: i64) -> Result<i64> {
        let [forgotten] = self.write([bind!(FORGET, before, limit)]).await?;
        Ok(i64::try_from(forgotten.len()).unwrap_or(i64::MAX))
    }
}
