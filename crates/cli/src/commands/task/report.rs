//! What the holder of a lease reports.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use octopoid_domain::{
    Millis, TaskView,
    failure::REASONS,
    input::{Id, Instant, PatchCount, Prose, Text},
    lease::{Directive, Renewal},
    report::{Checkpoint, NewProgress, RunResult},
    steps,
    task::LeaseSeconds,
    usage::Usage,
};
use octopoid_server::duration;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    became,
    held::{Kept, LeaseFlag, named_or_claimed},
};
use crate::{
    clock::instant,
    commands::read_text,
    failure::{Failure, Outcome},
    output::{many_lines, one_line},
    session::{Run, Session},
};

/// Renew a lease.
#[derive(Debug, clap::Args)]
pub(crate) struct Renew {
    /// Id of the task [default: the only one of the scope that is claimed on this machine].
    id: Option<String>,
    /// How long the lease lasts from now.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    lease: Duration,
    /// What the agent does.
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// How far it is, from 0 to 100.
    #[arg(long, value_name = "NUMBER")]
    percent: Option<f64>,
    /// File with JSON that the next run is given; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// File with a JSON object of what the run has used so far.
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Show only messages after the one with this id.
    #[arg(long, value_name = "ID")]
    messages_after: Option<String>,
    #[command(flatten)]
    lease_flag: LeaseFlag,
}

/// Submit work.
#[derive(Debug, clap::Args)]
pub(crate) struct Submit {
    /// Id of the task [default: the only one of the scope that is claimed on this machine].
    id: Option<String>,
    /// Number of commits.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    commits: i64,
    /// Number of turns of the agent.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    turns: i64,
    /// Notes for the reviewer.
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    #[command(flatten)]
    done: Done,
    #[command(flatten)]
    lease: LeaseFlag,
}

/// Report a failure.
#[derive(Debug, clap::Args)]
pub(crate) struct Fail {
    /// Id of the task [default: the only one of the scope that is claimed on this machine].
    id: Option<String>,
    /// Reason, by which the server decides what follows.
    #[arg(short, long, value_name = "REASON", value_parser = reasons())]
    reason: String,
    /// What happened.
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Do not try it again.
    #[arg(long)]
    no_retry: bool,
    /// Not before this instant, or this duration from now.
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    not_before: Option<Millis>,
    /// The account of the provider, which is paused if the reason concerns it.
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    #[command(flatten)]
    done: Done,
    #[command(flatten)]
    lease: LeaseFlag,
}

/// What a run has done and used.
#[derive(Debug, clap::Args)]
struct Done {
    /// What was done, in a few sentences.
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// File with the result, a JSON object; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// File with a JSON object of what the run has used.
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
}

fn reasons() -> clap::builder::PossibleValuesParser {
    REASONS.iter().map(|reason| reason.name).collect::<Vec<_>>().into()
}

/// Reads a file of JSON, or the standard input.
fn read<T: DeserializeOwned>(path: &Path) -> Outcome<T> {
    let why = |error| Failure::usage(format!("{}: {error}", path.display()));
    serde_json::from_str(&read_text(path)?).map_err(why)
}

impl Done {
    fn result(&self) -> Outcome<Option<RunResult>> {
        let mut result: Value = self.result.as_deref().map(read).transpose()?.unwrap_or(json!({}));
        if let (Some(fields), Some(summary)) = (result.as_object_mut(), &self.summary) {
            fields.insert("summary".to_owned(), summary.as_str().into());
        }
        if self.result.is_none() && self.summary.is_none() {
            return Ok(None);
        }
        let result = serde_json::from_value(result);
        result.map(Some).map_err(|error| Failure::usage(format!("the result: {error}")))
    }

    fn usage(&self) -> Outcome<Option<Usage>> {
        self.usage.as_deref().map(read).transpose()
    }
}

impl Run for Renew {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Renewal>()?;
        let given = named_or_claimed(session, self.id.as_ref()).await?;
        let checkpoint: Option<Value> = self.checkpoint.as_deref().map(read).transpose()?;
        let usage: Option<Usage> = self.usage.as_deref().map(read).transpose()?;
        let is_told = self.message.is_some() || self.percent.is_some();
        let progress = is_told
            .then(|| NewProgress { message: Prose(self.message.clone()), percent: self.percent });
        let step = async |id: &str, lease_token| {
            let body = steps::Renew {
                lease_token,
                lease_duration_seconds: LeaseSeconds::new(self.lease.as_secs_f64()),
                progress: progress.clone(),
                checkpoint: Checkpoint(checkpoint.clone().unwrap_or_default()),
                usage: usage.clone(),
                messages_after: Id(self.messages_after.clone()),
            };
            session.client.renew_task(id, &body).await
        };
        let renewal = self.lease_flag.under(session, &given, Kept::Any, step).await?;
        let ends = session.output.times.text(renewal.lease_expires_at);
        let mut text = format!("renewed {}  lease ends {ends}", renewal.task_id);
        text.push_str(match renewal.directive {
            Directive::Continue => "",
            Directive::WrapUp => "\nwrap up: the machine is being drained",
            Directive::Stop => {
                "\nstop: the task is cancelled; octopoid task fail --reason cancelled"
            }
        });
        for message in &renewal.messages {
            let (id, from) = (one_line(&message.id), one_line(&message.from_actor));
            let _ = write!(text, "\n{id} from {from}: {}", many_lines(&message.content));
        }
        session.leases.extend(&renewal.task_id, renewal.lease_expires_at);
        printer.changed(&renewal, &text)
    }
}

impl Run for Submit {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let given = named_or_claimed(session, self.id.as_ref()).await?;
        let (result, usage) = (self.done.result()?, self.done.usage()?);
        let step = async |id: &str, lease_token| {
            let body = steps::Submit {
                commits_count: PatchCount::from(self.commits),
                turns_used: PatchCount::from(self.turns),
                execution_notes: Prose(self.notes.clone()),
                lease_token,
                result: result.clone(),
                usage: usage.clone(),
                ..steps::Submit::default()
            };
            session.client.submit_task(id, &body).await
        };
        let task = self.lease.end(session, &given, Kept::Any, step).await?;
        printer.changed(&task, &became("submitted", &task))
    }
}

impl Run for Fail {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let given = named_or_claimed(session, self.id.as_ref()).await?;
        let (result, usage) = (self.done.result()?, self.done.usage()?);
        let step = async |id: &str, lease_token| {
            let body = steps::Fail {
                lease_token,
                reason: Text::from(&*self.reason),
                message: Prose(self.message.clone()),
                retry: Text(self.no_retry.then(|| "never".to_owned())),
                not_before: Instant(self.not_before),
                pool: Text(self.pool.clone()),
                usage: usage.clone(),
                result: result.clone(),
                ..steps::Fail::default()
            };
            session.client.fail_task(id, &body).await
        };
        let task = self.lease.end(session, &given, Kept::Any, step).await?;
        printer.changed(&task, &became("reported the failure of", &task))
    }
}
