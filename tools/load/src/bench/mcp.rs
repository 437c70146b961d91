//! What a call by MCP costs the server, beside the same call over REST.

use std::time::Duration;

use anyhow::{Context, ensure};
use octopoid_client::Client;
use octopoid_domain::queue;
use octopoid_testbed::Server;
use serde_json::{Value, json};

use super::{
    Bench, JUDGED, ROUNDS,
    http::Connection,
    measure::{Latencies, Measured, median, run},
    report::Report,
    server::cpu_seconds,
    workload::new_task,
};
use crate::clock::now;

/// How many agents call at once.
const AGENTS: [usize; 2] = [1, JUDGED];
/// The most processor time that a call by MCP may take, of the same call over REST.
const CPU_MAX: f64 = 1.5;
/// The scope of the lifecycles, and that of the tasks that are held.
const LIVES: &str = "lives";
const HELD: &str = "held";
/// The scope whose tasks are listed, how many it has, and how many a page of `board` has.
const LISTED: &str = "listed";
const TASKS: usize = 1_000;
const ROWS: usize = 30;
/// The lease that the tools ask for.
const LEASE_SECONDS: u32 = 1_800;
/// The calls of a lifecycle.
const CALLS_EACH: usize = 4;
/// What clients send with a message.
const HEADERS: &str =
    "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n";
/// What the result of a tool has that did what it was asked for. An error has the same status.
const DONE: &str = "\"isError\":false";

/// Measures all there is to say about MCP.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let database = bench.database("mcp.db");
    bench.fill(&database, LISTED, queue::INCOMING, TASKS)?;
    let site = Site { bench, server: bench.server(&database)? };
    site.lifecycles(report)?;
    site.renewals(report)?;
    site.pages(report)
}

/// How calls reach the server.
#[derive(Clone, Copy)]
enum Way {
    Rest,
    Mcp,
}

/// A call, as it is sent.
#[derive(Clone)]
struct Call {
    path: String,
    headers: &'static str,
    /// The body of a POST; none for a GET.
    body: Option<String>,
    status: u16,
    /// A part of the answer.
    says: &'static str,
}

/// A task that an agent holds.
struct Lease {
    id: String,
    token: String,
}

/// An agent, and how long its calls took.
struct Caller {
    connection: Connection,
    latencies: Latencies,
}

/// What one way did in one round.
struct Figures {
    calls: usize,
    rate: f64,
    cpu_us: f64,
}

/// What both ways did in one round: REST, MCP.
type Round = (Figures, Figures);

struct Site<'a> {
    bench: &'a Bench,
    server: Server,
}

