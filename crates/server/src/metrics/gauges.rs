//! What is read from the database, and from the API, at each scrape.

use std::sync::atomic::AtomicU64;

use octopoid_api::App;
use octopoid_domain::{Millis, orchestrator, queue};
use octopoid_store::Totals;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    labels::{Kind, NoLabels, OTHER, Optional, Queue, Status},
    seconds,
};

/// The most queues of flows with a label of their own. Flows can have any number of queues.
const CUSTOM_QUEUES_MAX: usize = 50;

type Seconds = Gauge<f64, AtomicU64>;

/// The gauges.
pub(super) struct Gauges {
    is_up: Gauge,
    tasks: Family<Queue, Gauge>,
    claimable: Family<Queue, Gauge>,
    oldest: Family<Queue, Seconds>,
    leases: Family<Status, Gauge>,
    machines: Family<Status, Gauge>,
    heartbeat: Optional,
    needs_person: Family<Kind, Gauge>,
    longpolls: Gauge,
    streams: Gauge,
    in_flight: Gauge,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self {
            is_up: Gauge::default(),
            tasks: Family::default(),
            claimable: Family::default(),
            oldest: Family::default(),
            leases: Family::default(),
            machines: Family::default(),
            heartbeat: Optional::default(),
            needs_person: Family::default(),
            longpolls: Gauge::default(),
            streams: Gauge::default(),
            in_flight: Gauge::default(),
        };
        let mut add = |name: &str, help: &str, gauge: &Family<_, Gauge>| {
            registry.register(name, help, gauge.clone());
        };
        add("tasks", "Tasks by queue", &gauges.tasks);
        add("tasks_claimable", "Tasks that a claim could get, pauses aside", &gauges.claimable);
        let help = "Orchestrators by status";
        registry.register("orchestrators", help, gauges.machines.clone());
        let help = "Leases that are held: live, or expired and not taken back yet";
        registry.register("leases", help, gauges.leases.clone());
        let help = "What waits for a person: questions, actions, and flagged tasks";
        registry.register("needs_person", help, gauges.needs_person.clone());
        let help = "How long the oldest claimable task of a queue has been in it";
        registry.register("task_oldest_age_seconds", help, gauges.oldest.clone());
        let help = "Time since the oldest last heartbeat of the active orchestrators";
        registry.register("heartbeat_age_seconds", help, gauges.heartbeat.clone());
        let help = "1 if the gauges could be read from the database, otherwise 0";
        registry.register("database_up", help, gauges.is_up.clone());
        let help = "Claims that wait for a task";
        registry.register("longpoll_waiters", help, gauges.longpolls.clone());
        registry.register("sse_clients", "Open event streams", gauges.streams.clone());
        let help = "Bytes of request bodies and responses that are held";
        registry.register("http_in_flight_bytes", help, gauges.in_flight.clone());
        gauges
    }

    /// Reads all of them.
    pub(super) async fn read(&self, app: &App) {
        self.longpolls.set(signed(app.store.hints().watches()));
        self.streams.set(signed(app.streams()));
        self.in_flight.set(signed(app.in_flight_bytes()));
        self.clear();
        let now = app.now();
        match app.store.totals(now).await {
            Ok(totals) => self.set(&totals, now),
            Err(error) => {
                tracing::warn!(%error, "could not read the metrics of the database");
            }
        }
    }

    /// A queue without tasks has no value, rather than its last one.
    fn clear(&self) {
        self.is_up.set(0);
        self.tasks.clear();
        self.claimable.clear();
        self.oldest.clear();
        self.leases.clear();
        self.machines.clear();
        self.needs_person.clear();
        self.heartbeat.clear();
    }

    fn set(&self, totals: &Totals, now: Millis) {
        let age = |since: Millis| seconds(now.0 - since.0);
        self.is_up.set(1);
        let mut custom = 0;
        for of in &totals.queues {
            let is_custom = !queue::KNOWN.contains(&&*of.queue);
            custom += usize::from(is_custom);
            let is_named = !is_custom || custom <= CUSTOM_QUEUES_MAX;
            let label = Queue { queue: if is_named { &of.queue } else { OTHER }.to_owned() };
            self.tasks.get_or_create(&label).inc_by(of.tasks);
            self.claimable.get_or_create(&label).inc_by(of.claimable);
            if let Some(since) = of.oldest {
                let oldest = self.oldest.get_or_create_owned(&label);
                oldest.set(oldest.get().max(age(since)));
            }
        }
        let status = |status| Status { status };
        self.leases.get_or_create(&status("live")).set(totals.leases_live);
        self.leases.get_or_create(&status("lapsed")).set(totals.leases_lapsed);
        for known in orchestrator::Status::ALL {
            let found = totals.machines.iter().find(|(status, _)| *status == known);
            let count = found.map_or(0, |(_, count)| *count);
            self.machines.get_or_create(&status(known.as_str())).set(count);
        }
        if let Some(since) = totals.oldest_heartbeat {
            self.heartbeat.get_or_create(&NoLabels::new()).set(age(since));
        }
        let counts = [
            ("question", totals.questions),
            ("action", totals.actions),
            ("intervention", totals.interventions),
        ];
        for (kind, count) in counts {
            self.needs_person.get_or_create(&Kind { kind }).set(count);
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
