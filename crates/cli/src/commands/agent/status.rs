//! `octopoid agent status`: the runs that go on on this machine.

use octopoid_client::Listed;
use octopoid_domain::Millis;
use octopoid_runner::records::{Record, Records};
use serde::Serialize;

use crate::{
    failure::Outcome,
    output::{Cell, Noun, Times},
    session::{Run, Session},
    settings::state_folder,
};

/// List the runs that go on on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {}

/// A run on this machine.
#[derive(Debug, Serialize)]
struct LocalRun {
    task_id: String,
    title: String,
    run: i64,
    agent: String,
    slot: usize,
    server: String,
    scope: String,
    worktree: Option<String>,
    branch: Option<String>,
    session: Option<String>,
    started_at: Millis,
    folder: String,
}

impl Noun for LocalRun {
    const MANY: &'static str = "runs";
    const COLUMNS: &'static [&'static str] = &["TASK", "TITLE", "AGENT", "SINCE", "WORK TREE"];

    fn example() -> Self {
        let text = String::new;
        Self {
            task_id: text(),
            title: text(),
            run: 0,
            agent: text(),
            slot: 0,
            server: text(),
            scope: text(),
            worktree: None,
            branch: None,
            session: None,
            started_at: Millis(0),
            folder: text(),
        }
    }

    fn id(&self) -> String {
        self.task_id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            Cell::new(&self.task_id),
            Cell::new(&self.title),
            Cell::new(&self.agent),
            times.cell(self.started_at),
            Cell::maybe(self.worktree.as_ref()),
        ]
    }
}

impl Run for Status {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<LocalRun>()?;
        let mut items: Vec<LocalRun> = Records::new(&state_folder()?)
            .running()
            .into_iter()
            .map(|(folder, record)| {
                let Record { task_id, title, run, agent, slot, server, scope, .. } = record;
                LocalRun {
                    task_id,
                    title,
                    run,
                    agent,
                    slot,
                    server,
                    scope,
                    worktree: record.tree.map(|tree| tree.display().to_string()),
                    branch: record.branch,
                    session: record.session,
                    started_at: record.started_at,
                    folder: folder.display().to_string(),
                }
            })
            .collect();
        items.sort_by_key(|run| run.started_at);
        let listed = Listed { total: items.len(), items, next_cursor: None };
        printer.many(&listed, "no agent runs here: octopoid agent run -- COMMAND starts one")
    }
}
