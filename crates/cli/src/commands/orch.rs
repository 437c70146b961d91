//! `octopoid orch`: the machines that run agents.

use octopoid_client::Query;
use octopoid_domain::orchestrator::{OrchestratorView, Status};

use crate::{
    commands::verbs,
    failure::Outcome,
    output::{Cell, Noun, Times, Tone},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// List machines.
    List => List,
    /// Hand a machine no more work, and ask its agents to finish.
    Drain => Drain,
    /// Hand a machine work again.
    Resume => Resume,
}

impl Noun for OrchestratorView {
    const MANY: &'static str = "orchestrators";
    const COLUMNS: &'static [&'static str] = &["ID", "STATUS", "BUSY", "SEEN", "ROLES", "VERSION"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.orchestrator.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let machine = &self.orchestrator;
        let (status, tone) = match (machine.status, self.is_stale) {
            (Status::Active, true) => ("silent", Tone::Failed),
            (Status::Active, false) => ("active", Tone::Running),
            (status, _) => (status.as_str(), Tone::Quiet),
        };
        let roles = machine.roles.as_array().into_iter().flatten();
        let roles: Vec<_> = roles.filter_map(|role| role.as_str()).collect();
        vec![
            Cell::new(&machine.id),
            Cell::new(status).tone(tone),
            Cell::new(busy(self)),
            times.cell(machine.last_heartbeat),
            Cell::new(roles.join(", ")),
            Cell::maybe(machine.version.as_ref()),
        ]
    }
}

/// How many of a machine's slots are busy, as far as it has said so.
pub(super) fn busy(machine: &OrchestratorView) -> String {
    match (machine.orchestrator.busy, machine.orchestrator.slots) {
        (Some(busy), Some(slots)) => format!("{busy}/{slots}"),
        (Some(busy), None) => busy.to_string(),
        (None, Some(slots)) => format!("?/{slots}"),
        (None, None) => String::new(),
    }
}

/// List machines.
#[derive(Debug, clap::Args)]
struct List {
    /// Only machines of this cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only machines with this status: active, offline, maintenance or draining.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Drain a machine.
#[derive(Debug, clap::Args)]
struct Drain {
    /// Id of the machine.
    id: String,
}

/// Resume a machine.
#[derive(Debug, clap::Args)]
struct Resume {
    /// Id of the machine.
    id: String,
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<OrchestratorView>()?;
        let filters = Filters::default()
            .with("cluster", self.cluster.as_ref())
            .with("status", self.status.as_ref());
        let ask = async |query: Query<'_>| session.client.list_orchestrators(query).await;
        printer.many(&self.page.read(&filters, None, ask).await?, "no machine has registered")
    }
}

impl Run for Drain {
    async fn run(&self, session: &Session) -> Outcome {
        change(session, &self.id, Status::Draining, "is drained: it gets no more work").await
    }
}

impl Run for Resume {
    async fn run(&self, session: &Session) -> Outcome {
        change(session, &self.id, Status::Active, "gets work again").await
    }
}

async fn change(session: &Session, id: &str, status: Status, what: &str) -> Outcome {
    let printer = session.output.of::<OrchestratorView>()?;
    let machine = session.client.update_orchestrator(id, status).await?;
    printer.changed(&machine, &format!("{id} {what}"))
}
