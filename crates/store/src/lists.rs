//! Lists of tasks and what a scheduler polls.
//!
//! Finished tasks are never passed over to find others, and never sorted: their part of the index
//! is in the order of creation already, and their number is kept in a table of its own.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write};

use octopoid_domain::{Task, queue};

use crate::{
    Result, Store, all,
    conditions::json,
    engine::{Parameter, Statement},
    row::number,
    tasks::{columns, rank, task},
};

/// Which tasks to list. Empty lists do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// In one of these queues.
    pub queues: Vec<String>,
    /// With one of these priorities.
    pub priorities: Vec<String>,
    /// For one of these roles.
    pub roles: Vec<String>,
    /// Held by this agent.
    pub claimed_by: Option<String>,
    /// In this project.
    pub project_id: Option<String>,
    /// Flagged for the fixer, or not.
    pub needs_intervention: Option<bool>,
    /// The most urgent first, instead of the newest.
    pub by_priority: bool,
}

/// A stretch of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// A stretch of a list, and the size of the whole.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The stretch.
    pub items: Vec<T>,
    /// How many match in all.
    pub total: i64,
}

/// The most urgent first; among equals the oldest.
const URGENT_FIRST: &str = concat!(rank!(), ", seq");

/// The parts of the queue index that hold unfinished tasks of any queue.
const UNFINISHED: [&str; 3] =
    ["queue < 'done'", "queue > 'done' AND queue < 'failed'", "queue > 'failed'"];

/// So many queues are looked at one by one. That is what lists ask for, and PostgreSQL knows how
/// much there is in one queue; of a list that it has not seen it must assume that it names many,
/// and would rather pass over all tasks from the newest on.
const APART_MAX: usize = 8;

/// A query in the making: constant texts and their parameters.
struct Query {
    parameters: Vec<Parameter>,
    /// The filters other than scope and queue, each beginning with AND.
    filters: String,
    /// The conditions that split the list into parts of the index.
    parts: Vec<Cow<'static, str>>,
    /// The finished queues asked for.
    finished: Vec<&'static str>,
}

impl Query {
    fn new(filter: &Filter) -> Self {
        let mut query = Self {
            parameters: vec![filter.scope.as_str().into()],
            filters: String::new(),
            parts: Vec::new(),
            finished: Vec::new(),
        };
        for (condition, values) in [
            (" AND priority IN (SELECT value FROM json_each(?#))", &filter.priorities),
            (" AND role IN (SELECT value FROM json_each(?#))", &filter.roles),
        ] {
            if !values.is_empty() {
                query.filter(condition, json(values));
            }
        }
        for (condition, value) in [
            (" AND claimed_by = ?#", &filter.claimed_by),
            (" AND project_id = ?#", &filter.project_id),
        ] {
            if let Some(value) = value {
                query.filter(condition, value.into());
            }
        }
        if let Some(flagged) = filter.needs_intervention {
            query.filter(" AND needs_intervention = ?#", flagged.into());
        }
        query.split(filter);
        query
    }

    fn filter(&mut self, condition: &'static str, value: Parameter) {
        let parameter = self.bind(value);
        self.filters.push_str(&condition.replace("?#", &parameter));
    }

    fn bind(&mut self, value: Parameter) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    /// Names the parts of the index to look at.
    fn split(&mut self, filter: &Filter) {
        if let Some((part, queue)) = other_index(filter) {
            let mut part = part.to_owned();
            if !filter.queues.is_empty() {
                let queues = self.bind(json(&filter.queues));
                let _ = write!(part, " AND {queue} IN (SELECT value FROM json_each({queues}))");
            }
            self.parts.push(part.into());
            return;
        }
        let asked = |queue: &&str| {
            filter.queues.is_empty() || filter.queues.iter().any(|asked| asked == queue)
        };
        self.finished = queue::FINISHED.into_iter().filter(asked).collect();
        if filter.queues.is_empty() {
            self.parts.extend(UNFINISHED.map(|part| format!("scope = ?1 AND {part}").into()));
        } else {
            let is_open = |queue: &&String| !queue::is_finished(queue);
            let open: BTreeSet<_> = filter.queues.iter().filter(is_open).cloned().collect();
            let open = Vec::from_iter(open);
            if open.len() > APART_MAX {
                let queues = self.bind(json(&open));
                let listed = format!("queue IN (SELECT value FROM json_each({queues}))");
                self.parts.push(format!("scope = ?1 AND {listed}").into());
            } else {
                for queue in open {
                    let queue = self.bind(queue.into());
                    self.parts.push(format!("scope = ?1 AND queue = {queue}").into());
                }
            }
        }
    }

