//! Bodies that the tests send again and again.

use octopoid_client::{Client, Result};
use octopoid_domain::{
    TaskView,
    steps::{Accept, Submit},
    task::{ClaimRequest, LeaseSeconds, NewTask},
};

pub(crate) fn new_task(id: &str) -> NewTask {
    NewTask {
        id: id.into(),
        file_path: format!("tasks/{id}.md").into(),
        branch: "main".into(),
        ..NewTask::default()
    }
}

/// A claim for four hours.
pub(crate) fn claim_by(agent: &str) -> ClaimRequest {
    ClaimRequest {
        orchestrator_id: "box-1".into(),
        agent_name: agent.into(),
        lease_duration_seconds: LeaseSeconds::new(14_400.0),
        ..ClaimRequest::default()
    }
}

pub(crate) fn report() -> Submit {
    Submit { commits_count: 1.into(), turns_used: 7.into(), ..Submit::default() }
}

pub(crate) fn approval() -> Accept {
    Accept { accepted_by: "human".into(), ..Accept::default() }
}

/// What happened to a task: event and agent.
pub(crate) async fn events(client: &Client, id: &str) -> Result<Vec<(String, Option<String>)>> {
    let history = client.task_history(id, &[("limit", "500")]).await?;
    assert_eq!(history.next_cursor, None, "the history of {id} is longer than a page");
    Ok(history.events.into_iter().map(|event| (event.event, event.agent)).collect())
}

/// Every task of the client's scope.
pub(crate) async fn all_tasks(client: &Client) -> Result<Vec<TaskView>> {
    let mut tasks = Vec::new();
    loop {
        let offset = tasks.len().to_string();
        let page = client.list_tasks(&[("limit", "500"), ("offset", &offset)]).await?;
        if page.items.is_empty() {
            assert_eq!(tasks.len(), page.total);
            return Ok(tasks);
        }
        tasks.extend(page.items);
    }
}
