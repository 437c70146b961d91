//! Lists of tasks.
//!
//! Finished tasks are never all read. They lie in stretches of an index, one for each priority, in
//! the order of creation, and a list takes from the stretches as much as it shows. Where it filters
//! by what the index does not have, it looks at [`LOOK_MAX`] finished tasks and no more; its cursor
//! goes on where it stopped. Their number is kept in a table of its own.
//!
//! Unfinished tasks are few, and are all looked at. What waits for a task is found by the pairs, and
//! of more than [`LOOK_MAX`] of them the list has so many.

use std::{collections::BTreeSet, fmt::Write};

use octopoid_domain::{Task, queue};

use const_format::concatcp;

use super::{
    Claimable, CursorOf, Filter, Listed, Page,
    dialect::{Dialect, WAITS, union},
    json,
    sort::Sort,
};
use crate::{
    Result, Sql, Store, StoreError, all,
    claimable::{is_claimable, is_nameable},
    engine::{Parameter, Row, Rows, Statement, Value},
    record::{self, Columns as _},
    row::{RowReader, number},
};

/// So many finished tasks, or tasks of a project, or flagged ones, does a list look at that filters
/// by more than their queue.
pub(crate) const LOOK_MAX: i64 = 10_000;

/// So many queues are looked at one by one. That is what lists ask for, and PostgreSQL knows how
/// much there is in one queue.
const APART_MAX: usize = 8;

/// The parts of the queue index that hold unfinished tasks of any queue.
pub(crate) const UNFINISHED: [&str; 4] = [
    "queue < 'cancelled'",
    "queue > 'cancelled' AND queue < 'done'",
    "queue > 'done' AND queue < 'failed'",
    "queue > 'failed'",
];

/// The ranks that `claim_rank` gives to P0, P1, P2, P3 and everything else.
const RANKS: [(i64, Option<&str>); 5] =
    [(0, Some("P0")), (1, Some("P1")), (2, Some("P2")), (3, Some("P3")), (9, None)];

/// What filters may name.
const LOOKED_AT: &str = "scope, queue, priority, role, claimed_by, project_id, needs_intervention";

/// What the filter by what can be claimed needs besides.
const CLAIMABLE_BY: &str = ", claim_lane, lease_expires_at";

/// What the search needs besides.
const SEARCHED_BY: &str = ", id, title";

/// Whether a text is in the title, or at the start of the id. No `LIKE`: D1 takes patterns of at
/// most 50 bytes.
const IS_FOUND: &str = "(instr(lower(title), ?#) > 0 OR instr(lower(id), ?#) = 1)";

/// Whether a claim would get a task. The last two parameters are bound when they are known.
const IS_CLAIMABLE: [&str; 2] = [
    concatcp!(is_claimable!("?1", "?<now>"), " AND ", is_nameable!("?<queues>")),
    concatcp!("NOT (", is_claimable!("?1", "?<now>"), " AND ", is_nameable!("?<queues>"), ")"),
];

/// A list of tasks: constant texts and their parameters.
pub(crate) struct Tasks {
    sort: Sort,
    cursor: CursorOf,
    parameters: Vec<Parameter>,
    /// The filters by columns that no index of the list has, each beginning with AND.
    filters: String,
    /// The stretches of indexes that are in the order of rank and number.
    walks: Vec<String>,
    /// The ranks that may match.
    ranks: Vec<i64>,
    /// The parts of the queue index that hold unfinished tasks, or what waits for a task.
    open: Vec<String>,
    /// The parameter with the task that is waited for.
    blocker: String,
    /// The finished queues that are counted without looking at them.
    counted: Vec<&'static str>,
    /// Those that only unfinished tasks need to match: finished ones do, or are left out.
    open_filters: String,
    /// Whether the filters look at what can be claimed.
    by_claimable: bool,
    /// Whether they search for a text.
    by_text: bool,
    /// Whether what is walked past need not match.
    is_looked: bool,
    /// What the page begins behind.
    after: Option<After>,
}