    /// The parts, the finished queues among them, for a query that must look at rows.
    fn all_parts(&self) -> impl Iterator<Item = Cow<'static, str>> {
        let finished = self.finished.iter().map(|queue| {
            format!(
                "scope = ?1 AND queue = '{queue}' AND claim_lane IS NULL AND claim_rank IS NULL"
            )
            .into()
        });
        self.parts.iter().cloned().chain(finished)
    }

    /// How many match.
    fn total(&self) -> Statement {
        let mut terms = Vec::new();
        if self.filters.is_empty() {
            if !self.finished.is_empty() {
                terms.push(format!(
                    "(SELECT COALESCE(CAST(SUM(tasks) AS BIGINT), 0) FROM finished_counts \
                     WHERE scope = ?1 AND queue IN ('{}'))",
                    self.finished.join("', '")
                ));
            }
            terms.extend(self.parts.iter().map(|part| count(part, "")));
        } else {
            terms.extend(self.all_parts().map(|part| count(&part, &self.filters)));
        }
        terms.push("0".to_owned());
        Statement {
            sql: format!("SELECT {}", terms.join(" + ")).into(),
            parameters: self.parameters.clone(),
        }
    }

    /// The rows of a page. Each part yields at most as many numbers as the page can need.
    fn page(mut self, filter: &Filter, page: Page) -> Statement {
        // Numbers alone are in the index, so no row is looked at to find its place.
        let (order, key) =
            if filter.by_priority { (URGENT_FIRST, "seq, priority") } else { ("seq DESC", "seq") };
        let (limit, offset) = (self.bind(page.limit.into()), self.bind(page.offset.into()));
        let reach = self.bind((page.limit + page.offset).into());
        let parts: Vec<_> = self
            .all_parts()
            .map(|part| {
                format!(
                    "SELECT * FROM (SELECT {key} FROM tasks WHERE {part}{} \
                     ORDER BY {order} LIMIT {reach}) AS part",
                    self.filters
                )
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM tasks WHERE seq IN (SELECT seq FROM ({}) AS found \
             ORDER BY {order} LIMIT {limit} OFFSET {offset}) ORDER BY {order}",
            columns!(),
            parts.join(" UNION ALL ")
        );
        Statement { sql: sql.into(), parameters: self.parameters }
    }
}

/// The condition to look by where the list is not in the order of the queue index, and how to name
/// the queue beside it. What is joined to a text keeps the column's own index out of the plan.
fn other_index(filter: &Filter) -> Option<(&'static str, &'static str)> {
    if filter.project_id.is_some() {
        // By the project's index: a project has fewer tasks than a queue.
        Some(("scope || '' = ?1", "queue || ''"))
    } else if filter.needs_intervention == Some(true) {
        // By the index of the few that are flagged, finished or not.
        Some(("scope = ?1 AND needs_intervention = 1", "queue || ''"))
    } else if filter.by_priority {
        // The most urgent first takes sorting, whatever the index.
        Some(("scope = ?1", "queue"))
    } else {
        None
    }
}

fn count(part: &str, filters: &str) -> String {
    format!("(SELECT COUNT(*) FROM tasks WHERE {part}{filters})")
}

impl Store {
    /// Lists tasks, the newest first or the most urgent first.
    pub async fn list_tasks(&self, filter: &Filter, page: Page) -> Result<Listed<Task>> {
        let query = Query::new(filter);
        let total = query.total();
        let [total, rows] =
            self.read_for(Some(&filter.scope), [total, query.page(filter, page)]).await?;
        Ok(Listed { items: all(rows, task)?, total: number(total)? })
    }
}
