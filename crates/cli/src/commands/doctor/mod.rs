//! `octopoid doctor`: whether the server works here, and can be reached.

mod server;

use octopoid_server::{
    Configuration,
    doctor::{Finding, State, examine},
};
use serde_json::json;

use crate::{
    failure::{Failure, Outcome},
    output::say,
    session::{Run, Session},
};

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    configuration: Configuration,
    /// Read the whole SQLite database and check that it is undamaged.
    #[arg(long)]
    deep: bool,
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let mut findings = examine(&self.configuration, self.deep).await;
        findings.extend(server::examine(session).await);
        if session.output.is_for_people() {
            for finding in &findings {
                say(&line(finding))?;
            }
        } else {
            let findings = findings.iter().map(|finding| {
                json!({
                    "name": finding.name,
                    "state": finding.state.as_str(),
                    "text": finding.text,
                    "remedy": finding.remedy,
                })
            });
            session.output.json(json!({ "findings": findings.collect::<Vec<_>>() }))?;
        }
        match findings.iter().filter(|finding| finding.state == State::Problem).count() {
            0 => Ok(()),
            1 => Err(Failure::other("there is a problem")),
            count => Err(Failure::other(format!("there are {count} problems"))),
        }
    }
}

/// A finding as a line, with what to do about it.
fn line(finding: &Finding) -> String {
    let Finding { name, state, text, remedy } = finding;
    let remedy = remedy.as_ref().map(|remedy| format!(" ({remedy})")).unwrap_or_default();
    format!("{:7}  {name:14}  {text}{remedy}", state.as_str())
}