/// The row that a page begins behind.
struct After {
    rank: i64,
    /// The names of the parameters with its rank and its number.
    parameters: [String; 2],
}

impl Tasks {
    /// The tasks that a filter leaves. `nameable` is the list of queues that a claim may name, for
    /// the filter by what can be claimed.
    pub(crate) fn new(filter: &Filter, nameable: Parameter) -> Self {
        let sort = if filter.by_priority { Sort::UrgentOldest } else { Sort::Newest };
        let mut tasks = Self::of(sort, CursorOf::new(sort.name(), filter));
        tasks.bind(filter.scope.as_str().into());
        tasks.filter_by_priority(&filter.priorities);
        if !filter.roles.is_empty() {
            tasks.filter("role IN (SELECT value FROM json_each(?#))", json(&filter.roles));
        }
        if let Some(text) = &filter.search {
            tasks.filter(IS_FOUND, text.to_ascii_lowercase().into());
            tasks.by_text = true;
        }
        if let Some(agent) = &filter.claimed_by {
            tasks.filter("claimed_by = ?#", agent.into());
        }
        if let Some(blocker) = &filter.blocked_by {
            // Fewer wait for a task than are in a project.
            tasks.blocker = tasks.bind(blocker.into());
            tasks.open.push(WAITS.to_owned());
        }
        match &filter.project_id {
            // A project has fewer tasks than a queue.
            Some(project) if tasks.open.is_empty() => {
                let project = tasks.bind(project.into());
                tasks.walk(format!("project_id = {project}"));
                tasks.filters.push_str(" AND scope = ?1");
            }
            Some(project) => tasks.filter("project_id = ?#", project.into()),
            None => {}
        }
        match filter.needs_intervention {
            // The few that are flagged have an index, finished or not.
            Some(true) if tasks.walks.is_empty() && tasks.open.is_empty() => {
                tasks.walk("scope = ?1 AND needs_intervention = 1".to_owned());
            }
            // The expression keeps the planner from walking through what all tenants have flagged.
            Some(flagged) => tasks.filter("needs_intervention + 0 = ?#", flagged.into()),
            None => {}
        }
        tasks.queues(&filter.queues);
        if let Some(claimable) = filter.claimable {
            tasks.filter_by_claimable(claimable, nameable);
        }
        tasks
    }

    /// Nothing finished can be claimed, so where finished tasks are walked apart from the others
    /// they need not be looked at.
    fn filter_by_claimable(&mut self, claimable: Claimable, nameable: Parameter) {
        let (now, queues) = (self.bind(claimable.now.into()), self.bind(nameable));
        let condition = IS_CLAIMABLE[usize::from(!claimable.is_wanted)];
        let condition = condition.replace("?<now>", &now).replace("?<queues>", &queues);
        if self.open.is_empty() && self.counted.is_empty() {
            let _ = write!(self.filters, " AND {condition}");
            self.by_claimable = true;
            self.is_looked = true;
            return;
        }
        let _ = write!(self.open_filters, " AND {condition}");
        if claimable.is_wanted {
            self.walks.clear();
            self.counted.clear();
            if self.open.is_empty() {
                self.open.push("scope = ?1 AND 1 = 0".to_owned());
            }
        }
    }

    /// The tasks of a project, those of other scopes left out if one is named.
    pub(crate) fn of_project(project: &str, scope: Option<&str>) -> Self {
        let sort = Sort::UrgentNewest;
        let mut tasks = Self::of(sort, CursorOf::new(sort.name(), &(project, scope)));
        tasks.bind(project.into());
        tasks.walk("project_id = ?1".to_owned());
        if let Some(scope) = scope {
            tasks.filter("scope = ?#", scope.into());
        }
        tasks
    }

    fn of(sort: Sort, cursor: CursorOf) -> Self {
        Self {
            sort,
            cursor,
            parameters: Vec::new(),
            filters: String::new(),
            walks: Vec::new(),
            ranks: RANKS.map(|(rank, _)| rank).to_vec(),
            open: Vec::new(),
            blocker: String::new(),
            counted: Vec::new(),
            open_filters: String::new(),
            by_claimable: false,
            by_text: false,
            is_looked: false,
            after: None,
        }
    }

