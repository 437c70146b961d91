//! The fields of JSON, which programs rely on. One that goes, or gets another name, is a new
//! `schema_version`; one that is added is not.

use serde_json::Value;

use crate::program::World;

const TASK: &str = "id, file_path, queue, priority, complexity, role, branch, blocked_by, \
    claimed_by, claimed_at, commits_count, turns_used, attempt_count, has_plan, plan_id, \
    project_id, auto_accept, rejection_count, pr_number, pr_url, checks, check_results, \
    needs_rebase, last_rebase_attempt_at, staging_url, submitted_at, completed_at, created_at, \
    updated_at, orchestrator_id, lease_expires_at, version, needs_breakdown, review_round, \
    execution_notes, title, type, hooks, flow, flow_overrides, scope, content, \
    needs_intervention, max_attempts, failure_count, not_before, cancel_requested_at, run, usage, \
    traceparent";
const CLAIM: &str = "lease_token, attempt, feedback, checkpoint, previous, run_key";
const RUN: &str = "task_id, run, attempt, kind, agent, orchestrator_id, started_at, ended_at, \
    outcome, reason, message, usage, summary, verdict, progress";
const KEY: &str = "id, scope, label, permission, created_at, last_used_at, expires_at, revoked_at, \
     overlap_ends_at";

/// What a command prints, and its fields.
fn shapes() -> Vec<(&'static str, String)> {
    let shapes = [
        ("task list", TASK.to_owned()),
        ("task list --why", format!("{TASK}, waiting")),
        ("task claim", format!("{TASK}, {CLAIM}")),
        ("task renew a", "task_id, run, lease_expires_at, directive, reason, messages".to_owned()),
        ("task history a", "id, task_id, event, agent, details, timestamp".to_owned()),
        ("task runs a", RUN.to_owned()),
        ("task runs a --run 1", format!("{RUN}, result, checkpoint")),
        ("task why a", "code, text, until, task_id, holder".to_owned()),
        ("task log a", "offset, next_offset, text, is_complete".to_owned()),
        (
            "project list",
            "id, title, description, status, branch, base_branch, auto_accept, created_at, \
             created_by, completed_at, scope, pr_url, pr_number, flow"
                .to_owned(),
        ),
        (
            "draft list",
            "id, title, status, author, domain, file_path, created_at, updated_at, \
             linked_task_id, linked_project_id, tags, scope"
                .to_owned(),
        ),
        ("draft promote 1", "draft, task, project".to_owned()),
        (
            "message list",
            "id, task_id, from_actor, to_actor, type, content, created_at, scope, \
             parent_message_id"
                .to_owned(),
        ),
        (
            "action list",
            "id, entity_type, entity_id, action_type, label, description, status, proposed_by, \
             proposed_at, executed_at, result, expires_at, metadata, action_data, scope"
                .to_owned(),
        ),
        (
            "orch list",
            "id, cluster, machine_id, hostname, repo_url, registered_at, last_heartbeat, status, \
             version, capabilities, scope, slots, busy, roles, queues, pools, is_stale"
                .to_owned(),
        ),
        ("pause list", "scope, target, until, reason, by, is_automatic, created_at".to_owned()),
        (
            "flow list",
            "name, scope, states, transitions, registered_at, updated_at, description, child_flow"
                .to_owned(),
        ),
        ("board", "url, expires_at".to_owned()),
        ("key list", KEY.to_owned()),
        ("key issue", format!("api_key, {KEY}")),
        ("key rotate", "api_key, scope, expires_at".to_owned()),
        ("events tail", "id, type, at, scope, subject, actor, version, queue, details".to_owned()),
        (
            "status",
            "summary, reviews, actions, interventions, running, waiting, machines".to_owned(),
        ),
        ("config show", "name, value, origin".to_owned()),
    ];
    shapes.into_iter().collect()
}

#[test]
fn each_noun_has_its_fields() {
    let world = World::alone();
    for (line, fields) in shapes() {
        let error = world.fails(2, &format!("{line} --json nonsense"));
        let error: Value = serde_json::from_str(&error).unwrap();
        assert_eq!(error["remedies"][0], format!("known fields: {fields}"), "{line}");
    }
}

#[test]
fn what_the_server_answers_has_no_other_fields() {
    let world = World::new();
    world.ok("add Work --id a");
    world.ok("task claim");
    world.ok("message send a Hello");
    world.ok("task fail a --reason needs_input --message Why");
    world.ok("project create p P");
    world.ok("draft create D");
    world.ok("pause add pool:a -r Limit");
    for (line, fields) in shapes() {
        let known: Vec<_> = fields.split(", ").collect();
        let is_asked = line.ends_with(" list") || line.starts_with("task list");
        if !is_asked || line.starts_with("key ") {
            continue;
        }
        for item in world.ok(&format!("{line} -o ndjson")).lines() {
            let item: serde_json::Map<String, Value> = serde_json::from_str(item).unwrap();
            let unknown =
                item.keys().find(|name| *name != "schema_version" && !known.contains(&&***name));
            assert_eq!(unknown, None, "{line}");
        }
    }
}
