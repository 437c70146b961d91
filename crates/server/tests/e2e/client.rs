//! Every method of the client against a real server.

use octopoid_client::{Client, Error, Offer};
use octopoid_domain::{
    action::{NewAction, Status as ActionStatus},
    draft::{NewDraft, Promotion},
    flow::NewFlow,
    heartbeat::{HeartbeatRequest, LeaseEntry, LeaseState},
    input::Count,
    key::{NewKey, Permission, Rotate, SignIn},
    lease::{LeaseToken, Token},
    log::{Append, LogText},
    message::NewMessage,
    orchestrator::{Registration, Status},
    pause::NewPause,
    project::NewProject,
    role::RolesRegistration,
    steps::{CompleteHook, ForceQueue, Reject, Requeue},
    why::Code,
};
use serde_json::json;

use crate::{
    load::{approval, claim_by, new_task, report},
    server::{Disk, Server},
};

const ADMIN: &str = "the-administrators-token";

/// A server that needs keys, and its administrator acting in scope `s`.
async fn guarded(disk: &Disk) -> (Server, Client) {
    let variables = [("API_SECRET_KEY", ADMIN)];
    let server = disk.serve_with(&["--auth", "required"], &variables).await;
    let client = server.client().with_key(ADMIN);
    (server, client)
}

#[tokio::test]
async fn a_task_goes_through_its_life() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let mut new = new_task("a/b ü");
    new.hooks = r#"[{"name":"lint"}]"#.into();
    let task = client.create_task(&new).await.unwrap();
    assert_eq!((&*task.scope, &*task.queue, task.version), ("s", "incoming", 1));
    assert_eq!(client.get_task(&task.id).await.unwrap(), task);

    let task = client.claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    assert_eq!((&*task.id, task.claimed_by.as_deref()), ("a/b ü", Some("agent-1")));
    assert_eq!(client.claim_task(&claim_by("agent-2")).await.unwrap(), None);
    let put_back = Requeue { reason: "oops".into(), ..Requeue::default() };
    assert_eq!(client.requeue_task(&task.id, &put_back).await.unwrap().queue, "incoming");
    client.claim_task(&claim_by("agent-2")).await.unwrap().unwrap();
    let passed = CompleteHook { status: "passed".into(), evidence: json!({"log": 1}) };
    let hooked = client.complete_hook(&task.id, "lint", &passed).await.unwrap();
    assert_eq!(
        hooked.hooks.as_deref(),
        Some(r#"[{"name":"lint","status":"passed","evidence":{"log":1}}]"#)
    );
    assert_eq!(client.submit_task(&task.id, &report()).await.unwrap().queue, "provisional");
    let verdict = Reject { reason: "no".into(), rejected_by: "human".into(), ..Reject::default() };
    assert_eq!(client.reject_task(&task.id, &verdict).await.unwrap().rejection_count, Some(1));
    client.claim_task(&claim_by("agent-3")).await.unwrap().unwrap();
    client.submit_task(&task.id, &report()).await.unwrap();
    assert_eq!(client.accept_task(&task.id, &approval()).await.unwrap().queue, "done");

    let order = ForceQueue { queue: "failed".into(), reason: "why not".into() };
    assert_eq!(client.force_queue_task(&task.id, &order).await.unwrap().queue, "failed");
    let patch = json!({"title": "t", "pr_number": null});
    assert_eq!(client.update_task(&task.id, &patch).await.unwrap().title.as_deref(), Some("t"));
    let list = client.list_tasks(&[("queue", "failed,done"), ("limit", "1")]).await.unwrap();
    assert_eq!((list.total, &*list.items[0].id), (1, "a/b ü"));
    let messages = client.list_task_messages(&task.id, &[]).await.unwrap();
    let kinds: Vec<_> = messages.items.iter().map(|message| &*message.kind).collect();
    assert_eq!(kinds, ["rejection", "force_queue"]);

    let history = client.task_history(&task.id, &[("limit", "2")]).await.unwrap();
    assert_eq!((history.events.len(), history.task_id.as_str()), (2, "a/b ü"));
    let cursor = history.next_cursor.unwrap();
    let rest = client.task_history(&task.id, &[("cursor", &cursor)]).await.unwrap();
    assert_eq!(rest.events.last().unwrap().event, "edited");
    client.delete_task(&task.id).await.unwrap();
    assert_eq!(client.get_task(&task.id).await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn a_run_keeps_its_lease_and_its_log() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let machine =
        Registration { cluster: "c".into(), machine_id: "m".into(), ..Registration::default() };
    client.register_orchestrator(&machine).await.unwrap();
    client.create_task(&new_task("a")).await.unwrap();
    let claimed = client.claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    let token = Token(LeaseToken::parse(&claimed.lease_token));
    let lease =
        LeaseEntry { task_id: "a".into(), lease_token: token.clone(), ..LeaseEntry::default() };
    let body = HeartbeatRequest { leases: Some(vec![lease]), ..HeartbeatRequest::default() };
    let heard = client.note_heartbeat("c-m", &body).await.unwrap().leases.unwrap();
    assert_eq!((heard[0].state, heard[0].task_id.as_deref()), (LeaseState::Renewed, Some("a")));

    let text = |offset: i64, text: &str| Append {
        lease_token: token.clone(),
        offset: offset.into(),
        text: LogText(Some(text.to_owned())),
    };
    for _ in 0..2 {
        let appended = client.append_log("a", &text(0, "first\n")).await.unwrap();
        assert_eq!(appended.next_offset, 6);
    }
    assert_eq!(client.read_log("a", 1, &[("offset", "2")]).await.unwrap().text, "rst\n");
    let (query, second) = ([("offset", "6")], text(6, "second\n"));
    let (part, appended) =
        tokio::join!(client.follow_log("a", 1, &query, 50), client.append_log("a", &second));
    assert_eq!(appended.unwrap().next_offset, 13);
    let part = part.unwrap();
    assert_eq!((part.offset, &*part.text, part.is_complete), (6, "second\n", false));

    let running = client.list_runs(&[("agent", "agent-1")]).await.unwrap().items;
    assert_eq!((running.len(), &*running[0].queue), (1, "claimed"));
    let runs = client.list_task_runs("a", &[]).await.unwrap().items;
    assert_eq!(runs, [running[0].run.clone()]);
    assert_eq!(client.get_run("a", 1).await.unwrap().run, runs[0]);
}

#[tokio::test]
async fn a_refusal_says_what_the_server_said() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    let Err(Error::Refused { status, code, error, details }) =
        client.submit_task("a", &report()).await
    else {
        panic!("a task nobody claimed was handed in");
    };
    assert_eq!((status, &*code, &*error), (409, "wrong_state", "Failed to submit task"));
    assert_eq!(details, ["Invalid transition: task is in incoming, expected claimed"]);
    let refusal = server.open_client().claim_task(&claim_by("agent-1")).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "Missing required field: scope. Cannot claim tasks across all scopes. \
         (400 invalid_request)"
    );
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_failed_transport() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    assert_eq!(client.health().await.unwrap().status, "healthy");
    server.kill().await;
    assert!(matches!(client.health().await, Err(Error::Transport(_))));
    assert!(matches!(client.get_task("a").await, Err(Error::Transport(_))));
}

