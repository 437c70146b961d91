//! All tables except tasks and their history, which are converted one to one.

use std::collections::HashMap;

use octopoid_domain::{Millis, action, key::Permission, orchestrator};
use octopoid_store::{copy::table, engine::Value};

use crate::import::{
    ImportError, ImportedTable, Notes, Scopes, Sink,
    notes::Change,
    queues,
    row::{ImportedRow, peek},
    source::{Cells, Source},
};

/// Data of other tables that conversions use.
struct Context<'a> {
    scopes: &'a Scopes,
    /// The scope of each orchestrator.
    orchestrator_scopes: HashMap<String, String>,
}

/// How the rows of a table are converted.
struct Noun {
    table: &'static str,
    /// The key column for the report.
    key: &'static str,
    /// The order of the rows.
    order: &'static str,
    /// Sets defaults for missing values, or rejects the row.
    finish: fn(&mut ImportedRow, &Context<'_>) -> Result<(), Change>,
}

/// An order by timestamp, for text and for milliseconds.
macro_rules! by_time {
    ($column:literal) => {
        concat!(
            "CASE WHEN typeof(",
            $column,
            ") IN ('integer', 'real') THEN ",
            $column,
            " / 86400000.0 + 2440587.5 ELSE julianday(",
            $column,
            ") END"
        )
    };
}
pub(crate) use by_time;

const NOUNS: [Noun; 8] = [
    Noun { table: "projects", key: "id", order: by_time!("created_at"), finish: project },
    Noun { table: "drafts", key: "id", order: "id", finish: draft },
    Noun { table: "orchestrators", key: "id", order: "id", finish: orchestrator },
    Noun { table: "messages", key: "id", order: by_time!("created_at"), finish: message },
    Noun { table: "actions", key: "id", order: by_time!("proposed_at"), finish: action },
    Noun { table: "flows", key: "name", order: "name", finish: flow },
    Noun { table: "roles", key: "name", order: "name", finish: role },
    Noun { table: "api_keys", key: "scope", order: "scope", finish: key },
];

/// Converts all of them.
pub(crate) fn convert(
    source: &Source,
    scopes: &Scopes,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<Vec<ImportedTable>, ImportError> {
    let mut context = Context { scopes, orchestrator_scopes: HashMap::new() };
    source.each("orchestrators", "id", &["capabilities"], |cells| {
        let Some(id) = peek(&cells, "id") else { return Ok(()) };
        let own = peek(&cells, "scope").filter(|scope| !scope.is_empty());
        let given = || scopes.scope("orchestrators", &id).map(str::to_owned);
        if let Some(scope) = own.or_else(given) {
            context.orchestrator_scopes.insert(id, scope);
        }
        Ok(())
    })?;
    NOUNS.iter().map(|noun| noun.convert(source, &context, notes, sink)).collect()
}

impl Noun {
    fn convert(
        &self,
        source: &Source,
        context: &Context<'_>,
        notes: &mut Notes,
        sink: &mut Sink<'_>,
    ) -> Result<ImportedTable, ImportError> {
        let table = table(self.table).ok_or(ImportError::Foreign(self.table))?;
        let total = source.count(self.table)?;
        let mut rows = 0;
        source.each(self.table, self.order, &[], |cells| {
            let key = peek(&cells, self.key).unwrap_or_default();
            let mut new = self.begin(table, cells);
            if table.columns[0].name == "seq" {
                new.set("seq", number_after(rows));
            }
            new.set("write_id", 0);
            if self.table != "roles" {
                new.find_scope(context.scopes, &key);
            }
            let outcome = (self.finish)(&mut new, context);
            if let Some(row) = new.note(&key, outcome, notes) {
                rows += 1;
                sink(table, total, row).map_err(ImportError::Sink)?;
            }
            Ok(())
        })?;
        Ok(ImportedTable { table, rows, source_rows: Some(total) })
    }

    /// Flows belonged to a cluster before they belonged to a scope of that name.
    fn begin(&self, table: &'static octopoid_store::copy::Table, cells: Cells) -> ImportedRow {
        let cluster = if self.table == "flows" { peek(&cells, "cluster") } else { None };
        let has_scope = cells.get("scope").is_some();
        let mut new = ImportedRow::from_cells(table, cells);
        if let Some(cluster) = cluster.filter(|_| !has_scope) {
            new.changed("scope", format!("set to the cluster {cluster:?}"));
            new.set("scope", cluster);
        }
        new
    }
}

/// The number of the next row, from 1.
pub(crate) fn number_after(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX - 1) + 1
}

/// Reports rows without a scope, which the first server showed in every scope.
fn note_scope(new: &mut ImportedRow) {
    if new.text("scope").is_none() {
        let what = "missing, so the row is not visible with any key: set it with --scope-of or \
             --scope-for-unscoped";
        new.changed("scope", what);
    }
}

fn project(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["id"])?;
    note_scope(new);
    new.default("title", "");
    new.default("status", "draft");
    new.flags(&["auto_accept"]);
    new.instant("created_at", &["completed_at"]);
    Ok(())
}