    fn bind(&mut self, value: Parameter) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    fn filter(&mut self, condition: &'static str, value: Parameter) {
        let parameter = self.bind(value);
        let _ = write!(self.filters, " AND {}", condition.replace("?#", &parameter));
        self.is_looked = true;
    }

    fn walk(&mut self, condition: String) {
        self.walks.push(condition);
        self.is_looked = true;
    }

    /// The known priorities have ranks of their own, and the others share one.
    fn filter_by_priority(&mut self, priorities: &[String]) {
        if priorities.is_empty() {
            return;
        }
        let is_known = |priority: &String| RANKS.iter().any(|(_, name)| *name == Some(&**priority));
        let has_others = !priorities.iter().all(is_known);
        self.ranks.retain(|rank| {
            let name = RANKS.iter().find(|(known, _)| known == rank).and_then(|(_, name)| *name);
            name.map_or(has_others, |name| priorities.iter().any(|asked| asked == name))
        });
        self.filter("priority IN (SELECT value FROM json_each(?#))", json(priorities));
    }

    /// Leaves the tasks of these queues, of all if none is named.
    fn queues(&mut self, queues: &[String]) {
        if !self.walks.is_empty() || !self.open.is_empty() {
            if !queues.is_empty() {
                self.filter("queue IN (SELECT value FROM json_each(?#))", json(queues));
            }
            return;
        }
        for queue in queue::FINISHED {
            if queues.is_empty() || queues.iter().any(|asked| asked == queue) {
                self.walks.push(format!("scope = ?1 AND queue = '{queue}' AND claim_lane IS NULL"));
                self.counted.push(queue);
            }
        }
        let is_open = |queue: &&String| !queue::is_finished(queue);
        let open = Vec::from_iter(queues.iter().filter(is_open).cloned().collect::<BTreeSet<_>>());
        if queues.is_empty() {
            self.open.extend(UNFINISHED.map(|part| format!("scope = ?1 AND {part}")));
        } else if open.len() > APART_MAX {
            let queues = self.bind(json(&open));
            let listed = format!("queue IN (SELECT value FROM json_each({queues}))");
            self.open.push(format!("scope = ?1 AND {listed}"));
        } else {
            for queue in open {
                let queue = self.bind(queue.into());
                self.open.push(format!("scope = ?1 AND queue = {queue}"));
            }
        }
    }

    /// The stretches in one order, as far as they are needed. Both engines read them side by side
    /// and stop when they have enough.
    fn walked(&self, dialect: Dialect, columns: &str, limit: &str) -> String {
        let (number, sort) = (dialect.number(), self.sort);
        let walks = self.walks.iter().map(|walk| {
            let stretches = self.ranks.iter().map(|rank| {
                let behind = match &self.after {
                    None => String::new(),
                    Some(after) if sort == Sort::Newest || *rank == after.rank => {
                        format!(" AND {number} {} {}", sort.later(), after.parameters[1])
                    }
                    Some(after) if *rank > after.rank => String::new(),
                    Some(_) => " AND 1 = 0".to_owned(),
                };
                format!(
                    "SELECT {number} AS number, claim_rank{columns} FROM tasks \
                     WHERE {walk} AND claim_rank = {rank}{behind}"
                )
            });
            format!("{} ORDER BY {} LIMIT {limit}", union(stretches.collect()), sort.order())
        });
        let mut walks: Vec<_> = walks.collect();
        if walks.len() == 1 {
            return walks.remove(0);
        }
        let walks = walks.iter().map(|walk| format!("SELECT * FROM ({walk}) AS walk"));
        format!("{} ORDER BY {} LIMIT {limit}", union(walks.collect()), sort.order())
    }