#[tokio::test]
async fn what_waits_is_explained_and_counted() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client().with_scope("s");
    client.create_task(&new_task("a")).await.unwrap();
    let pause = NewPause { reason: "lunch".into(), by: "ann".into(), ..NewPause::default() };
    let pause = client.put_pause("queue:incoming", &pause).await.unwrap();
    assert_eq!(client.list_pauses(&[]).await.unwrap().items, [pause]);
    assert_eq!(client.claim_task(&claim_by("agent-1")).await.unwrap(), None);
    let offer = client.ask_for_task(&claim_by("agent-1"), 0).await.unwrap();
    assert_eq!(offer, Offer::Nothing(Some(300)));
    let why = client.explain_task("a").await.unwrap();
    assert_eq!((why.claimable, why.reasons[0].code), (false, Code::Paused));
    let listed = client.list_explained_tasks(&[("claimable", "false")]).await.unwrap();
    assert_eq!(listed.items[0].waiting.as_ref().map(|waiting| waiting.code), Some(Code::Paused));
    assert_eq!(client.get_summary().await.unwrap().waiting["paused"], 1);
    let listed = client.list_worked_tasks(&[("search", "a")]).await.unwrap();
    assert_eq!((&*listed.items[0].task.id, &listed.items[0].last_run), ("a", &None));
    client.delete_pause("queue:incoming").await.unwrap();
    let offer = client.ask_for_task(&claim_by("agent-1"), 0).await.unwrap();
    assert!(matches!(offer, Offer::Task(task) if task.id == "a"));
}

