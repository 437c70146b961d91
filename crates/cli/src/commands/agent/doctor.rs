//! `octopoid agent doctor`: whether agents can run here.

use std::path::PathBuf;

use octopoid_runner::preflight::{self, State};
use serde_json::json;

use super::{Flags, Place, Words, config, run};
use crate::{
    failure::{Failure, Outcome},
    output::say,
    repository::host,
    session::{Run, Session},
};

/// Check whether agents can run here.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Repository [default: the one of the working directory].
    #[arg(long, value_name = "DIR", help_heading = "Work tree")]
    repo: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    words: Words,
}

impl Run for Doctor {
    async fn run(&self, session: &Session) -> Outcome {
        let repository = run::repository(self.repo.as_ref())?;
        let (tool, command) = self.flags.agent(&self.words.command);
        let place = Place {
            server: session.settings.server.value.clone(),
            secrets: Vec::new(),
            // A server that is away is one of the findings.
            scope: session.scope().await.unwrap_or_default(),
            machine: host(),
            repository: repository.root,
            pool: None,
        };
        let config = config(session.client.clone(), place, &self.flags)?;
        let findings = preflight::check(&config, tool, &command).await;
        let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
        if session.output.is_for_people() {
            for finding in &findings {
                let word = word(finding.state);
                say(&format!("{word:7}  {:11}  {}", finding.name, finding.text))?;
            }
            if !command.is_empty() {
                say(&format!("command  {}", octopoid_runner::shown(&command)))?;
            }
        } else {
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| {
                    json!({
                        "name": finding.name,
                        "state": word(finding.state),
                        "text": finding.text,
                    })
                })
                .collect();
            session.output.json(json!({ "findings": findings }))?;
        }
        match failed {
            0 => Ok(()),
            count => Err(Failure::other(format!("{count} of the checks failed"))),
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Fine => "ok",
        State::Warning => "warning",
        State::Failed => "failed",
    }
}
