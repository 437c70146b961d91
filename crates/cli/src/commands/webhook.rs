//! `octopoid webhook`: addresses to which events are sent.

use std::time::Duration;

use octopoid_client::Query;
use octopoid_domain::{
    Millis,
    input::{Flag, Patch, Text, Texts},
    webhook::{
        Delivery, DeliveryResult, Format, NewWebhook, RotateSecret, Webhook, WebhookPatch,
        WebhookWithSecret,
    },
};
use octopoid_server::duration;

use crate::{
    clock::{now, pause, seconds},
    commands::verbs,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times, Tone},
    page::{Filters, Page},
    session::{Run, Session},
};

/// How often a test looks for its outcome.
const LOOK: Duration = Duration::from_millis(200);

verbs! {
    /// Create a webhook. Its secret is shown only once.
    Create => Create,
    /// List webhooks.
    List => List,
    /// Show a webhook.
    Show => Show,
    /// Send a test message, and wait for its outcome.
    Test => Test,
    /// Replace the secret. Messages are signed with both for a while.
    Rotate => Rotate,
    /// Send events again, from now on.
    Enable => Enable,
    /// Send no events.
    Disable => Disable,
    /// Delete a webhook and its log.
    Delete => Delete,
    /// List the last messages, the newest first.
    Deliveries => Deliveries,
}

impl Noun for Webhook {
    const MANY: &'static str = "webhooks";
    const COLUMNS: &'static [&'static str] = &["ID", "URL", "FORMAT", "TYPES", "STATE", "RETRY"];

    fn example() -> Self {
        Self {
            id: String::new(),
            scope: String::new(),
            url: String::new(),
            format: Format::Standard,
            types: Vec::new(),
            is_enabled: true,
            disabled_reason: None,
            created_at: Millis(0),
            old_secret_until: None,
            failing_since: None,
            attempts: 0,
            retry_at: None,
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let types = if self.types.is_empty() { "all".to_owned() } else { self.types.join(",") };
        let state = match (self.is_enabled, self.failing_since) {
            (false, _) => Cell::new("disabled").tone(Tone::Quiet),
            (true, Some(_)) => Cell::new("failing").tone(Tone::Failed),
            (true, None) => Cell::new("enabled").tone(Tone::Done),
        };
        vec![
            Cell::new(&self.id),
            Cell::new(&self.url),
            Cell::new(self.format.as_str()),
            Cell::new(types),
            state,
            times.maybe(self.retry_at),
        ]
    }
}

impl Noun for WebhookWithSecret {
    const MANY: &'static str = "webhooks";
    const COLUMNS: &'static [&'static str] = &["ID", "SECRET"];

    fn example() -> Self {
        Self { secret: String::new(), webhook: Webhook::example() }
    }

    fn id(&self) -> String {
        self.webhook.id.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.webhook.id), Cell::new(&self.secret)]
    }
}

impl Noun for Delivery {
    const MANY: &'static str = "deliveries";
    const COLUMNS: &'static [&'static str] =
        &["MESSAGE", "TYPE", "RESULT", "STATUS", "ATTEMPTS", "ATTEMPTED", "ERROR"];

    fn example() -> Self {
        Self {
            id: String::new(),
            webhook_id: String::new(),
            name: String::new(),
            event_at: Millis(0),
            attempts: 0,
            attempted_at: Millis(0),
            duration_ms: 0,
            result: DeliveryResult::Delivered,
            status: None,
            error: None,
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let tone = match self.result {
            DeliveryResult::Delivered => Tone::Done,
            DeliveryResult::Failed => Tone::Failed,
        };
        vec![
            Cell::new(&self.id),
            Cell::new(&self.name),
            Cell::new(self.result.as_str()).tone(tone),
            Cell::maybe(self.status.map(|status| status.to_string()).as_ref()),
            Cell::new(self.attempts.to_string()),
            times.cell(self.attempted_at),
            Cell::maybe(self.error.as_ref()),
        ]
    }
}

/// Create a webhook.
#[derive(Debug, clap::Args)]
struct Create {
    /// Where to send: `https://…`.
    url: String,
    /// Type of events to send, such as `task.failed` or `task.*`; may be repeated. `needs_person`
    /// alone stands for what needs a person [default: all].
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Form of the messages.
    #[arg(long, value_name = "FORMAT", value_parser = formats(), default_value = "standard")]
    format: String,
}

/// List webhooks.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    page: Page,
}

/// Show a webhook.
#[derive(Debug, clap::Args)]
struct Show {
    /// Id of the webhook.
    id: String,
}