impl Site<'_> {
    /// Tasks through their whole life, with about the same contents both ways.
    fn lifecycles(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut calls = 0;
        for agents in AGENTS {
            let name = "Create, claim, submit, accept (by MCP, accept is three operations)";
            let rounds = self.rounds(name, agents, report, |way| {
                lifecycle(&self.server.address, way, agents, self.bench.length)
            })?;
            calls += rounds.iter().map(|(rest, mcp)| rest.calls + mcp.calls).sum::<usize>();
        }
        // Calls that did nothing would seem to cost little.
        let client = Client::new(&format!("http://{}", self.server.address))?;
        let query = [("scope", LIVES), ("queue", queue::DONE), ("limit", "1")];
        let done = self.bench.load.block_on(client.list_tasks(&query))?.total;
        ensure!(done * CALLS_EACH == calls, "{calls} calls brought {done} tasks to their end");
        Ok(())
    }

    /// Renewals of leases: one operation both ways, so its ratio is judged.
    fn renewals(&self, report: &mut Report) -> anyhow::Result<()> {
        let leases = self.bench.load.block_on(leases(&self.server.address, JUDGED))?;
        for agents in AGENTS {
            let name = "Renew a lease (one operation both ways)";
            let rounds = self.rounds(name, agents, report, |way| {
                let calls = leases.iter().take(agents).map(|lease| renew(way, lease)).collect();
                again(&self.server.address, calls, self.bench.length)
            })?;
            if agents == JUDGED {
                let name =
                    format!("CPU of task_update by MCP, of renewing over REST, {agents} agents");
                report.ratio(&name, cpu_ratio(&rounds), CPU_MAX, false);
            }
        }
        Ok(())
    }

    /// Pages of waiting tasks, with the reasons why they wait.
    fn pages(&self, report: &mut Report) -> anyhow::Result<()> {
        for way in [Way::Rest, Way::Mcp] {
            let rows = self.bench.load.block_on(async {
                let mut caller = Caller::open(&self.server.address).await?;
                let page = caller.call(&page(way)).await?;
                let start = match way {
                    Way::Rest => "{\"id\":\"task-",
                    Way::Mcp => "* task-",
                };
                anyhow::Ok(page.matches(start).count())
            })?;
            ensure!(rows == ROWS, "a page has {rows} tasks instead of {ROWS}");
        }
        for agents in AGENTS {
            let name = format!("A page of {ROWS} tasks (one operation both ways)");
            self.rounds(&name, agents, report, |way| {
                again(&self.server.address, vec![page(way); agents], self.bench.length)
            })?;
        }
        Ok(())
    }

    /// Both ways in turn.
    fn rounds<Work>(
        &self,
        name: &str,
        agents: usize,
        report: &mut Report,
        work: impl Fn(Way) -> Work,
    ) -> anyhow::Result<Vec<Round>>
    where
        Work: Future<Output = anyhow::Result<Measured>>,
    {
        let once = |way| -> anyhow::Result<Figures> {
            let started = cpu_seconds(&self.server)?;
            let measured = self.bench.load.block_on(work(way))?;
            let cpu_us = measured.each_us(cpu_seconds(&self.server)? - started);
            Ok(Figures { calls: measured.latencies.count(), rate: measured.rate(), cpu_us })
        };
        let mut rounds = Vec::with_capacity(ROUNDS);
        for round in 1..=ROUNDS {
            report.progress(&format!("{name}, {agents} agents, round {round} of {ROUNDS}"));
            // Each goes first as often as the other, but for one round.
            if round % 2 == 0 {
                let mcp = once(Way::Mcp)?;
                rounds.push((once(Way::Rest)?, mcp));
            } else {
                let rest = once(Way::Rest)?;
                rounds.push((rest, once(Way::Mcp)?));
            }
        }
        let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        let rates = (middle(|(rest, _)| rest.rate), middle(|(_, mcp)| mcp.rate));
        let cpu_us = (middle(|(rest, _)| rest.cpu_us), middle(|(_, mcp)| mcp.cpu_us));
        report.by_mcp(name, agents, rates, cpu_us, cpu_ratio(&rounds));
        Ok(rounds)
    }
}

/// The processor time of a call by MCP, of the same over REST.
fn cpu_ratio(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|(rest, mcp)| mcp.cpu_us / rest.cpu_us).collect())
}

impl Call {
    fn get(path: String, says: &'static str) -> Self {
        Self { path, headers: "", body: None, status: 200, says }
    }

    fn post(path: String, body: String, status: u16, says: &'static str) -> Self {
        Self { path, headers: "", body: Some(body), status, says }
    }

