//! Databases of the first server, as each of its migrations left them.

/// Each table with the migration that made it, and its columns, each with the migration that added
/// it.
const TABLES: &str = "\
tasks 1: id file_path queue priority complexity role branch blocked_by claimed_by claimed_at \
commits_count turns_used attempt_count has_plan plan_id project_id auto_accept rejection_count \
pr_number pr_url checks check_results needs_rebase last_rebase_attempt_at staging_url submitted_at \
completed_at created_at updated_at orchestrator_id lease_expires_at version needs_breakdown \
review_round execution_notes title type hooks flow flow_overrides scope@9 content@16 \
needs_intervention@20
projects 1: id title description status branch base_branch auto_accept created_at created_by \
completed_at scope@9
agents 1: name role
task_history 1: id task_id event agent details timestamp
orchestrators 1: id cluster machine_id hostname repo_url registered_at last_heartbeat status version \
capabilities scope@12
schema_info 1: key value
drafts 1: id title status author domain file_path created_at updated_at linked_task_id \
linked_project_id tags scope@9
roles 10: name description claims_from orchestrator_id created_at
messages 13: id task_id from_actor to_actor type content created_at scope parent_message_id@18
actions 14: id entity_type entity_id action_type label description status proposed_by proposed_at \
executed_at result expires_at metadata scope action_data@15
api_keys 17: key_hash scope created_at last_used_at
flows 11: name cluster!19 scope@19 states transitions registered_at updated_at";

/// The statements that make the tables as they were after a migration.
pub(crate) fn tables(level: i64) -> Vec<String> {
    let number = |text: &str| text.parse::<i64>().unwrap();
    let mut statements = Vec::new();
    for line in TABLES.lines() {
        let (head, columns) = line.split_once(": ").unwrap();
        let (name, since) = head.split_once(' ').unwrap();
        if number(since) > level {
            continue;
        }
        let columns = columns.split_whitespace().filter_map(|column| {
            let (name, since, until) = match (column.split_once('@'), column.split_once('!')) {
                (Some((name, since)), _) => (name, number(since), 99),
                (_, Some((name, until))) => (name, 0, number(until)),
                _ => (column, 0, 99),
            };
            let numbers = ["id INTEGER PRIMARY KEY AUTOINCREMENT"];
            let counts = head.starts_with("drafts") || head.starts_with("task_history");
            let shown = if name == "id" && counts { numbers[0] } else { name };
            (since <= level && level < until).then_some(shown)
        });
        let columns: Vec<_> = columns.collect();
        statements.push(format!("CREATE TABLE {name} ({});\n", columns.join(", ")));
    }
    statements
}

/// A whole dump with these statements among the tables.
pub(crate) fn dump(level: i64, rows: &str) -> String {
    let index = "CREATE INDEX idx_tasks_queue ON tasks(queue);\n";
    format!("PRAGMA defer_foreign_keys=TRUE;\n{}{rows}{index}", tables(level).concat())
}

/// A task with nothing special, and perhaps some columns that are.
pub(crate) fn task(id: &str, columns: &str, values: &str) -> String {
    format!(
        "INSERT INTO tasks (id,file_path,queue,branch,created_at,updated_at,version,has_plan,\
         auto_accept,needs_rebase,needs_breakdown{columns}) VALUES('{id}','f/{id}','incoming','main',\
         '2026-01-01 00:00:00','2026-01-01 00:00:00',1,0,0,0,0{values});\n"
    )
}