    /// The tasks to examine: one more than the limit, to detect the end.
    fn looked(&self, dialect: Dialect) -> String {
        let claimable = if self.by_claimable { CLAIMABLE_BY } else { "" };
        let searched = if self.by_text { SEARCHED_BY } else { "" };
        let columns = format!(", {LOOKED_AT}{claimable}{searched}");
        self.walked(dialect, &columns, &(LOOK_MAX + 1).to_string())
    }

    /// How many match in the queues that are counted without looking at finished tasks; no
    /// statement if there are none.
    fn total(&self) -> Option<Statement> {
        let mut terms = Vec::new();
        if !self.is_looked && !self.counted.is_empty() {
            terms.push(format!(
                "(SELECT COALESCE(CAST(SUM(tasks) AS BIGINT), 0) FROM finished_counts \
                 WHERE scope = ?1 AND queue IN ('{}'))",
                self.counted.join("', '")
            ));
        }
        for part in &self.open {
            let (filters, more) = (&self.filters, &self.open_filters);
            terms.push(format!("(SELECT COUNT(*) FROM tasks WHERE {part}{filters}{more})"));
        }
        let sum = format!("SELECT {}", terms.join(" + "));
        let text = |dialect: Dialect| sum.replace(WAITS, &dialect.waits(&self.blocker));
        let sql = Sql::made(text(Dialect::Sqlite), text(Dialect::Postgres));
        (!terms.is_empty()).then(|| self.statement(sql, &[]))
    }

    /// How many are looked at, how many of them match, and the place of the last.
    fn look(&self) -> Option<Statement> {
        if !self.is_looked || self.walks.is_empty() {
            return None;
        }
        let (place, filters) = (self.sort.place("number"), &self.filters);
        let text = |dialect| {
            format!(
                "SELECT COUNT(*), COUNT(CASE WHEN 1 = 1{filters} THEN 1 END), MAX({place}) \
                 FROM ({}) AS looked",
                self.looked(dialect)
            )
        };
        Some(self.statement(Sql::made(text(Dialect::Sqlite), text(Dialect::Postgres)), &[]))
    }

    /// The rows of a page and one more, to detect the end. Their position is the last column.
    fn page(&self, page: &Page) -> Statement {
        let own = [page.limit + 1, page.offset(), page.limit + 1 + page.offset()];
        let next = self.parameters.len() + 1;
        let (limit, offset, reach) = (next, next + 1, next + 2);
        let (filters, order) = (&self.filters, self.sort.order());
        let text = |dialect: Dialect| {
            let number = dialect.number();
            let mut parts = Vec::new();
            for part in &self.open {
                let (more, behind) = (&self.open_filters, self.behind(number));
                let part = part.replace(WAITS, &dialect.waits(&self.blocker));
                parts.push(format!(
                    "SELECT {number} AS number, claim_rank FROM tasks \
                     WHERE {part}{filters}{more}{behind} ORDER BY {order} LIMIT ?{reach}"
                ));
            }
            if self.walks.is_empty() {
            } else if self.is_looked {
                parts.push(format!(
                    "SELECT number, claim_rank FROM ({}) AS looked \
                     WHERE 1 = 1{filters} ORDER BY {order} LIMIT ?{reach}",
                    self.looked(dialect)
                ));
            } else {
                parts.push(self.walked(dialect, "", &format!("?{reach}")));
            }
            let parts = parts.iter().map(|part| format!("SELECT * FROM ({part}) AS part"));
            format!(
                "SELECT {}, {} FROM tasks WHERE seq IN (SELECT number FROM ({}) AS found \
                 ORDER BY {order} LIMIT ?{limit} OFFSET ?{offset}) ORDER BY {}",
                Task::NAMES,
                self.sort.place("seq"),
                union(parts.collect()),
                order.replace("number", "seq"),
            )
        };
        self.statement(Sql::made(text(Dialect::Sqlite), text(Dialect::Postgres)), &own)
    }

