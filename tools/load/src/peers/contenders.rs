//! The queues that are compared. Another one is an entry here, and a client that speaks with it.

use std::path::Path;

use super::{
    backend::Backend,
    clients::{Client, Programs},
};

/// The name of this project's server in each group.
pub(super) const OURS: &str = "Octopoid";
/// The name of the binary that this build is compared with.
pub(super) const BEFORE: &str = "Octopoid, the build before";
pub(super) const BULLMQ: &str = "BullMQ";
pub(super) const PG_BOSS: &str = "pg-boss";
pub(super) const GRAPHILE_WORKER: &str = "Graphile Worker";

/// Queues that are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Group {
    /// Those that keep their data in files of their own.
    Embedded,
    /// Those that keep their data in PostgreSQL.
    Postgres,
}

/// A queue, and how it is used.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) backend: Backend,
    pub(super) client: Client,
}

impl Contender {
    /// Why it cannot be measured on this machine, if it cannot.
    pub(super) fn missing(&self, programs: &Programs) -> Option<String> {
        self.backend.missing().or_else(|| self.client.missing(programs))
    }
}

/// All of them. The first of each group is this build.
pub(super) fn all(ours: &Path, before: Option<&Path>) -> Vec<Contender> {
    let of = |name, group, backend, client| Contender { name, group, backend, client };
    let mut all = Vec::new();
    for (name, binary) in [(OURS, Some(ours)), (BEFORE, before)] {
        let Some(binary) = binary.map(Path::to_owned) else { continue };
        let client = Client::Own("octopoid");
        let on_file = Backend::OctopoidOnSqlite(binary.clone());
        all.push(of(name, Group::Embedded, on_file, client.clone()));
        all.push(of(name, Group::Postgres, Backend::OctopoidOnPostgres(binary), client));
    }
    let node = Client::Node;
    all.extend([
        of(BULLMQ, Group::Embedded, Backend::Redis, node("bullmq.mjs", &[])),
        of("beanstalkd", Group::Embedded, Backend::Beanstalkd, Client::Own("beanstalkd")),
        of(PG_BOSS, Group::Postgres, Backend::Postgres, node("pg-boss.mjs", &[])),
        of(GRAPHILE_WORKER, Group::Postgres, Backend::Postgres, node("graphile-worker.mjs", &[])),
        of(
            "Graphile Worker, in batches",
            Group::Postgres,
            Backend::Postgres,
            node("graphile-worker.mjs", &["batches"]),
        ),
        of("awa", Group::Postgres, Backend::Postgres, Client::Awa),
    ]);
    all
}

impl Group {
    /// The groups, in the order of the page.
    pub(super) const ALL: [Self; 2] = [Self::Embedded, Self::Postgres];

    /// The heading on the page.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Embedded => "Queues with files of their own",
            Self::Postgres => "Queues on PostgreSQL",
        }
    }

    /// The group in the names of files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
        }
    }

    /// How many agents work at the same time unless the caller says so.
    pub(super) fn agents(self) -> &'static [usize] {
        match self {
            Self::Embedded => &[1, 64],
            Self::Postgres => &[1, 32, 256],
        }
    }
}
