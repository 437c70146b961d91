//! What the operations on tasks report.

use std::sync::atomic::AtomicU64;

use octopoid_domain::{
    Millis, Task,
    failure::{Class, Reason},
    queue, run,
    usage::Usage,
};
use octopoid_store::meter::{ClaimOutcome, EndedRun, Meter, Moved};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::{
    labels::{Failure, Kind, OTHER, Outcome, Transition},
    seconds,
};

/// From a second to a week.
const WAITS: [f64; 11] =
    [1.0, 5.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0];

/// The metrics of tasks.
pub(super) struct TaskMetrics {
    claims: Family<Outcome, Counter>,
    transitions: Family<Transition, Counter>,
    failures: Family<Failure, Counter>,
    queue_wait: Histogram,
    run_time: Family<Kind, Histogram>,
    review_wait: Histogram,
    lapses: Counter,
    refusals: Counter,
    tokens: Family<Kind, Counter>,
    cost: Counter<f64, AtomicU64>,
}

impl TaskMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            claims: Family::default(),
            transitions: Family::default(),
            failures: Family::default(),
            queue_wait: waits(),
            run_time: Family::new_with_constructor(waits),
            review_wait: waits(),
            lapses: Counter::default(),
            refusals: Counter::default(),
            tokens: Family::default(),
            cost: Counter::default(),
        };
        for outcome in [ClaimOutcome::Granted, ClaimOutcome::Empty, ClaimOutcome::Throttled] {
            drop(metrics.claims.get_or_create(&label(outcome)));
        }
        registry.register("task_claims", "Claims by outcome", metrics.claims.clone());
        let help = "Changes of a task's queue; a created task comes from the queue \"\"";
        registry.register("task_transitions", help, metrics.transitions.clone());
        let help = "Runs for work that failed, by reason and by what the reason is about";
        registry.register("task_failures", help, metrics.failures.clone());
        let help = "Time from the creation of a task to its first claim";
        registry.register("task_queue_wait_seconds", help, metrics.queue_wait.clone());
        let help = "Time from a claim to the end of its run";
        registry.register("task_run_seconds", help, metrics.run_time.clone());
        let help = "Time from the submission of work to the verdict";
        registry.register("task_review_wait_seconds", help, metrics.review_wait.clone());
        let help = "Leases that the scheduled jobs took back because they had expired";
        registry.register("lease_lapsed", help, metrics.lapses.clone());
        let help = "Requests that were refused because their lease token was not current";
        registry.register("lease_stale_rejections", help, metrics.refusals.clone());
        let help = "Tokens that ended runs reported";
        registry.register("run_tokens", help, metrics.tokens.clone());
        let help = "Cost in US dollars that ended runs reported";
        registry.register("run_cost_usd", help, metrics.cost.clone());
        metrics
    }

    fn run_ended(&self, run: &EndedRun<'_>, at: Millis) {
        self.run_time
            .get_or_create(&kind(run.kind.as_str()))
            .observe(seconds(at.0 - run.started_at.0));
        if run.kind == run::Kind::Work {
            match run.outcome {
                run::Outcome::Failed => self.failed(run.reason.unwrap_or(OTHER)),
                run::Outcome::Lapsed => {
                    self.lapses.inc();
                    self.failures.get_or_create(&failure("lease_lapsed", "machine")).inc();
                }
                _ => {}
            }
        }
        if let Some(usage) = run.usage {
            self.used(&Usage::stored(usage));
        }
    }

    fn failed(&self, reason: &str) {
        let Ok(reason) = Reason::parse(reason) else { return };
        self.failures.get_or_create(&failure(reason.name, blame(reason))).inc();
    }

    fn used(&self, usage: &Usage) {
        let counts = [
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
        ];
        for (name, count) in counts {
            if let Some(count) = count.and_then(|count| u64::try_from(count).ok()) {
                self.tokens.get_or_create(&kind(name)).inc_by(count);
            }
        }
        if let Some(cost) = usage.cost_usd.as_deref().and_then(|cost| cost.parse().ok()) {
            self.cost.inc_by(cost);
        }
    }
}

impl Meter for TaskMetrics {
    fn created(&self, task: &Task) {
        self.transitions.get_or_create(&transition("", &task.queue)).inc();
    }

    fn claim_ended(&self, outcome: ClaimOutcome) {
        self.claims.get_or_create(&label(outcome)).inc();
    }

    fn claimed(&self, task: &Task, source: &str, kind: run::Kind) {
        if kind == run::Kind::Review {
            return;
        }
        self.transitions.get_or_create(&transition(source, &task.queue)).inc();
        if let (1, Some(at)) = (task.attempt, task.claim.at) {
            self.queue_wait.observe(seconds(at.0 - task.created_at.0));
        }
    }

    fn changed(&self, moved: &Moved<'_>) {
        let Moved { was, is, ended, at } = moved;
        if was.queue != is.queue {
            self.transitions.get_or_create(&transition(&was.queue, &is.queue)).inc();
            if let (queue::PROVISIONAL, Some(since)) = (&*was.queue, was.submitted_at) {
                self.review_wait.observe(seconds(at.0 - since.0));
            }
        }
        if let Some(ended) = ended {
            self.run_ended(ended, *at);
        }
    }

    fn lease_refused(&self) {
        self.refusals.inc();
    }
}

fn waits() -> Histogram {
    Histogram::new(WAITS)
}

fn label(outcome: ClaimOutcome) -> Outcome {
    let outcome = match outcome {
        ClaimOutcome::Granted => "granted",
        ClaimOutcome::Empty => "empty",
        ClaimOutcome::Throttled => "throttled",
    };
    Outcome { outcome }
}

fn kind(kind: &'static str) -> Kind {
    Kind { kind }
}

fn failure(reason: &str, blame: &'static str) -> Failure {
    Failure { reason: reason.to_owned(), blame }
}

fn transition(from: &str, to: &str) -> Transition {
    let known = |name: &str| {
        let is_known = name.is_empty() || queue::KNOWN.contains(&name);
        if is_known { name } else { OTHER }.to_owned()
    };
    Transition { from: known(from), to: known(to) }
}

/// What a reason is about: the task, the machine that runs the agent, its provider, or a person.
fn blame(reason: Reason) -> &'static str {
    match reason.class {
        Class::Environment if reason.is_of_provider => "provider",
        Class::Environment => "machine",
        Class::Attempt | Class::Final => "task",
        Class::Returned | Class::Ask => "operator",
    }
}
