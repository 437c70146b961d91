//! `octopoid status`: who does what, what waits and why, and what needs a person.
//!
//! It asks for the summary, and then for all lists at once: no request for a row.

use std::fmt::Write as _;

use octopoid_client::{Client, ExplainedTask, Listed};
use octopoid_domain::{
    TaskView,
    action::Action,
    orchestrator::OrchestratorView,
    queue,
    run::{Kind, RunningView},
    summary::Summary,
};
use serde::Serialize;

use crate::{
    commands::orch::busy,
    failure::Outcome,
    output::{Cell, Noun, Output, Times, Tone, one_line, print},
    session::{Run, Session},
};

/// So many rows of each kind are asked for.
const ROWS: &str = "100";

/// So many rows of each kind are shown to people.
const ROWS_SHOWN: usize = 12;

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// A scope at a glance.
#[derive(Debug, Default, Serialize)]
struct Overview {
    summary: Summary,
    reviews: Vec<TaskView>,
    actions: Vec<Action>,
    interventions: Vec<TaskView>,
    running: Vec<RunningView>,
    waiting: Vec<ExplainedTask>,
    machines: Vec<OrchestratorView>,
    #[serde(skip)]
    machines_total: usize,
}

impl Noun for Overview {
    const MANY: &'static str = "scopes";
    const COLUMNS: &'static [&'static str] = &["SCOPE"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.summary.scope.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.summary.scope)]
    }
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Overview>()?;
        let overview = Overview::of(&session.client).await?;
        if session.output.is_for_people() {
            return overview.show(&session.output);
        }
        printer.one(&overview)
    }
}

impl Overview {
    async fn of(client: &Client) -> octopoid_client::Result<Self> {
        let summary = client.get_summary().await?;
        let queues = summary.queues.keys().map(String::as_str);
        let queues = queues.filter(|queue| is_waiting(queue)).collect::<Vec<_>>().join(",");
        let limit = ("limit", ROWS);
        let any = [limit];
        let urgent = ("sort", "priority");
        let review = [("queue", queue::PROVISIONAL), urgent, limit];
        let proposed = [("status", "proposed"), limit];
        let flagged = [("needs_intervention", "true"), urgent, limit];
        let waiting = [("queue", &*queues), urgent, limit];
        let (reviews, actions, interventions, running, waiting, machines) = tokio::try_join!(
            client.list_tasks(&review),
            client.list_actions(&proposed),
            client.list_tasks(&flagged),
            client.list_runs(&any),
            async {
                // Without a queue, the list would have the tasks of all.
                if queues.is_empty() {
                    return Ok(Listed { items: Vec::new(), total: 0, next_cursor: None });
                }
                client.list_explained_tasks(&waiting).await
            },
            client.list_orchestrators(&any),
        )?;
        Ok(Self {
            summary,
            reviews: reviews.items,
            actions: actions.items,
            interventions: interventions.items,
            running: running.items,
            waiting: waiting.items,
            machines_total: machines.total,
            machines: machines.items,
        })
    }

    fn show(&self, output: &Output) -> Outcome {
        let Self { summary, machines_total, .. } = self;
        let times = &output.times;
        print(&self.headline())?;
        let needs_person = self.needs_person(times);
        section(output, ("NEEDS YOU", Tone::NeedsYou), needs_person, self.needs_person_total())?;
        let running = count(summary.running.work + summary.running.review);
        section(output, ("RUNNING", Tone::Running), self.rows_running(times), running)?;
        section(output, ("WAITING", Tone::Plain), self.rows_waiting(), count(waiting(summary)))?;
        section(output, ("MACHINES", Tone::Plain), self.rows_machines(times), *machines_total)?;
        let is_empty = self.summary.queues.values().all(|count| *count == 0);
        if is_empty {
            print("\nno task yet: octopoid add \"TITLE\" makes one\n")?;
        }
        Ok(())
    }

    /// How many things need a person, also beyond the rows that were asked for.
    fn needs_person_total(&self) -> usize {
        let of_summary = &self.summary.needs_person;
        let rows = self.flagged().count();
        let is_complete = self.interventions.len() >= count(of_summary.interventions)
            && self.actions.len() >= count(of_summary.questions + of_summary.actions);
        // A question has raised a flag, and both are one thing to look at.
        let flags = if is_complete {
            rows
        } else {
            rows.max(count(of_summary.interventions - of_summary.questions))
        };
        let reviews = self.reviews.len().max(count(of_summary.provisional));
        let actions = count(of_summary.questions + of_summary.actions);
        reviews + self.actions.len().max(actions) + flags
    }

    fn headline(&self) -> String {
        let Summary { scope, queues, running, hours, .. } = &self.summary;
        let (waiting, needs_person) = (waiting(&self.summary), self.needs_person_total());
        let in_review = queues.get(queue::PROVISIONAL).copied().unwrap_or_default();
        let (done, failed) =
            hours.iter().fold((0, 0), |sum, hour| (sum.0 + hour.done, sum.1 + hour.failed));
        let mut line = format!(
            "{}   waiting {waiting}   running {}   in review {in_review}   needs you {needs_person}   \
             done {done}",
            one_line(scope),
            running.work,
        );
        if failed > 0 {
            let _ = write!(line, " · failed {failed}");
        }
        line + " in 24 h\n"
    }