    /// A call of a tool.
    fn tool(scope: &str, name: &str, arguments: &Value) -> Self {
        let params = json!({"name": name, "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let path = format!("/mcp?scope={scope}");
        Self { headers: HEADERS, ..Self::post(path, body.to_string(), 200, DONE) }
    }
}

impl Caller {
    async fn open(address: &str) -> anyhow::Result<Self> {
        let connection = Connection::open(address).await?;
        Ok(Self { connection, latencies: Latencies::default() })
    }

    async fn call(&mut self, call: &Call) -> anyhow::Result<String> {
        let Call { path, headers, body, status, says } = call;
        let start = now();
        let answer = match body {
            Some(body) => self.connection.post_with(path, headers, body).await?,
            None => self.connection.get_with(path, headers).await?,
        };
        self.latencies.record(start);
        let text = String::from_utf8_lossy(answer.body);
        let is_good = answer.status == *status && text.contains(says);
        ensure!(is_good, "{path} answered {}: {text}", answer.status);
        Ok(text.into_owned())
    }
}

impl Lease {
    /// Reads the answer to a claim.
    fn read(way: Way, claimed: &str) -> anyhow::Result<Self> {
        let (before_id, after_id, before_token, after_token) = match way {
            Way::Rest => ("{\"id\":\"", '"', "\"lease_token\":\"", '"'),
            // A text in JSON: the id is the first word, and the token ends its line.
            Way::Mcp => ("\"text\":\"", ' ', "lease_token: ", '\\'),
        };
        let part = |before, after| {
            let (_, rest) = claimed.split_once(before)?;
            Some(rest.split_once(after)?.0.to_owned())
        };
        let id = part(before_id, after_id).context("a claim without an id")?;
        let token = part(before_token, after_token).context("a claim without a token")?;
        Ok(Self { id, token })
    }
}

/// Takes tasks through their whole life.
async fn lifecycle(
    address: &str,
    way: Way,
    agents: usize,
    length: Duration,
) -> anyhow::Result<Measured> {
    let until = now() + length;
    run(agents, |agent| {
        let address = address.to_owned();
        async move {
            let mut caller = Caller::open(&address).await?;
            while now() < until {
                caller.call(&create(way, LIVES)).await?;
                // Every agent has created a task before it claims, so there is always one left.
                let claimed = caller.call(&claim(way, LIVES, agent)).await?;
                let lease = Lease::read(way, &claimed)?;
                caller.call(&submit(way, &lease)).await?;
                caller.call(&accept(way, &lease)).await?;
            }
            Ok(caller.latencies)
        }
    })
    .await
}

/// Agents, each of which makes its call again and again.
async fn again(address: &str, calls: Vec<Call>, length: Duration) -> anyhow::Result<Measured> {
    let until = now() + length;
    run(calls.len(), |agent| {
        let (address, call) = (address.to_owned(), calls[agent].clone());
        async move {
            let mut caller = Caller::open(&address).await?;
            while now() < until {
                caller.call(&call).await?;
            }
            Ok(caller.latencies)
        }
    })
    .await
}

/// A held task for each agent.
async fn leases(address: &str, agents: usize) -> anyhow::Result<Vec<Lease>> {
    let mut caller = Caller::open(address).await?;
    let mut leases = Vec::with_capacity(agents);
    for agent in 0..agents {
        caller.call(&create(Way::Rest, HELD)).await?;
        let claimed = caller.call(&claim(Way::Rest, HELD, agent)).await?;
        leases.push(Lease::read(Way::Rest, &claimed)?);
    }
    Ok(leases)
}

fn create(way: Way, scope: &str) -> Call {
    match way {
        Way::Rest => Call::post("/api/v1/tasks".to_owned(), new_task(scope).1, 201, "\"id\""),
        Way::Mcp => {
            let content = "Do the work that this task describes.";
            let task = json!({"title": "Task by MCP", "content": content});
            Call::tool(scope, "task_create", &json!({"tasks": [task]}))
        }
    }
}

fn claim(way: Way, scope: &str, agent: usize) -> Call {
    let agent = format!("agent-{agent}");
    match way {
        Way::Rest => {
            let body = json!({
                "orchestrator_id": "bench-box",
                "agent_name": agent,
                "scope": scope,
                "lease_duration_seconds": LEASE_SECONDS,
            });
            Call::post("/api/v1/tasks/claim".to_owned(), body.to_string(), 200, "\"lease_token\"")
        }
        Way::Mcp => Call::tool(scope, "task_next", &json!({"agent": agent})),
    }
}

fn submit(way: Way, Lease { id, token }: &Lease) -> Call {
    let summary = "Did the work.";
    match way {
        Way::Rest => {
            let body = json!({
                "lease_token": token,
                "commits_count": 3,
                "turns_used": 0,
                "result": {"summary": summary},
            });
            let path = format!("/api/v1/tasks/{id}/submit");
            Call::post(path, body.to_string(), 200, "\"provisional\"")
        }
        Way::Mcp => {
            let arguments = json!({
                "task_id": id,
                "outcome": "submit",
                "lease_token": token,
                "commits": 3,
                "summary": summary,
            });
            Call::tool(LIVES, "task_finish", &arguments)
        }
    }
}

/// A person's verdict: without a lease.
fn accept(way: Way, Lease { id, .. }: &Lease) -> Call {
    let by = "bench";
    match way {
        Way::Rest => {
            let path = format!("/api/v1/tasks/{id}/accept");
            Call::post(path, json!({"accepted_by": by}).to_string(), 200, "\"done\"")
        }
        Way::Mcp => {
            let arguments = json!({"task_id": id, "outcome": "accept", "agent": by});
            Call::tool(LIVES, "task_finish", &arguments)
        }
    }
}

fn renew(way: Way, Lease { id, token }: &Lease) -> Call {
    match way {
        Way::Rest => {
            let body = json!({"lease_token": token, "lease_duration_seconds": LEASE_SECONDS});
            let path = format!("/api/v1/tasks/{id}/renew");
            Call::post(path, body.to_string(), 200, "\"lease_expires_at\"")
        }
        Way::Mcp => {
            let arguments = json!({"task_id": id, "lease_token": token});
            Call::tool(HELD, "task_update", &arguments)
        }
    }
}

fn page(way: Way) -> Call {
    match way {
        Way::Rest => Call::get(
            format!("/api/v1/tasks?scope={LISTED}&include=waiting&limit={ROWS}&cursor="),
            "\"next_cursor\"",
        ),
        Way::Mcp => Call::tool(LISTED, "board", &json!({"view": "tasks"})),
    }
}
