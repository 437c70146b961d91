//! Everything but tasks and their history: one table of the dump is one of ours.

use std::collections::HashMap;

use octopoid_domain::{Millis, action, orchestrator};
use octopoid_store::{copy::table, engine::Value};

use crate::{
    ImportError, Note, Taken,
    dump::{Cells, Dump},
    old::{New, as_it_is, peek},
};

/// What the rows of one table may look up in others.
#[derive(Default)]
struct Around {
    /// The scope of each orchestrator.
    scopes: HashMap<String, String>,
}

/// How the rows of a table are taken.
struct Noun {
    table: &'static str,
    /// The column that names a row.
    key: &'static str,
    /// Their order.
    order: &'static str,
    /// Fills in what the first server did not ask for, or refuses the row.
    finish: fn(&mut New, &Around, &mut Vec<String>) -> Result<(), String>,
}

const NOUNS: [Noun; 8] = [
    Noun { table: "projects", key: "id", order: "julianday(created_at)", finish: project },
    Noun { table: "drafts", key: "id", order: "id", finish: draft },
    Noun { table: "orchestrators", key: "id", order: "id", finish: machine },
    Noun { table: "messages", key: "id", order: "julianday(created_at)", finish: message },
    Noun { table: "actions", key: "id", order: "julianday(proposed_at)", finish: action },
    Noun { table: "flows", key: "name", order: "scope, name", finish: flow },
    Noun { table: "roles", key: "name", order: "name", finish: role },
    Noun { table: "api_keys", key: "scope", order: "scope", finish: key },
];

/// Takes all of them.
pub(crate) fn take(dump: &Dump, notes: &mut Vec<Note>) -> Result<Vec<Taken>, ImportError> {
    let mut around = Around::default();
    for cells in dump.rows("orchestrators", "id")? {
        if let (Some(id), Some(scope)) = (peek(&cells, "id"), peek(&cells, "scope")) {
            around.scopes.insert(id, scope);
        }
    }
    NOUNS.iter().map(|noun| noun.take(dump.rows(noun.table, noun.order)?, &around, notes)).collect()
}

impl Noun {
    fn take(
        &self,
        found: Vec<Cells>,
        around: &Around,
        notes: &mut Vec<Note>,
    ) -> Result<Taken, ImportError> {
        let table = table(self.table).ok_or(ImportError::Foreign(self.table))?;
        let of = Some(found.len());
        let mut rows = Vec::with_capacity(found.len());
        for cells in found {
            let key = peek(&cells, self.key).unwrap_or_default();
            let mut new = as_it_is(table, cells, &key, notes);
            if table.columns[0].name == "seq" {
                new.set("seq", number_after(rows.len()));
            }
            let mut changes = Vec::new();
            match (self.finish)(&mut new, around, &mut changes) {
                Ok(()) => rows.push(new.row),
                Err(why) => changes = vec![format!("left out: {why}")],
            }
            let note = |what| Note { table: self.table.to_owned(), key: key.clone(), what };
            notes.extend(changes.into_iter().map(note));
        }
        Ok(Taken { table, rows, of })
    }
}

/// The number of the next row, from 1.
pub(crate) fn number_after(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX - 1) + 1
}

fn project(new: &mut New, _: &Around, _: &mut Vec<String>) -> Result<(), String> {
    new.need(&["id"])?;
    new.default("title", "");
    new.default("status", "draft");
    new.flags(&["auto_accept"]);
    new.instant("created_at", &["completed_at"]);
    new.set("write_id", 0);
    Ok(())
}

fn draft(new: &mut New, _: &Around, _: &mut Vec<String>) -> Result<(), String> {
    if new.int("id").is_none() {
        return Err("it has no id".to_owned());
    }
    new.default("title", "");
    new.default("author", "");
    new.default("status", "idea");
    new.instant("created_at", &["updated_at"]);
    new.instant("updated_at", &["created_at"]);
    // The first server wrote the absence of tags as JSON.
    if new.text("tags") == Some("null") {
        new.clear("tags");
    }
    Ok(())
}

fn machine(new: &mut New, _: &Around, changes: &mut Vec<String>) -> Result<(), String> {
    new.need(&["id", "cluster", "machine_id", "scope"])?;
    new.default("repo_url", "");
    new.instant("registered_at", &["last_heartbeat"]);
    new.instant("last_heartbeat", &["registered_at"]);
    let status = new.text("status").unwrap_or("active").to_owned();
    if orchestrator::Status::parse(&status).is_none() {
        changes.push(format!("status {status:?} became \"offline\""));
        new.set("status", "offline");
    }
    new.default("status", "active");
    Ok(())
}

fn message(new: &mut New, _: &Around, _: &mut Vec<String>) -> Result<(), String> {
    new.need(&["id", "task_id", "scope"])?;
    for name in ["from_actor", "type", "content"] {
        new.default(name, "");
    }
    new.instant("created_at", &[]);
    Ok(())
}

fn action(new: &mut New, _: &Around, changes: &mut Vec<String>) -> Result<(), String> {
    new.need(&["id", "scope"])?;
    for name in ["entity_type", "entity_id", "label", "proposed_by"] {
        new.default(name, "");
    }
    new.default("action_type", "proposal");
    new.default("status", "proposed");
    let status = new.text("status").unwrap_or_default().to_owned();
    if action::Status::parse(&status).is_none() {
        changes.push(format!("status {status:?} became \"expired\""));
        new.set("status", "expired");
    }
    new.instant("proposed_at", &["executed_at"]);
    if let Some(end) = new.text("expires_at").filter(|end| !end.is_empty()) {
        match Millis::parse(end) {
            Some(end) => new.set("expires_at_ms", end.0),
            None => changes.push(format!("expires_at: {end:?} is no time, so it never expires")),
        }
    }
    Ok(())
}

fn flow(new: &mut New, _: &Around, _: &mut Vec<String>) -> Result<(), String> {
    new.need(&["name", "scope", "states", "transitions"])?;
    new.instant("registered_at", &["updated_at"]);
    new.instant("updated_at", &["registered_at"]);
    Ok(())
}

/// The first server's roles belonged to nobody; ours belong to the scope of whoever registered them.
fn role(new: &mut New, around: &Around, _: &mut Vec<String>) -> Result<(), String> {
    new.need(&["name", "orchestrator_id"])?;
    let machine = new.text("orchestrator_id").unwrap_or_default();
    let scope = around.scopes.get(machine);
    let scope = scope.ok_or(format!("nobody knows the scope of orchestrator {machine:?}"))?.clone();
    new.set("scope", scope);
    new.default("claims_from", "incoming");
    new.instant("created_at", &[]);
    Ok(())
}

/// Both servers keep the SHA-256 of a key's whole text, so the keys go on working.
fn key(new: &mut New, _: &Around, _: &mut Vec<String>) -> Result<(), String> {
    new.need(&["key_hash", "scope"])?;
    new.instant("created_at", &["last_used_at"]);
    let hash = new.text("key_hash").unwrap_or_default();
    let is_hash =
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err("its hash is no SHA-256 in lowercase hexadecimal digits".to_owned());
    }
    let Value::Int(created_at) = new.get("created_at") else { return Ok(()) };
    // The form of this server's ids. A few digits of a hash give nothing away.
    let id = format!("key-{created_at}-{}", &hash[..6]);
    new.set("id", id);
    Ok(())
}