#[tokio::test]
async fn machines_roles_and_flows_are_registered_and_found() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let machine =
        Registration { cluster: "c".into(), machine_id: "m".into(), ..Registration::default() };
    let registered = client.register_orchestrator(&machine).await.unwrap();
    assert_eq!(registered.orchestrator_id, "c-m");
    assert!(registered.api_key.is_some_and(|key| key.starts_with("oct_")));
    assert!(client.register_orchestrator(&machine).await.unwrap().api_key.is_none());
    let body = HeartbeatRequest { slots: Some(Count(4)), ..HeartbeatRequest::default() };
    assert!(client.note_heartbeat("c-m", &body).await.unwrap().success);
    let orchestrator = client.update_orchestrator("c-m", Status::Maintenance).await.unwrap();
    assert_eq!(client.get_orchestrator("c-m").await.unwrap(), orchestrator);
    let list = client.list_orchestrators(&[("status", "maintenance")]).await.unwrap();
    assert_eq!((list.total, &list.items[..]), (1, &[orchestrator][..]));

    let roles = RolesRegistration {
        orchestrator_id: "c-m".into(),
        roles: json!([{"name": "review", "claims_from": "provisional"}]),
    };
    let registered = client.register_roles(&roles).await.unwrap();
    assert_eq!(registered[0].claims_from, "provisional");
    assert_eq!(client.list_roles(&[]).await.unwrap().items, registered);
    assert_eq!(client.get_role("review").await.unwrap(), registered[0]);

    let flow = NewFlow {
        states: json!(["incoming", "claimed", "provisional", "done", "failed"]),
        transitions: json!([{"from": "claimed", "to": "provisional"}]),
        ..NewFlow::default()
    };
    let flow = client.put_flow("default", &flow).await.unwrap();
    assert_eq!(client.get_flow("default").await.unwrap(), flow);
    assert_eq!(client.list_flows(&[]).await.unwrap().items, [flow]);
    let scopes = client.list_scopes(&[]).await.unwrap().seen.scopes;
    assert_eq!(scopes.iter().map(|scope| scope.machines).collect::<Vec<_>>(), [1]);
    let poll = client.poll(&[("orchestrator_id", "c-m")]).await.unwrap();
    assert!(poll.orchestrator_registered && poll.flows.contains_key("default"));
    client.delete_flow("default").await.unwrap();
    assert_eq!(client.list_flows(&[]).await.unwrap().items, []);
}

#[tokio::test]
async fn drafts_become_projects_and_tasks() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let new = NewDraft { title: "t".into(), author: "human".into(), ..NewDraft::default() };
    let draft = client.create_draft(&new).await.unwrap();
    assert_eq!(draft.scope.as_deref(), Some("s"));
    assert_eq!(client.get_draft(draft.id).await.unwrap(), draft);
    let patch = json!({"status": "review", "tags": ["a"]});
    assert_eq!(client.update_draft(draft.id, &patch).await.unwrap().status, "review");
    assert_eq!(client.list_drafts(&[("status", "review")]).await.unwrap().total, 1);

    let project = NewProject { id: "p".into(), branch: "b".into(), ..NewProject::default() };
    let promoted =
        client.promote_draft(draft.id, &Promotion::Project(Box::new(project))).await.unwrap();
    assert_eq!(promoted.draft.linked_project_id.as_deref(), Some("p"));
    assert_eq!(client.get_project("p").await.unwrap(), promoted.project.unwrap());
    client.delete_draft(draft.id).await.unwrap();
    assert_eq!(client.get_draft(draft.id).await.unwrap_err().status(), Some(404));

    let other = NewProject {
        id: "q".into(),
        title: "q".into(),
        branch: "b".into(),
        ..NewProject::default()
    };
    client.create_project(&other).await.unwrap();
    let patch = json!({"status": "active", "pr_number": 5});
    assert_eq!(client.update_project("q", &patch).await.unwrap().pr_number, Some(5));
    assert_eq!(client.list_projects(&[("status", "active")]).await.unwrap().total, 1);
    let mut task = new_task("a");
    task.project_id = "q".into();
    client.create_task(&task).await.unwrap();
    assert_eq!(client.list_project_tasks("q", &[]).await.unwrap().items[0].id, "a");
    let refusal = client.delete_project("q").await.unwrap_err();
    assert_eq!(refusal.to_string(), "Cannot delete project q: has 1 tasks (409 project_in_use)");
    client.delete_task("a").await.unwrap();
    client.delete_project("q").await.unwrap();
}

