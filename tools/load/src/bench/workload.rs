//! What agents do to the server over HTTP.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    http::Connection,
    measure::{Latencies, Measured, run},
};
use crate::clock::{now, pause};

/// Numbers the tasks of a whole run, so that no id comes twice.
static TASKS: AtomicU64 = AtomicU64::new(0);

/// The body that creates a task.
pub(crate) fn new_task(scope: &str) -> (String, String) {
    let number = TASKS.fetch_add(1, Ordering::Relaxed);
    let id = format!("task-{number:08x}");
    let body = format!(
        "{{\"id\":\"{id}\",\"file_path\":\"tasks/{id}.md\",\"branch\":\"main\",\"scope\":\"{scope}\",\
         \"title\":\"Task {number}\",\"queue\":\"incoming\",\
         \"content\":\"Do the work that task {number} describes.\"}}"
    );
    (id, body)
}

/// The body of a claim.
pub(super) fn claim(scope: &str, agent: usize) -> String {
    format!(
        "{{\"orchestrator_id\":\"bench-box\",\"agent_name\":\"agent-{agent}\",\
         \"scope\":\"{scope}\",\"lease_duration_seconds\":14400}}"
    )
}

/// Gets a path again and again.
pub(crate) async fn get(
    address: &str,
    path: &str,
    agents: usize,
    length: Duration,
) -> anyhow::Result<Measured> {
    let until = now() + length;
    run(agents, |_| {
        let (address, path) = (address.to_owned(), path.to_owned());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Latencies::default();
            while now() < until {
                let start = now();
                let answer = connection.get(&path).await?;
                ensure!(answer.status == 200, "{path} answered {}", answer.status);
                latencies.record(start);
            }
            Ok(latencies)
        }
    })
    .await
}

/// Takes tasks through their whole life: create, claim, submit, accept, each its own request.
pub(crate) async fn lifecycle(
    address: &str,
    scope: &str,
    agents: usize,
    length: Duration,
) -> anyhow::Result<Measured> {
    let until = now() + length;
    run(agents, |agent| {
        let (address, scope) = (address.to_owned(), scope.to_owned());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Latencies::default();
            while now() < until {
                one_life(&mut connection, &scope, agent, &mut latencies).await?;
            }
            Ok(latencies)
        }
    })
    .await
}

/// Lifecycles at a rate for all agents together, each request announced with the type of the event
/// that it makes and the id of the task, if that is known before the answer.
pub(super) async fn paced(
    address: &str,
    scope: &str,
    (agents, per_second): (usize, u32),
    length: Duration,
    announce: impl Fn(&'static str, &str) + Clone + Send + 'static,
) -> anyhow::Result<Measured> {
    let start = now();
    let count = u32::try_from(agents)?;
    run(agents, |agent| {
        let (address, scope, announce) = (address.to_owned(), scope.to_owned(), announce.clone());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Latencies::default();
            let period = Duration::from_secs(1) * count / per_second;
            let mut due = start + period * u32::try_from(agent)? / count;
            while due < start + length {
                pause(due.saturating_duration_since(now())).await;
                due += period;
                let (id, body) = new_task(&scope);
                announce("task.created", &id);
                timed(&mut connection, "/api/v1/tasks", &body, 201, &mut latencies).await?;
                let claim = claim(&scope, agent);
                let id = timed(&mut connection, "/api/v1/tasks/claim", &claim, 200, &mut latencies)
                    .await?;
                for (step, event, body) in [
                    ("submit", "task.submitted", "{\"commits_count\":3,\"turns_used\":42}"),
                    ("accept", "task.accepted", "{\"accepted_by\":\"bench\"}"),
                ] {
                    announce(event, &id);
                    let path = format!("/api/v1/tasks/{id}/{step}");
                    timed(&mut connection, &path, body, 200, &mut latencies).await?;
                }
            }
            Ok(latencies)
        }
    })
    .await
}

/// Takes a task through its life.
pub(crate) async fn one_life(
    connection: &mut Connection,
    scope: &str,
    agent: usize,
    latencies: &mut Latencies,
) -> anyhow::Result<()> {
    create(connection, scope, latencies).await?;
    finish_one(connection, scope, agent, latencies).await
}

/// Creates a task.
pub(crate) async fn create(
    connection: &mut Connection,
    scope: &str,
    latencies: &mut Latencies,
) -> anyhow::Result<()> {
    let (_, body) = new_task(scope);
    timed(connection, "/api/v1/tasks", &body, 201, latencies).await.map(drop)
}

/// Claims a task, and takes it to its end. An agent that has created a task before always gets one.
pub(crate) async fn finish_one(
    connection: &mut Connection,
    scope: &str,
    agent: usize,
    latencies: &mut Latencies,
) -> anyhow::Result<()> {
    let id = timed(connection, "/api/v1/tasks/claim", &claim(scope, agent), 200, latencies).await?;
    let submit = "{\"commits_count\":3,\"turns_used\":42}";
    timed(connection, &format!("/api/v1/tasks/{id}/submit"), submit, 200, latencies).await?;
    let accept = "{\"accepted_by\":\"bench\"}";
    timed(connection, &format!("/api/v1/tasks/{id}/accept"), accept, 200, latencies).await?;
    Ok(())
}

/// Posts and returns the id in the answer, which stands first in it.
async fn timed(
    connection: &mut Connection,
    path: &str,
    body: &str,
    status: u16,
    latencies: &mut Latencies,
) -> anyhow::Result<String> {
    let start = now();
    let answer = connection.post(path, body).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == status, "{path} answered {}: {text}", answer.status);
    latencies.record(start);
    let id = text.strip_prefix("{\"id\":\"").and_then(|rest| rest.split('"').next());
    Ok(id.unwrap_or_default().to_owned())
}

/// Claims, naming a pool, until nothing is left, or until the time is up.
pub(crate) async fn claims(
    address: &str,
    scope: &str,
    agents: usize,
    until: Option<Instant>,
) -> anyhow::Result<Measured> {
    run(agents, |agent| {
        let (address, body) = (address.to_owned(), claim(scope, agent));
        async move {
            let body = body.replacen('{', "{\"pools\":[\"bench\"],", 1);
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Latencies::default();
            while until.is_none_or(|until| now() < until) {
                let start = now();
                let answer = connection.post("/api/v1/tasks/claim", &body).await?;
                if answer.status == 404 {
                    break;
                }
                ensure!(answer.status == 200, "a claim answered {}", answer.status);
                latencies.record(start);
            }
            Ok(latencies)
        }
    })
    .await
}

/// Creates waiting tasks.
pub(crate) async fn fill(
    address: &str,
    scope: &str,
    tasks: usize,
    agents: usize,
) -> anyhow::Result<Measured> {
    run(agents, |agent| {
        let (address, scope) = (address.to_owned(), scope.to_owned());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Latencies::default();
            for _ in (agent..tasks).step_by(agents) {
                let (_, body) = new_task(&scope);
                timed(&mut connection, "/api/v1/tasks", &body, 201, &mut latencies).await?;
            }
            Ok(latencies)
        }
    })
    .await
}