    /// The condition that an unfinished task comes behind the start of the page.
    fn behind(&self, number: &str) -> String {
        let Some(After { parameters: [rank, row], .. }) = &self.after else {
            return String::new();
        };
        let later = format!("{number} {} {row}", self.sort.later());
        if self.sort == Sort::Newest {
            format!(" AND {later}")
        } else {
            format!(" AND (claim_rank > {rank} OR (claim_rank = {rank} AND {later}))")
        }
    }

    /// A statement with the parameters that its text has, and with those of its own behind them.
    fn statement(&self, sql: Sql, own: &[i64]) -> Statement {
        let mut parameters = self.parameters.clone();
        parameters.extend(own.iter().map(|&number| number.into()));
        let text = sql.sqlite().unwrap_or_default();
        let has = |number: &usize| {
            let name = format!("?{number}");
            text.match_indices(&*name).any(|(at, name)| {
                !text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit())
            })
        };
        let used = (1..=parameters.len()).rev().find(has).unwrap_or_default();
        parameters.truncate(used);
        Statement { sql, parameters }
    }

    /// The statements of a page.
    pub(crate) fn statements(&mut self, page: &Page) -> Result<Vec<Statement>> {
        if let Some([Value::Int(place)]) = page.key(&self.cursor, &[false])?.as_deref() {
            let (rank, number) = self.sort.row(*place);
            let parameters = [self.bind(rank.into()), self.bind(number.into())];
            self.after = Some(After { rank, parameters });
        }
        let total = if self.after.is_none() { self.total() } else { None };
        Ok([Some(self.page(page)), self.look(), total].into_iter().flatten().collect())
    }

    /// Makes a page of the answers to its statements.
    pub(crate) fn listed(&self, page: &Page, answers: Vec<Rows>) -> Result<Listed<Task>> {
        let mut answers = answers.into_iter();
        let rows = answers.next().unwrap_or_default();
        let (mut matching, mut horizon) = (0, None);
        if self.is_looked && !self.walks.is_empty() {
            let (looked, found, last) = look(answers.next().unwrap_or_default())?;
            matching = found;
            horizon = last.filter(|_| looked > LOOK_MAX);
        }
        let open = answers.next().map(number).transpose()?.unwrap_or_default();
        let total = self.after.is_none().then_some(open + matching);
        let mut placed = all(rows, placed)?;
        // What lies beyond the last that was looked at is shown when what is before it is known.
        placed.retain(|(_, place)| horizon.is_none_or(|horizon| *place <= horizon));
        let limit = usize::try_from(page.limit).unwrap_or_default();
        let is_full = placed.len() > limit;
        placed.truncate(limit);
        let next = match placed.last() {
            Some((_, place)) if is_full => Some(*place),
            _ if page.limit == 0 => None,
            _ => horizon,
        };
        Ok(Listed {
            items: placed.into_iter().map(|(task, _)| task).collect(),
            total,
            total_is_partial: total.is_some() && horizon.is_some(),
            next_cursor: next.map(|place| self.cursor.cursor(&[Value::Int(place)])),
        })
    }
}

/// A task and its place.
fn placed(row: Row) -> Result<(Task, i64)> {
    let Some(Value::Int(place)) = row.last() else {
        return Err(StoreError::Corrupt("a task has no place"));
    };
    let place = *place;
    Ok((record::read(row)?, place))
}

/// How many were looked at, how many match, and the place of the last.
fn look(rows: Rows) -> Result<(i64, i64, Option<i64>)> {
    let row = rows.into_iter().next().ok_or(StoreError::Corrupt("a count returned no row"))?;
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?, row.next()?))
}

impl Store {
    /// Lists tasks, the newest first or the most urgent first.
    pub async fn list_tasks(&self, filter: &Filter, page: &Page) -> Result<Listed<Task>> {
        let nameable = match filter.claimable {
            Some(_) => self.nameable_queues(&filter.scope).await?,
            None => Parameter::Text(None),
        };
        let mut tasks = Tasks::new(filter, nameable);
        let answers = self.list(Some(&filter.scope), tasks.statements(page)?).await?;
        tasks.listed(page, answers)
    }
}