#[tokio::test]
async fn messages_are_answered_and_actions_carried_out() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let new = NewMessage {
        task_id: "a".into(),
        from_actor: "agent".into(),
        to_actor: "human".into(),
        kind: "comment".into(),
        content: "?".into(),
        ..NewMessage::default()
    };
    let message = client.create_message(&new).await.unwrap();
    let answer = NewMessage { parent_message_id: message.id.as_str().into(), ..new };
    client.create_message(&answer).await.unwrap();
    let thread = client.list_messages(&[("thread_id", &message.id)]).await.unwrap();
    assert_eq!((thread.total, &thread.items[0]), (2, &message));

    let new = NewAction {
        entity_type: "task".into(),
        entity_id: "a".into(),
        label: "l".into(),
        proposed_by: "agent".into(),
        ..NewAction::default()
    };
    let mut ids = Vec::new();
    for _ in 0..2 {
        let action = client.create_action(&new).await.unwrap();
        let action = client.execute_action(&action.id).await.unwrap();
        assert_eq!(action.status, ActionStatus::ExecuteRequested);
        ids.push(action.id);
    }
    assert_eq!(client.list_actions(&[("status", "execute_requested")]).await.unwrap().total, 2);
    let patch = json!({"status": "executing"});
    assert_eq!(
        client.update_action(&ids[0], &patch).await.unwrap().status,
        ActionStatus::Executing
    );
    let completed = client.complete_action(&ids[0], &json!({"ok": 1})).await.unwrap();
    assert_eq!(completed.status, ActionStatus::Completed);
    assert_eq!(completed.result.as_deref(), Some(r#"{"ok":1}"#));
    let failed = client.fail_action(&ids[1], &json!("no")).await.unwrap();
    assert_eq!(failed.status, ActionStatus::Failed);
    let [third, fourth] = [(); 2].map(|()| client.create_action(&new));
    let (third, fourth) = (third.await.unwrap().id, fourth.await.unwrap().id);
    let completed = client.complete_action_as(&third, "alice", &json!("8080")).await.unwrap();
    assert_eq!(completed.status, ActionStatus::Completed);
    let failed = client.fail_action_as(&fourth, "alice", &json!("no")).await.unwrap();
    assert_eq!(failed.status, ActionStatus::Failed);
}

#[tokio::test]
async fn keys_are_issued_used_rotated_and_revoked() {
    let disk = Disk::new().await;
    let (server, admin) = guarded(&disk).await;
    assert_eq!(server.client().get_task("a").await.unwrap_err().status(), Some(401));
    let new = NewKey { scope: "s".into(), label: "ci".into(), ..NewKey::default() };
    let issued = admin.issue_key(&new).await.unwrap();
    let holder = server.open_client().with_key(&*issued.api_key);
    // The key says for which scope.
    assert_eq!(holder.create_task(&new_task("a")).await.unwrap().scope, "s");
    let rotated = holder.rotate_key("s", &Rotate::default()).await.unwrap();
    assert_eq!(holder.get_task("a").await.unwrap_err().status(), Some(401));
    let holder = server.open_client().with_key(rotated.api_key);
    holder.get_task("a").await.unwrap();
    let keys = admin.list_keys(&[]).await.unwrap();
    assert_eq!(keys.total, 2);
    for key in &keys.items {
        admin.revoke_key(&key.id).await.unwrap();
    }
    assert_eq!(holder.get_task("a").await.unwrap_err().status(), Some(401));
    // A key that manages its scope issues keys that may do less.
    let manager = admin.issue_key(&new).await.unwrap();
    assert_eq!(manager.key.permission, Permission::Manage);
    let manager = server.open_client().with_key(manager.api_key);
    let new = NewKey { permission: "read".into(), ..NewKey::default() };
    let issued = manager.issue_key(&new).await.unwrap();
    assert_eq!((&*issued.key.scope, issued.key.permission), ("s", Permission::Read));
    let reader = server.open_client().with_key(issued.api_key);
    reader.get_task("a").await.unwrap();
    assert_eq!(reader.create_task(&new_task("b")).await.unwrap_err().status(), Some(403));
    let new = NewKey { permission: "login".into(), ..NewKey::default() };
    let code = manager.issue_key(&new).await.unwrap().api_key;
    let exchange = SignIn { code: code.as_str().into() };
    let signed_in = server.open_client().sign_in(&exchange).await.unwrap();
    assert_eq!((&*signed_in.scope, signed_in.permission), ("s", Permission::Manage));
    let board = server.open_client().with_key(signed_in.api_key);
    assert_eq!(board.list_scopes(&[]).await.unwrap().permission, "manage");
    let again = server.open_client().sign_in(&exchange).await.unwrap_err();
    assert_eq!(again.status(), Some(403));
    assert_eq!(admin.get_log_filter().await.unwrap().filter, "info");
    let changed = admin.put_log_filter("warn").await.unwrap();
    assert_eq!((&*changed.filter, changed.previous.as_deref()), ("warn", Some("info")));
    let done = admin.run_jobs().await.unwrap();
    let counts = (done.tasks_released, done.orchestrators_offline, done.tasks_deleted);
    assert_eq!(counts, (0, 0, 0));
}
