//! `octopoid action`: proposals and questions that wait for a person.

use octopoid_client::Query;
use octopoid_domain::action::{Action, QUESTION, Status};
use serde_json::json;

use crate::{
    commands::verbs,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times, Tone},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// List proposals and questions that are open.
    List => List,
    /// Approve a proposal, or answer a question.
    Approve => Approve,
    /// Deny a proposal, or close a question without an answer.
    Deny => Deny,
}

/// The statuses of actions that have not ended.
const OPEN: [Status; 3] = [Status::Proposed, Status::ExecuteRequested, Status::Executing];

/// So many actions are looked through in one request.
const LOOKED_AT: &str = "500";

impl Noun for Action {
    const MANY: &'static str = "actions";
    const COLUMNS: &'static [&'static str] =
        &["ID", "TYPE", "STATUS", "ABOUT", "WHAT", "BY", "PROPOSED"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let tone = match self.status {
            Status::Proposed => Tone::NeedsYou,
            Status::ExecuteRequested | Status::Executing => Tone::Running,
            Status::Completed => Tone::Done,
            Status::Failed => Tone::Failed,
            Status::Expired => Tone::Quiet,
        };
        vec![
            Cell::new(&self.id),
            Cell::new(&self.action_type),
            Cell::new(self.status.as_str()).tone(tone),
            Cell::new(format!("{} {}", self.entity_type, self.entity_id)),
            Cell::new(&self.label),
            Cell::new(&self.proposed_by),
            times.cell(self.proposed_at),
        ]
    }
}

/// List actions.
#[derive(Debug, clap::Args)]
struct List {
    /// Only actions with this status.
    #[arg(long, value_name = "STATUS", default_value = "proposed", conflicts_with = "all")]
    status: String,
    /// Actions of every status.
    #[arg(long)]
    all: bool,
    /// Only actions about this task.
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Approve an action.
#[derive(Debug, clap::Args)]
struct Approve {
    /// Id of the action.
    id: String,
    /// Answer to a question, which the next attempt at the task is given.
    #[arg(short, long, value_name = "TEXT")]
    answer: Option<String>,
    /// Who decides [default: the user].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Deny an action.
#[derive(Debug, clap::Args)]
struct Deny {
    /// Id of the action.
    id: String,
    /// Why; the next attempt at the task is given it if this is a question.
    #[arg(short, long, value_name = "TEXT")]
    reason: String,
    /// Who decides [default: the user].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Action>()?;
        let filters = Filters::default()
            .with("status", (!self.all).then_some(&self.status))
            .with("entity_type", self.task.as_ref().map(|_| "task"))
            .with("entity_id", self.task.as_ref());
        let ask = async |query: Query<'_>| session.client.list_actions(query).await;
        printer.many(&self.page.read(&filters, None, ask).await?, "nothing waits for a decision")
    }
}

/// Looks for an action that has not ended. There is no request for a single action.
async fn open_action(session: &Session, id: &str) -> Outcome<Option<Action>> {
    for status in OPEN {
        let mut cursor = Some(String::new());
        while let Some(next) = cursor {
            let query = [("status", status.as_str()), ("limit", LOOKED_AT), ("cursor", &*next)];
            let page = session.client.list_actions(&query).await?;
            let found = page.items.into_iter().find(|action| action.id == id);
            if found.is_some() {
                return Ok(found);
            }
            cursor = page.next_cursor;
        }
    }
    Ok(None)
}

/// Whether its answer is for the next agent of a task.
fn is_question(action: &Action) -> bool {
    action.entity_type == "task" && action.action_type == QUESTION
}

impl Run for Approve {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Action>()?;
        let client = &session.client;
        let by = session.by(self.by.as_ref());
        let is_question = open_action(session, &self.id).await?.map(|action| is_question(&action));
        match (&self.answer, is_question) {
            (Some(_), Some(false)) => {
                let failure = Failure::usage(format!("{} is no question", self.id));
                return Err(failure.remedy("approve it without --answer, or deny it"));
            }
            (None, Some(true)) => {
                let failure = Failure::usage(format!("{} is a question", self.id));
                return Err(failure.remedy("answer it: --answer TEXT"));
            }
            _ => {}
        }
        if let Some(answer) = &self.answer {
            let action = client.complete_action_as(&self.id, &by, &json!(answer)).await?;
            return printer.changed(&action, &format!("answered {}", action.id));
        }
        let action = client.execute_action(&self.id).await?;
        printer.changed(&action, &format!("approved {}", action.id))
    }
}

impl Run for Deny {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Action>()?;
        let by = session.by(self.by.as_ref());
        // The next agent is given what became of a question as it is.
        let result = match open_action(session, &self.id).await? {
            Some(action) if is_question(&action) => json!(self.reason),
            _ => json!({ "denied_by": by, "reason": self.reason }),
        };
        let action = session.client.fail_action_as(&self.id, &by, &result).await?;
        printer.changed(&action, &format!("denied {}", action.id))
    }
}
