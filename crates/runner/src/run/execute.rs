//! Runs the agent's program, and reads what its end says.

use std::{fs, path::Path};

use super::{
    Run,
    agent::{Agent, Reading},
    supervise::{Patience, Sink as _, Supervised, supervise},
    work::{Executed, Prepared, Refused, shown},
};
use crate::{
    adapter::input,
    classify::{self, Exit, Outcome, Verdict},
    facts::Facts,
    judge::Cause,
    mailbox::{Mailbox, Said},
    process::{Child, Command, Ended, Output},
    reasons,
    runner::Stage,
};

impl Run {
    /// Runs the agent's program to its end.
    pub(super) async fn execute(
        &mut self,
        prompt: &str,
        dir: &Path,
        prepared: Prepared,
    ) -> Result<Executed, Refused> {
        let Prepared { mailbox, variables } = prepared;
        let (tool, limits) = (self.crew.tool, self.shared.config.limits);
        let prompt_file = self.folder.path.join("prompt.md");
        fs::write(&prompt_file, input(prompt))?;
        let output = if tool.needs_output_file() {
            Output::File {
                path: self.folder.path.join("stdout"),
                bytes_max: limits.output_bytes_max,
            }
        } else {
            Output::Pipe
        };
        let child = Child::start(&Command {
            guard: &self.shared.config.guard,
            program: &self.crew.command,
            dir,
            environment: &self.agent_variables(variables),
            stdin: &prompt_file,
            mark: &self.record.mark,
            output: &output,
            files: &self.folder.path,
            grace: limits.grace,
        })?;
        self.log.line(&format!("octopoid: $ {}", shown(&self.crew.command)));
        let mut agent = Agent::new(Reading {
            tool,
            kept: fs::File::create(self.folder.output_file()).ok(),
            kept_bytes_max: limits.output_bytes_max,
            log: &self.log,
            redactor: &self.redactor,
            mailbox: &mailbox,
            tree: dir.to_owned(),
            free_bytes_min: limits.free_bytes_min,
        });
        let patience =
            Patience { timeout: limits.timeout, stall: limits.stall.or(tool.stall_default()) };
        let supervised =
            supervise(child, &mut self.keeper, &self.shared, patience, &mut agent).await?;
        // What was written last is told with the end of the run.
        agent.tick(&self.keeper);
        let facts = agent.finish();
        self.note_facts(&facts);
        Ok(self.executed(supervised, facts, &mailbox))
    }

    /// Keeps what the program has said about itself.
    fn note_facts(&mut self, facts: &Facts) {
        let usage = self.usage(facts.usage.clone());
        self.keeper.report(|report| {
            report.usage = Some(usage);
            false
        });
        if facts.session.is_some() {
            self.note(|record| record.session.clone_from(&facts.session));
        }
        if let Some(cost) = &facts.usage.cost_usd {
            self.shared.costs.add(cost);
        }
    }

    /// What the end says, without secrets that its texts may quote.
    fn executed(&self, supervised: Supervised, mut facts: Facts, mailbox: &Mailbox) -> Executed {
        let Supervised { ended, mut cause } = supervised;
        let mut verdict = self.verdict_on(&ended, cause.is_some(), &facts);
        let is_interrupted = verdict.outcome == Outcome::Interrupted;
        if is_interrupted && cause.is_none() && self.shared.stage() > Stage::Running {
            // The machine shuts down: everything got a signal.
            cause = Some(Cause::Drained);
        }
        let redact = |text| self.redactor.redact(text);
        verdict.message = redact(verdict.message);
        facts.redact(redact);
        let said = mailbox.outcome();
        let said = said.map(|said| Said { message: redact(said.message), ..said });
        Executed { verdict, facts, cause, said }
    }

    fn verdict_on(&self, ended: &Ended, was_stopped: bool, facts: &Facts) -> Verdict {
        let mut verdict = classify::classify(self.crew.tool, ended.exit, was_stopped, facts);
        let reasons_of_user = &self.shared.config.exit_map;
        if let Exit::Code(code) = ended.exit
            && let Some((_, reason)) = reasons_of_user.iter().find(|(known, _)| *known == code)
        {
            verdict.outcome = Outcome::Failed(reason);
        }
        if let Some(failure) = &ended.guard_failure {
            // Not the agent's doing.
            verdict.outcome = Outcome::Failed(reasons::SETUP_FAILED);
            verdict.message = format!("The guard of the run was ended from outside: {failure}");
        }
        if !ended.left.is_empty() {
            let left = format!("octopoid: processes of another user are left: {:?}", ended.left);
            self.log.line(&left);
        }
        verdict
    }
}
