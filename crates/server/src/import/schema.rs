//! The first server's schema, and the migration that added each table and column.

/// A table of the first server.
pub(crate) struct SourceTable {
    pub(crate) name: &'static str,
    /// The migration that created it.
    since: i64,
    /// Its unique keys.
    pub(crate) keys: &'static [&'static [&'static str]],
    /// Its columns, each with the migration that added it.
    pub(crate) columns: &'static [(&'static str, i64)],
}

/// The last of the first server's migrations.
pub(crate) const NEWEST: i64 = 20;

/// Tables without user data.
pub(crate) const BOOKKEEPING: [&str; 2] = ["d1_migrations", "schema_info"];

/// The tables that are imported.
pub(crate) const SOURCE_TABLES: [SourceTable; 10] = [
    SourceTable { name: "tasks", since: 1, keys: &[&["id"], &["file_path"]], columns: TASKS },
    SourceTable { name: "projects", since: 1, keys: &[&["id"]], columns: PROJECTS },
    SourceTable { name: "drafts", since: 1, keys: &[&["id"]], columns: DRAFTS },
    SourceTable { name: "orchestrators", since: 1, keys: &[&["id"]], columns: ORCHESTRATORS },
    SourceTable { name: "task_history", since: 1, keys: &[&["id"]], columns: HISTORY },
    SourceTable { name: "roles", since: 10, keys: &[&["name"]], columns: ROLES },
    SourceTable { name: "flows", since: 11, keys: FLOW_KEYS, columns: FLOWS },
    SourceTable { name: "messages", since: 13, keys: &[&["id"]], columns: MESSAGES },
    SourceTable { name: "actions", since: 14, keys: &[&["id"]], columns: ACTIONS },
    SourceTable { name: "api_keys", since: 17, keys: &[&["key_hash"]], columns: KEYS },
];

/// A table by its name.
pub(crate) fn source_table(name: &str) -> Option<&'static SourceTable> {
    SOURCE_TABLES.iter().find(|table| table.name == name)
}

/// The schema version, derived from the tables and columns.
pub(crate) fn level<'a>(has: impl Fn(&str) -> Option<&'a [String]>) -> i64 {
    let level = |table: &SourceTable| {
        let found = has(table.name)?;
        let is_found = |name: &str| found.iter().any(|column| column == name);
        let columns = table.columns.iter().filter(|(name, _)| is_found(name));
        Some(columns.map(|(_, since)| *since).fold(table.since, i64::max))
    };
    SOURCE_TABLES.iter().filter_map(level).max().unwrap_or_default()
}

/// The tables of a database with this schema version.
pub(crate) fn tables_at(level: i64) -> impl Iterator<Item = &'static str> {
    SOURCE_TABLES.iter().filter(move |table| table.since <= level).map(|table| table.name)
}

/// What a database with this schema version lacks, and the consequences.
pub(crate) fn lacks(level: i64) -> impl Iterator<Item = &'static str> {
    const LACKS: [(i64, &str); 8] = [
        (10, "no roles (0010)"),
        (11, "no flows (0011)"),
        (13, "no messages (0013)"),
        (14, "no actions (0014)"),
        (16, "no content of tasks (0016): agents refuse to run a task without it"),
        (17, "no keys (0017): each scope gets its key when an orchestrator registers"),
        (18, "no threads of messages (0018)"),
        (20, "no flag of tasks that need intervention (0020)"),
    ];
    LACKS.into_iter().filter(move |(since, _)| *since > level).map(|(_, what)| what)
}

const TASKS: &[(&str, i64)] = &[
    ("id", 1),
    ("file_path", 1),
    ("queue", 1),
    ("priority", 1),
    ("complexity", 1),
    ("role", 1),
    ("branch", 1),
    ("blocked_by", 1),
    ("claimed_by", 1),
    ("claimed_at", 1),
    ("commits_count", 1),
    ("turns_used", 1),
    ("attempt_count", 1),
    ("has_plan", 1),
    ("plan_id", 1),
    ("project_id", 1),
    ("auto_accept", 1),
    ("rejection_count", 1),
    ("pr_number", 1),
    ("pr_url", 1),
    ("checks", 1),
    ("check_results", 1),
    ("needs_rebase", 1),
    ("last_rebase_attempt_at", 1),
    ("staging_url", 1),
    ("submitted_at", 1),
    ("completed_at", 1),
    ("created_at", 1),
    ("updated_at", 1),
    ("orchestrator_id", 1),
    ("lease_expires_at", 1),
    ("version", 1),
    ("needs_breakdown", 2),
    ("review_round", 2),
    ("execution_notes", 2),
    ("title", 3),
    ("type", 4),
    ("hooks", 5),
    ("flow", 8),
    ("flow_overrides", 8),
    ("scope", 9),
    ("content", 16),
    ("needs_intervention", 20),
];

const PROJECTS: &[(&str, i64)] = &[
    ("id", 1),
    ("title", 1),
    ("description", 1),
    ("status", 1),
    ("branch", 1),
    ("base_branch", 1),
    ("auto_accept", 1),
    ("created_at", 1),
    ("created_by", 1),
    ("completed_at", 1),
    ("scope", 9),
];

const DRAFTS: &[(&str, i64)] = &[
    ("id", 1),
    ("title", 1),
    ("status", 1),
    ("author", 1),
    ("domain", 1),
    ("file_path", 1),
    ("created_at", 1),
    ("updated_at", 1),
    ("linked_task_id", 1),
    ("linked_project_id", 1),
    ("tags", 1),
    ("scope", 9),
];

/// Some databases had the scope before the migration that was to add it.
const ORCHESTRATORS: &[(&str, i64)] = &[
    ("id", 1),
    ("cluster", 1),
    ("machine_id", 1),
    ("hostname", 1),
    ("repo_url", 1),
    ("registered_at", 1),
    ("last_heartbeat", 1),
    ("status", 1),
    ("version", 1),
    ("capabilities", 1),
    ("scope", 1),
];

const HISTORY: &[(&str, i64)] =
    &[("id", 1), ("task_id", 1), ("event", 1), ("agent", 1), ("details", 1), ("timestamp", 1)];

const ROLES: &[(&str, i64)] = &[
    ("name", 10),
    ("description", 10),
    ("claims_from", 10),
    ("orchestrator_id", 10),
    ("created_at", 10),
];

/// `scope` took the place of `cluster`.
const FLOW_KEYS: &[&[&str]] = &[&["name", "cluster"], &["name", "scope"]];

const FLOWS: &[(&str, i64)] = &[
    ("name", 11),
    ("cluster", 11),
    ("states", 11),
    ("transitions", 11),
    ("registered_at", 11),
    ("updated_at", 11),
    ("scope", 19),
];

const MESSAGES: &[(&str, i64)] = &[
    ("id", 13),
    ("task_id", 13),
    ("from_actor", 13),
    ("to_actor", 13),
    ("type", 13),
    ("content", 13),
    ("created_at", 13),
    ("scope", 13),
    ("parent_message_id", 18),
];

const ACTIONS: &[(&str, i64)] = &[
    ("id", 14),
    ("entity_type", 14),
    ("entity_id", 14),
    ("action_type", 14),
    ("label", 14),
    ("description", 14),
    ("status", 14),
    ("proposed_by", 14),
    ("proposed_at", 14),
    ("executed_at", 14),
    ("result", 14),
    ("expires_at", 14),
    ("metadata", 14),
    ("scope", 14),
    ("action_data", 15),
];

const KEYS: &[(&str, i64)] =
    &[("key_hash", 17), ("scope", 17), ("created_at", 17), ("last_used_at", 17)];
