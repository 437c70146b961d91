//! Tasks, and what this server keeps beside them.

use std::collections::{BTreeMap, HashMap, HashSet};

use octopoid_domain::{queue, task::blockers};
use octopoid_store::{
    copy::{Table, table},
    engine::{Row, Value},
};

use crate::{
    ImportError, Note, Taken,
    dump::Dump,
    history::Told,
    nouns::number_after,
    old::{New, as_it_is, peek},
};

const TABLE: &str = "tasks";

/// Finished tasks are counted in this many parts, as the store does.
const SHARDS: i64 = 16;

/// Takes the tasks, and makes the rows of the tables that follow from them.
pub(crate) fn take(dump: &Dump, notes: &mut Vec<Note>) -> Result<Vec<Taken>, ImportError> {
    let mut told = Told::read(dump)?;
    let found = dump.rows(TABLE, "julianday(created_at)")?;
    let of = found.len();
    let mut tasks: Vec<New> = Vec::with_capacity(of);
    for cells in found {
        let id = peek(&cells, "id").unwrap_or_default();
        let mut task = as_it_is(known(TABLE)?, cells, &id, notes);
        match finish(&mut task, &told) {
            Ok(()) => {
                task.set("seq", number_after(tasks.len()));
                tasks.push(task);
            }
            Err(why) => notes.push(note(&id, format!("left out: {why}"))),
        }
    }
    let pairs = wait(&mut tasks, notes);
    let mut history = Vec::new();
    for task in &mut tasks {
        let (id, scope) = (of_text(task, "id"), of_text(task, "scope"));
        let created_at = task.int("created_at").unwrap_or_default();
        let events = told.of_task(&id, &scope, created_at, notes);
        task.set("events", i64::try_from(events.len()).unwrap_or(i64::MAX));
        history.extend(events);
    }
    let told_of = told.of;
    told.note_the_rest(notes);
    let counts = count(&tasks);
    let rows = tasks.into_iter().map(|task| task.row).collect();
    Ok(vec![
        Taken { table: known(TABLE)?, rows, of: Some(of) },
        Taken { table: known("task_blockers")?, rows: pairs, of: None },
        Taken { table: known("finished_counts")?, rows: counts, of: None },
        Taken { table: known("task_history")?, rows: history, of: Some(told_of) },
    ])
}

fn known(name: &'static str) -> Result<&'static Table, ImportError> {
    table(name).ok_or(ImportError::Foreign(name))
}

fn note(key: &str, what: String) -> Note {
    Note { table: TABLE.to_owned(), key: key.to_owned(), what }
}

fn of_text(task: &New, name: &str) -> String {
    task.text(name).unwrap_or_default().to_owned()
}

/// Fills in what a task of ours must have, or refuses it.
fn finish(task: &mut New, told: &Told) -> Result<(), String> {
    task.need(&["id", "file_path", "queue", "branch", "scope"])?;
    task.flags(&[
        "has_plan",
        "auto_accept",
        "needs_rebase",
        "needs_breakdown",
        "needs_intervention",
    ]);
    task.instant("created_at", &["updated_at"]);
    task.instant("updated_at", &["created_at"]);
    task.default("version", 1);
    task.set("write_id", 0);
    task.set("is_awaited", 0);
    if let Some(queue) = claimed_in(task, told) {
        task.set("claimed_in", queue);
    }
    Ok(())
}

/// The queue in which a task is held. A review leaves it where it is; a worker's claim that was
/// moved on, as clients could, left its marks behind and holds nothing.
fn claimed_in(task: &New, told: &Told) -> Option<&'static str> {
    task.text("claimed_by")?;
    match task.text("queue")? {
        queue::CLAIMED => Some(queue::CLAIMED),
        queue::PROVISIONAL if task.int("lease_expires_at").is_some() => {
            (!told.was_claimed_for_work(task.text("id")?)).then_some(queue::PROVISIONAL)
        }
        _ => None,
    }
}

/// Makes the pairs of who waits for whom. What is done already keeps nobody waiting, though the
/// first server let tasks wait for it for ever.
fn wait(tasks: &mut [New], notes: &mut Vec<Note>) -> Vec<Row> {
    let states: HashMap<String, (String, bool)> = tasks
        .iter()
        .map(|task| {
            let is_done = task.text("queue") == Some(queue::DONE);
            (of_text(task, "id"), (of_text(task, "scope"), is_done))
        })
        .collect();
    let mut pairs = Vec::new();
    let mut awaited = HashSet::new();
    for task in tasks.iter_mut() {
        let (id, scope) = (of_text(task, "id"), of_text(task, "scope"));
        let list = of_text(task, "blocked_by");
        let mut kept = Vec::new();
        for blocker in blockers(&list) {
            match states.get(blocker) {
                _ if blocker == id => {
                    notes.push(note(&id, "it waits no longer for itself".to_owned()));
                    continue;
                }
                Some((_, true)) => {
                    notes.push(note(
                        &id,
                        format!("it waits no longer for {blocker}, which is done"),
                    ));
                    continue;
                }
                Some((other, false)) if *other != scope => notes.push(note(
                    &id,
                    format!("it waits for {blocker} of another scope, which will not release it"),
                )),
                Some(_) | None => {}
            }
            let position = i64::try_from(kept.len()).unwrap_or(i64::MAX);
            pairs.push(vec![
                scope.as_str().into(),
                blocker.into(),
                id.as_str().into(),
                position.into(),
            ]);
            awaited.insert((scope.clone(), blocker.to_owned()));
            kept.push(blocker);
        }
        if kept.is_empty() {
            task.clear("blocked_by");
        } else {
            task.set("blocked_by", kept.join(","));
        }
    }
    for task in tasks.iter_mut() {
        if awaited.contains(&(of_text(task, "scope"), of_text(task, "id"))) {
            task.set("is_awaited", 1);
        }
    }
    pairs
}

/// Counts the finished tasks.
fn count(tasks: &[New]) -> Vec<Row> {
    let mut counts: BTreeMap<(String, String, i64), i64> = BTreeMap::new();
    for task in tasks {
        let queue = of_text(task, "queue");
        if queue::is_finished(&queue) {
            let shard = task.int("seq").unwrap_or_default() % SHARDS;
            *counts.entry((of_text(task, "scope"), queue, shard)).or_default() += 1;
        }
    }
    let row = |((scope, queue, shard), tasks): ((String, String, i64), i64)| {
        [Value::from(scope), queue.into(), shard.into(), tasks.into()].to_vec()
    };
    counts.into_iter().map(row).collect()
}
