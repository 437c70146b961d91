//! What a command works with: the client of a server, the settings, and the output.

use octopoid_client::{Client, Error, Result};
use serde_json::json;

use crate::{
    failure::{Exit, Failure, Outcome},
    leases::Leases,
    output::{self, Output},
    settings::{self, Settings, state_folder},
};

/// The fewest characters that stand for a longer id.
const SHORT_ID_MIN: usize = 4;

/// So many tasks are looked through for a short id, in one request.
const SHORT_ID_TASKS: &str = "500";

/// The options of every command that calls a server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: settings::ServerFlags,
    #[command(flatten)]
    pub(crate) output: output::OutputFlags,
}

/// The arguments of a command, which know how to run it.
pub(crate) trait Run {
    /// Runs the command.
    async fn run(&self, session: &Session) -> Outcome;
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) output: Output,
    pub(crate) leases: Leases,
}

impl Session {
    /// Resolves the options. Nothing is sent.
    pub(crate) fn open(options: &Options) -> Outcome<Self> {
        let settings = Settings::load(&options.server)?;
        let mut client = Client::new(&settings.server.value)?;
        if let Some(key) = &settings.key {
            client = client.with_key(&key.value);
        }
        if let Some(scope) = &settings.scope {
            client = client.with_scope(&scope.value);
        }
        let leases = Leases::new(&state_folder()?, &settings.server.value);
        Ok(Self { client, settings, output: Output::new(&options.output), leases })
    }

    /// The name under which a person acts: what a flag says, or the user's.
    pub(crate) fn by(&self, flag: Option<&String>) -> String {
        flag.unwrap_or(&self.settings.user.value).clone()
    }

    /// The scope that is worked in: the one that is named, or that of the key.
    pub(crate) async fn scope(&self) -> Outcome<String> {
        match &self.settings.scope {
            Some(scope) => Ok(scope.value.clone()),
            None => Ok(self.client.get_summary().await?.scope),
        }
    }

    /// Says that something is gone.
    pub(crate) fn deleted(&self, noun: &str, id: &str) -> Outcome {
        let object = json!({ "deleted": noun, "id": id });
        self.output.sentence(&format!("deleted {noun} {id}"), object)
    }

    /// Asks about a task. An id that the server does not know may be the beginning or the end of one
    /// that it knows: then the question is asked again.
    pub(crate) async fn about_task<T>(
        &self,
        given: &str,
        ask: impl AsyncFn(&str) -> Result<T>,
    ) -> Outcome<T> {
        match ask(given).await {
            Err(error) if is_unknown_task(&error) => match self.full_id(given).await? {
                Some(id) => Ok(ask(&id).await?),
                None => Err(error.into()),
            },
            answer => Ok(answer?),
        }
    }

    /// The id of the only task that is not over and whose id begins or ends like this.
    async fn full_id(&self, short: &str) -> Outcome<Option<String>> {
        if short.len() < SHORT_ID_MIN {
            return Ok(None);
        }
        // An overview of all scopes there is not.
        let Ok(summary) = self.client.get_summary().await else { return Ok(None) };
        let queues = summary.queues.keys().map(String::as_str);
        let open: Vec<_> = queues.filter(|queue| !matches!(*queue, "done" | "cancelled")).collect();
        if open.is_empty() {
            return Ok(None);
        }
        let query = [("queue", &*open.join(",")), ("limit", SHORT_ID_TASKS)];
        let listed = self.client.list_tasks(&query).await?;
        let ids = listed.items.into_iter().map(|task| task.id);
        let mut fitting: Vec<_> =
            ids.filter(|id| id.starts_with(short) || id.ends_with(short)).collect();
        match fitting.len() {
            0 => Ok(None),
            1 if listed.next_cursor.is_none() => Ok(fitting.pop()),
            1 => Err(Failure::new(Exit::NotFound, format!("{short} may stand for several tasks"))
                .remedy("there are too many open tasks to look through: write the whole id")),
            _ => Err(Failure::new(Exit::NotFound, format!("{short} stands for several tasks"))
                .remedy(format!("write one of them: {}", fitting.join(", ")))),
        }
    }
}

fn is_unknown_task(error: &Error) -> bool {
    matches!(error, Error::Refused { code, .. } if code == "task_not_found")
}
