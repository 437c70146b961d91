//! Claiming.

use std::{fmt::Write as _, time::Duration};

use octopoid_client::Offer;
use octopoid_domain::{
    ClaimedTask,
    input::{Flag, Id, Text, Texts},
    queue,
    task::{ClaimRequest, LeaseSeconds},
};
use octopoid_server::duration;

use crate::{
    clock::{now, pause_if_early},
    failure::{Exit, Failure, Outcome},
    leases::Lease,
    output::{Times, many_lines, one_line, say},
    repository::host,
    session::{Run, Session},
};

/// The longest wait that a server takes in one request, in seconds.
const WAIT_MAX: u64 = 50;

/// Claim a task.
#[derive(Debug, clap::Args)]
pub(crate) struct Claim {
    /// Only tasks with this role; may be repeated.
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Only tasks of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
    /// Queue to claim from, such as `provisional` for a review [default: that of the first role, or
    /// incoming].
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// How long the lease lasts.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    lease: Duration,
    /// Wait so long for a task if there is none.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Leave the task in its queue, as for a review.
    #[arg(long)]
    in_place: bool,
    /// Ask for a key that opens this task only, for the agent.
    #[arg(long)]
    run_key: bool,
    /// A pool that the agent would use, such as the account of a provider; may be repeated. While one
    /// is paused, there is nothing to claim.
    #[arg(long, value_name = "POOL")]
    pool: Vec<String>,
    /// Name of the agent [default: the user].
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Machine of the agent [default: the name of this machine].
    #[arg(long, value_name = "ID")]
    orchestrator: Option<String>,
}

impl Run for Claim {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<ClaimedTask>()?;
        let task = self.claim(session).await?;
        let kept = session.leases.keep(&Lease {
            server: session.settings.server.value.clone(),
            scope: task.task.scope.clone(),
            task_id: task.task.id.clone(),
            token: task.lease_token.clone(),
            is_review: task.task.queue != queue::CLAIMED,
            expires_at: task.lease_expires_at,
        });
        if session.output.is_for_people() {
            say(&description(&task, &session.output.times))?;
        } else {
            printer.one(&task)?;
        }
        kept
    }
}

impl Claim {
    async fn claim(&self, session: &Session) -> Outcome<Box<ClaimedTask>> {
        let request = self.request(session);
        let wait = self.wait.unwrap_or_default();
        let end = now().plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        loop {
            let left = u64::try_from(end.0.saturating_sub(now().0)).unwrap_or(0).div_ceil(1000);
            let asked = now();
            let retry_after =
                match session.client.ask_for_task(&request, left.min(WAIT_MAX)).await? {
                    Offer::Task(task) => return Ok(task),
                    Offer::Nothing(retry_after) => retry_after,
                };
            if end <= now() {
                return Err(nothing(retry_after));
            }
            pause_if_early(asked, Duration::from_secs(left.min(2))).await;
        }
    }

    fn request(&self, session: &Session) -> ClaimRequest {
        ClaimRequest {
            orchestrator_id: Id(Some(self.orchestrator.clone().unwrap_or_else(host))),
            agent_name: Text(Some(session.by(self.agent.as_ref()))),
            role_filter: Texts(self.role.clone()),
            type_filter: Texts(self.kind.clone()),
            queue: Text(self.queue.clone()),
            lease_duration_seconds: LeaseSeconds::new(self.lease.as_secs_f64()),
            in_place: Flag(self.in_place),
            run_key: Flag(self.run_key),
            pools: Texts(self.pool.clone()),
            ..ClaimRequest::default()
        }
    }
}

fn nothing(retry_after: Option<u64>) -> Failure {
    let failure = Failure::new(Exit::Nothing, "there is nothing to claim");
    match retry_after {
        Some(seconds) => failure.remedy(format!(
            "work is paused; ask again in {seconds} s, or see octopoid pause list"
        )),
        None => {
            failure.remedy("octopoid status says what waits and why; --wait 10m waits for a task")
        }
    }
}

/// What the one who claimed a task has to know of it. Each part is made harmless by itself, because
/// a control sequence without an end would swallow what follows.
fn description(task: &ClaimedTask, times: &Times) -> String {
    let mut text = String::new();
    let title = one_line(task.title.as_deref().unwrap_or_default());
    let ends = task.lease_expires_at.map(|end| times.text(end)).unwrap_or_default();
    let _ = writeln!(text, "claimed {}  {title}", task.id);
    let (branch, run) = (one_line(&task.branch), task.run);
    let _ = writeln!(text, "branch {branch} · run {run} · lease ends {ends}");
    if let Some(previous) = &task.previous {
        let said = previous.message.as_ref().or(previous.reason.as_ref());
        let said = said.map(|said| format!(": {}", one_line(said)));
        let (run, outcome) = (previous.run, previous.outcome.as_str());
        let _ = writeln!(text, "run {run} {outcome}{}", said.unwrap_or_default());
    }
    for feedback in &task.feedback {
        let (kind, by) = (one_line(&feedback.kind), one_line(&feedback.by));
        let _ = writeln!(text, "\n{kind} by {by}:\n{}", many_lines(&feedback.text));
    }
    if let Some(content) = &task.content {
        let _ = writeln!(text, "\n{}", many_lines(content.trim_end()));
    }
    let id = &task.id;
    let _ = write!(text, "\nwhen it is done: octopoid task submit {id}");
    text
}
