//! `octopoid message`: what people and agents tell each other about a task.

use octopoid_client::Query;
use octopoid_domain::{
    input::{Id, Prose, Text},
    message::{Message, NewMessage},
};

use crate::{
    commands::verbs,
    failure::Outcome,
    output::{Cell, Noun, Times},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// Send a message about a task. One to `agent` reaches a running agent with its next renewal.
    Send => Send,
    /// List messages, the oldest first.
    List => List,
}

impl Noun for Message {
    const MANY: &'static str = "messages";
    const COLUMNS: &'static [&'static str] = &["WHEN", "TASK", "FROM", "TO", "TYPE", "TEXT"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            times.cell(self.created_at),
            Cell::new(&self.task_id),
            Cell::new(&self.from_actor),
            Cell::maybe(self.to_actor.as_ref()),
            Cell::new(&self.kind),
            Cell::new(&self.content),
        ]
    }
}

/// Send a message.
#[derive(Debug, clap::Args)]
struct Send {
    /// Id of the task.
    task: String,
    /// The text.
    text: String,
    /// Recipient: `agent`, or the name of an agent or a person.
    #[arg(long, value_name = "NAME", default_value = "agent")]
    to: String,
    /// Author [default: the user].
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Type, a convention of the team.
    #[arg(long = "type", value_name = "TYPE", default_value = "comment")]
    kind: String,
    /// Message that this one answers.
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
}

/// List messages.
#[derive(Debug, clap::Args)]
struct List {
    /// Only messages about this task.
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// Only messages to this recipient.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Only messages of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only messages without an answer.
    #[arg(long)]
    unreplied: bool,
    #[command(flatten)]
    page: Page,
}

impl Run for Send {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Message>()?;
        let new = NewMessage {
            task_id: Id(Some(self.task.clone())),
            from_actor: Text(Some(session.by(self.from.as_ref()))),
            kind: Text(Some(self.kind.clone())),
            content: Prose(Some(self.text.clone())),
            to_actor: Text(Some(self.to.clone())),
            parent_message_id: Id(self.reply_to.clone()),
            ..NewMessage::default()
        };
        let message = session.client.create_message(&new).await?;
        printer.changed(&message, &format!("sent {} to {}", message.id, self.to))
    }
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Message>()?;
        let filters = Filters::default()
            .with("task_id", self.task.as_ref())
            .with("to_actor", self.to.as_ref())
            .with("type", self.kind.as_ref())
            .with("unreplied", self.unreplied.then_some(true));
        let ask = async |query: Query<'_>| session.client.list_messages(query).await;
        printer.many(&self.page.read(&filters, None, ask).await?, "no messages")
    }
}