fn draft(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&[])?;
    if new.int("id").is_none() {
        return Err(Change::plain("no id"));
    }
    note_scope(new);
    new.default("title", "");
    new.default("author", "");
    new.default("status", "idea");
    new.instant("created_at", &["updated_at"]);
    new.instant("updated_at", &["created_at"]);
    // The first server wrote the absence of tags as JSON.
    if new.text("tags") == Some("null") {
        new.clear("tags");
        new.changed("tags", "changed the text null to null");
    }
    Ok(())
}

fn orchestrator(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["id", "cluster", "machine_id", "scope"])?;
    new.default("repo_url", "");
    new.instant("registered_at", &["last_heartbeat"]);
    new.instant("last_heartbeat", &["registered_at"]);
    new.default("status", "active");
    let status = new.text("status").unwrap_or_default().to_owned();
    if orchestrator::Status::parse(&status).is_none() {
        new.changes.push(replaced_status("status", &status, "offline"));
        new.set("status", "offline");
    }
    Ok(())
}

fn replaced_status(column: &str, found: &str, new: &str) -> Change {
    let kind = format!("{column}: changed an unknown value to {new:?}");
    Change::new(kind, format!("{column}: changed {found:?} to {new:?}"))
}

fn message(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["id", "task_id", "scope"])?;
    for name in ["from_actor", "type", "content"] {
        new.default(name, "");
    }
    new.instant("created_at", &[]);
    Ok(())
}

fn action(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["id", "scope"])?;
    for name in ["entity_type", "entity_id", "label", "proposed_by"] {
        new.default(name, "");
    }
    new.default("action_type", "proposal");
    new.default("status", "proposed");
    let status = new.text("status").unwrap_or_default().to_owned();
    if action::Status::parse(&status).is_none() {
        new.changes.push(replaced_status("status", &status, "expired"));
        new.set("status", "expired");
    }
    new.instant("proposed_at", &["executed_at"]);
    let end = new.text("expires_at").filter(|end| !end.is_empty()).map(str::to_owned);
    if let Some(end) = end {
        match Millis::parse(&end) {
            Some(end) => new.set("expires_at_ms", end.0),
            None => new.changes.push(Change::new(
                "expires_at: invalid timestamp, so the action never expires",
                format!("expires_at: invalid timestamp `{end:?}`, so the action never expires"),
            )),
        }
    }
    Ok(())
}

fn flow(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["name", "scope", "states", "transitions"])?;
    queues::rename_in_flow(new);
    new.instant("registered_at", &["updated_at"]);
    new.instant("updated_at", &["registered_at"]);
    Ok(())
}

/// The first server's roles had no scope. Here they belong to the scope of the orchestrator that
/// registered them.
fn role(new: &mut ImportedRow, context: &Context<'_>) -> Result<(), Change> {
    let orchestrator = new.text("orchestrator_id").unwrap_or_default().to_owned();
    if let Some(scope) = context.orchestrator_scopes.get(&orchestrator) {
        new.set("scope", scope.as_str());
    } else {
        let name = new.text("name").unwrap_or_default().to_owned();
        new.find_scope(context.scopes, &name);
        if new.text("scope").is_none() {
            return Err(Change::new(
                "unknown scope of its orchestrator",
                format!("unknown scope of orchestrator {orchestrator:?}"),
            ));
        }
    }
    new.need(&["name", "orchestrator_id", "scope"])?;
    new.default("claims_from", "incoming");
    queues::rename(new, "claims_from");
    new.instant("created_at", &[]);
    Ok(())
}

/// Both servers store the SHA-256 of a key, so the keys remain valid. The first server's keys permit
/// everything in their scope.
fn key(new: &mut ImportedRow, _: &Context<'_>) -> Result<(), Change> {
    new.need(&["key_hash", "scope"])?;
    new.instant("created_at", &["last_used_at"]);
    let hash = new.text("key_hash").unwrap_or_default();
    let is_hash =
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err(Change::plain("key_hash is not a SHA-256 in lowercase hexadecimal digits"));
    }
    let Value::Int(created_at) = new.get("created_at") else { return Ok(()) };
    // The format of this server's ids. A few digits of a hash do not reveal the key.
    let id = format!("key-{created_at}-{}", &hash[..6]);
    new.set("id", id);
    new.set("permission", Permission::Manage.as_str());
    Ok(())
}