/// Test a webhook.
#[derive(Debug, clap::Args)]
struct Test {
    /// Id of the webhook.
    id: String,
    /// How long to wait for the outcome. A Worker sends once a minute.
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = duration)]
    wait: Duration,
}

/// Replace the secret of a webhook.
#[derive(Debug, clap::Args)]
struct Rotate {
    /// Id of the webhook.
    id: String,
    /// How long messages are signed with the old secret too, at most a week.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    overlap: Duration,
}

/// Enable a webhook.
#[derive(Debug, clap::Args)]
struct Enable {
    /// Id of the webhook.
    id: String,
}

/// Disable a webhook.
#[derive(Debug, clap::Args)]
struct Disable {
    /// Id of the webhook.
    id: String,
}

/// Delete a webhook.
#[derive(Debug, clap::Args)]
struct Delete {
    /// Id of the webhook.
    id: String,
}

/// List the messages of a webhook.
#[derive(Debug, clap::Args)]
struct Deliveries {
    /// Id of the webhook.
    id: String,
    #[command(flatten)]
    page: Page,
}

fn formats() -> clap::builder::PossibleValuesParser {
    Format::ALL.map(Format::as_str).into()
}

impl Run for Create {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<WebhookWithSecret>()?;
        let new = NewWebhook {
            url: Text(Some(self.url.clone())),
            types: Texts(self.types.clone()),
            format: Text(Some(self.format.clone())),
            ..NewWebhook::default()
        };
        let made = session.client.create_webhook(&new).await?;
        printer.secret(&made, &made.secret, &format!("secret of {}", made.webhook.id))
    }
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Webhook>()?;
        let ask = async |query: Query<'_>| session.client.list_webhooks(query).await;
        printer.many(&self.page.read(&Filters::default(), None, ask).await?, "no webhooks")
    }
}

impl Run for Show {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Webhook>()?;
        printer.one(&session.client.get_webhook(&self.id).await?)
    }
}

impl Run for Test {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Delivery>()?;
        let test = session.client.test_webhook(&self.id).await?;
        let end = now().plus(i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX));
        loop {
            let query = [("limit", "20")];
            let listed = session.client.list_webhook_deliveries(&self.id, &query).await?;
            let is_it = |delivery: &Delivery| delivery.event_at == test.requested_at;
            match listed.items.into_iter().find(is_it) {
                Some(delivery) if delivery.result == DeliveryResult::Delivered => {
                    let ms = delivery.duration_ms;
                    return printer.changed(&delivery, &format!("delivered within {ms} ms"));
                }
                Some(delivery) => {
                    let why = delivery.error.unwrap_or_default();
                    return Err(Failure::other(format!("the test was not delivered: {why}"))
                        .remedy("it is tried again; see octopoid webhook deliveries"));
                }
                None if now() >= end => {
                    return Err(Failure::other("the test was not sent in time").remedy(
                        "a message before it may have failed; see octopoid webhook deliveries",
                    ));
                }
                None => pause(LOOK).await,
            }
        }
    }
}

impl Run for Rotate {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<WebhookWithSecret>()?;
        let overlap_seconds = Patch::Set(seconds(self.overlap));
        let body = RotateSecret { overlap_seconds, ..RotateSecret::default() };
        let rotated = session.client.rotate_webhook_secret(&self.id, &body).await?;
        printer.secret(&rotated, &rotated.secret, &format!("secret of {}", self.id))
    }
}

impl Run for Enable {
    async fn run(&self, session: &Session) -> Outcome {
        enable(session, &self.id, true).await
    }
}

impl Run for Disable {
    async fn run(&self, session: &Session) -> Outcome {
        enable(session, &self.id, false).await
    }
}

async fn enable(session: &Session, id: &str, is_enabled: bool) -> Outcome {
    let printer = session.output.of::<Webhook>()?;
    let patch =
        WebhookPatch { is_enabled: Patch::Set(Flag(is_enabled)), ..WebhookPatch::default() };
    let webhook = session.client.update_webhook(id, &patch).await?;
    let word = if is_enabled { "enabled" } else { "disabled" };
    printer.changed(&webhook, &format!("{word} webhook {id}"))
}

impl Run for Delete {
    async fn run(&self, session: &Session) -> Outcome {
        session.client.delete_webhook(&self.id).await?;
        session.deleted("webhook", &self.id)
    }
}

impl Run for Deliveries {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Delivery>()?;
        let id = &self.id;
        let ask = async |query: Query<'_>| session.client.list_webhook_deliveries(id, query).await;
        let listed = self.page.read(&Filters::default(), None, ask).await?;
        printer.many(&listed, "no messages yet")
    }
}
