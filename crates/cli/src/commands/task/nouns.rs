//! How tasks, their history, their runs and the reasons why they wait are shown.

use octopoid_client::ExplainedTask;
use octopoid_domain::{
    ClaimedTask, Millis, TaskView,
    event::Event,
    lease::Renewal,
    log::LogPart,
    run::{Outcome as RunOutcome, RunDetails, RunView},
    why::{Code, Reason, Waiting},
};

use crate::output::{Cell, Noun, Times, Tone};

impl Noun for TaskView {
    const MANY: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = &["ID", "PRIO", "QUEUE", "TITLE", "HOLDER", "UPDATED"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::maybe(self.priority.as_ref()),
            Cell::queue(&self.queue),
            Cell::maybe(self.title.as_ref()),
            Cell::maybe(self.claimed_by.as_ref()),
            times.cell(self.updated_at),
        ]
    }
}

impl Noun for ExplainedTask {
    const MANY: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = &["ID", "PRIO", "QUEUE", "TITLE", "WHY IT WAITS"];

    fn example() -> Self {
        let text = String::new();
        let waiting = Waiting { code: Code::Held, text, until: None, task_id: None };
        Self { task: TaskView::default(), waiting: Some(waiting) }
    }

    fn id(&self) -> String {
        self.task.id.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        let why = self.waiting.as_ref().map_or("nothing: next in line", |waiting| &waiting.text);
        vec![
            Cell::new(&self.task.id),
            Cell::maybe(self.task.priority.as_ref()),
            Cell::queue(&self.task.queue),
            Cell::maybe(self.task.title.as_ref()),
            Cell::new(why),
        ]
    }
}

impl Noun for ClaimedTask {
    const MANY: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = TaskView::COLUMNS;

    fn example() -> Self {
        Self { run_key: Some(String::new()), ..Self::default() }
    }

    fn id(&self) -> String {
        self.task.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        self.task.cells(times)
    }
}

impl Noun for Renewal {
    const MANY: &'static str = "renewals";
    const COLUMNS: &'static [&'static str] = &["TASK", "RUN", "LEASE ENDS"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.task_id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let run = Cell::new(self.run.to_string());
        vec![Cell::new(&self.task_id), run, times.cell(self.lease_expires_at)]
    }
}

impl Noun for Event {
    const MANY: &'static str = "events";
    const COLUMNS: &'static [&'static str] = &["WHEN", "EVENT", "BY", "DETAILS"];

    fn example() -> Self {
        let (task_id, event) = (String::new(), String::new());
        Self { id: 0, task_id, event, agent: None, details: None, timestamp: Millis(0) }
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            times.cell(self.timestamp),
            Cell::new(&self.event),
            Cell::maybe(self.agent.as_ref()),
            Cell::maybe(self.details.as_ref()),
        ]
    }
}

impl Noun for RunView {
    const MANY: &'static str = "runs";
    const COLUMNS: &'static [&'static str] =
        &["RUN", "KIND", "AGENT", "STARTED", "ENDED", "OUTCOME", "WHAT WAS SAID"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.run.to_string()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let outcome = Cell::new(self.outcome.as_str()).tone(tone(self.outcome));
        let said = self.message.as_ref().or(self.summary.as_ref()).or(self.reason.as_ref());
        let progress = self.progress.as_ref().and_then(|progress| progress.message.as_ref());
        vec![
            Cell::new(self.run.to_string()),
            Cell::new(self.kind.as_str()),
            Cell::maybe(self.agent.as_ref()),
            times.cell(self.started_at),
            times.maybe(self.ended_at),
            outcome,
            Cell::maybe(said.or(progress)),
        ]
    }
}

/// The tone of a run that has come to this.
fn tone(outcome: RunOutcome) -> Tone {
    match outcome {
        RunOutcome::Running => Tone::Running,
        RunOutcome::Accepted | RunOutcome::Submitted => Tone::Done,
        RunOutcome::Failed | RunOutcome::Lapsed | RunOutcome::Rejected => Tone::Failed,
        RunOutcome::Released | RunOutcome::Cancelled => Tone::Quiet,
    }
}

impl Noun for RunDetails {
    const MANY: &'static str = "runs";
    const COLUMNS: &'static [&'static str] = RunView::COLUMNS;

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.run.id()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        self.run.cells(times)
    }
}

impl Noun for Reason {
    const MANY: &'static str = "reasons";
    const COLUMNS: &'static [&'static str] = &["WHY", "UNTIL", "CODE"];

    fn example() -> Self {
        let (text, word) = (String::new(), Some(String::new()));
        let until = Some(Millis(0));
        Self { code: Code::Held, text, until, task_id: word.clone(), holder: word }
    }

    fn id(&self) -> String {
        self.code.as_str().to_owned()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let tone = if self.code.is_blocking() { Tone::Plain } else { Tone::Quiet };
        vec![
            Cell::new(&self.text),
            times.maybe(self.until),
            Cell::new(self.code.as_str()).tone(tone),
        ]
    }
}

impl Noun for LogPart {
    const MANY: &'static str = "parts";
    const COLUMNS: &'static [&'static str] = &["TEXT"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.next_offset.to_string()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.text)]
    }
}