    fn needs_person(&self, times: &Times) -> Vec<Vec<Cell>> {
        let review = |task: &TaskView| {
            let note = match (&task.claimed_by, task.submitted_at) {
                (Some(by), _) => format!("{} reviews it", one_line(by)),
                (None, Some(at)) => format!("submitted {}", times.text(at)),
                (None, None) => String::new(),
            };
            row(&task.id, "review", task.title.as_deref(), &note)
        };
        let action = |action: &Action| {
            let note = format!("{} · {}", action.entity_id, times.text(action.proposed_at));
            row(&action.id, &action.action_type, Some(&action.label), &note)
        };
        let flag = |task: &TaskView| {
            row(&task.id, "look at it", task.title.as_deref(), &format!("in {}", task.queue))
        };
        let actions = self.actions.iter().map(action);
        let flags = self.flagged().map(flag);
        self.reviews.iter().map(review).chain(actions).chain(flags).collect()
    }

    /// The tasks with a flag. A question is shown by itself, not once more as the flag that it has
    /// raised.
    fn flagged(&self) -> impl Iterator<Item = &TaskView> {
        let asks = |task: &TaskView| self.actions.iter().any(|action| action.entity_id == task.id);
        self.interventions.iter().filter(move |task| !asks(task))
    }

    fn rows_running(&self, times: &Times) -> Vec<Vec<Cell>> {
        let row = |running: &RunningView| {
            let run = &running.run;
            let mut progress = String::new();
            if let Some(told) = &run.progress {
                progress.push_str(&one_line(told.message.as_deref().unwrap_or_default()));
                let percent = told.percent.map(|percent| format!(" {percent} %"));
                progress.push_str(&percent.unwrap_or_default());
            }
            let title = running.title.as_deref().unwrap_or_default();
            let kind = if run.kind == Kind::Review { "review: " } else { "" };
            vec![
                Cell::default(),
                Cell::new(&run.task_id).tone(Tone::Running),
                Cell::maybe(run.agent.as_ref()),
                Cell::maybe(run.orchestrator_id.as_ref()),
                Cell::new(format!("{kind}{title}")),
                Cell::new(progress),
                times.cell(run.started_at),
            ]
        };
        self.running.iter().map(row).collect()
    }

    fn rows_waiting(&self) -> Vec<Vec<Cell>> {
        let row = |explained: &ExplainedTask| {
            let task = &explained.task;
            let why = explained.waiting.as_ref().map(|waiting| waiting.text.clone());
            vec![
                Cell::default(),
                Cell::new(&task.id),
                Cell::maybe(task.priority.as_ref()),
                Cell::maybe(task.title.as_ref()),
                Cell::new(why.unwrap_or_else(|| "nothing: next in line".to_owned()))
                    .tone(Tone::Quiet),
            ]
        };
        self.waiting.iter().map(row).collect()
    }

    fn rows_machines(&self, times: &Times) -> Vec<Vec<Cell>> {
        let row = |machine: &OrchestratorView| {
            let [id, status, ..] = &machine.cells(times)[..] else { return Vec::new() };
            let seen = format!("seen {}", times.text(machine.orchestrator.last_heartbeat));
            let busy = Some(busy(machine)).filter(|busy| !busy.is_empty());
            let slots = busy.map(|busy| format!("{busy} slots"));
            vec![
                Cell::default(),
                id.clone(),
                status.clone(),
                Cell::maybe(slots),
                Cell::new(seen).tone(Tone::Quiet),
            ]
        };
        self.machines.iter().map(row).collect()
    }
}

/// How many tasks wait for an agent.
fn waiting(summary: &Summary) -> i64 {
    let waiting = summary.queues.iter().filter(|(queue, _)| is_waiting(queue));
    waiting.map(|(_, count)| count).sum()
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Whether tasks in this queue wait for an agent.
fn is_waiting(queue: &str) -> bool {
    let is_held_or_in_review = matches!(queue, queue::CLAIMED | queue::PROVISIONAL);
    !is_held_or_in_review && !queue::is_finished(queue)
}

fn row(id: &str, what: &str, title: Option<&str>, note: &str) -> Vec<Cell> {
    vec![
        Cell::default(),
        Cell::new(id).tone(Tone::NeedsYou),
        Cell::new(what).tone(Tone::NeedsYou),
        Cell::maybe(title),
        Cell::new(note).tone(Tone::Quiet),
    ]
}

/// Prints rows below a heading, unless there are none, and how many more there are in all.
fn section(
    output: &Output,
    (heading, tone): (&str, Tone),
    mut rows: Vec<Vec<Cell>>,
    total: usize,
) -> Outcome {
    if rows.is_empty() {
        return Ok(());
    }
    let total = total.max(rows.len());
    rows.truncate(ROWS_SHOWN);
    let hidden = total - rows.len();
    print("\n")?;
    output.table(&[], vec![vec![Cell::new(heading).tone(tone)]])?;
    output.table(&[], rows)?;
    if hidden > 0 {
        print(&format!("  … and {hidden} more\n"))?;
    }
    Ok(())
}
