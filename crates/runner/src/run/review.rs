//! A run for a review: the agent is given the task and the change, and its verdict accepts or rejects
//! the work.

use octopoid_client::Error as ClientError;
use octopoid_domain::{
    input::{Id, Prose, Text},
    run::Outcome,
    steps::{Accept, Reject},
};
use serde_json::Value;

use super::{
    After, Concluded, Run,
    work::{Executed, Refused, short},
};
use crate::{
    hand_in::HandIn,
    judge::{self, Failure},
    mailbox::{Said, Word},
    prompt::{Context, Template},
    reasons,
    workspace::{Submitted, Tree},
};

/// Bytes of the change that stand in the prompt. The rest is in the work tree.
const DIFF_BYTES_MAX: usize = 60 << 10;

/// How a reviewer ends its run.
const ENDING: &str = "\
## How to end

Write your verdict to the file `$OCTOPOID_OUTCOME_FILE`: `accept` or `reject` in the first line, and the
reason in the lines below. A reason to reject is given to the next attempt: say what is wrong, where, and what
to do instead. If you cannot write the file, end your answer with the line `VERDICT: accept` or
`VERDICT: reject`.
";

impl Run {
    /// Reviews the work on the task.
    pub(super) async fn review(&mut self) -> Concluded {
        let (tree, submitted) = match self.submitted_tree().await {
            Ok(found) => found,
            Err(failure) => return self.failed(&failure, None, None, None),
        };
        self.note(|record| record.tree = Some(tree.path.clone()));
        match self.look(&tree, &submitted).await {
            Ok(executed) => self.verdict(tree, executed).await,
            Err(Refused::Failure(failure)) => self.failed(&failure, Some(tree), None, None),
            Err(Refused::Cause(cause)) => self.stopped(&cause, tree),
        }
    }

    /// A work tree with what the last run for work has submitted.
    async fn submitted_tree(&self) -> Result<(Tree, Submitted), Failure> {
        let setup = |text: String| Failure::new(reasons::SETUP_FAILED, &text);
        let submitted = self.submitted_work().await?;
        let submitted = submitted.ok_or_else(|| {
            setup(
                "No run of this task has submitted a commit or a patch that could be looked at"
                    .into(),
            )
        })?;
        let tree =
            self.shared.place.review(&self.task.id, self.base_of(&submitted), &submitted).await;
        Ok((tree.map_err(|error| setup(error.to_string()))?, submitted))
    }

    /// The branch that work goes to: the one that it was made from, if its result says it.
    pub(super) fn base_of<'a>(&'a self, submitted: &'a Submitted) -> Option<&'a str> {
        submitted.base.as_deref().or(self.base())
    }

    /// The result of the last run that has submitted work.
    pub(super) async fn submitted_work(&self) -> Result<Option<Submitted>, Failure> {
        let found = self.find_submitted_work().await;
        found.map_err(|error| Failure::new(reasons::NETWORK, &error.to_string()))
    }

    async fn find_submitted_work(&self) -> Result<Option<Submitted>, ClientError> {
        let client = &self.shared.config.client;
        let Some(run) = self.last_submitted_run().await? else { return Ok(None) };
        let result = client.get_run(&self.task.id, run).await?.result;
        let text = |name: &str| result[name].as_str().map(str::to_owned);
        let has_work = result["head_sha"].is_string() || result["patch"].is_string();
        Ok(has_work.then(|| Submitted {
            branch: text("branch"),
            base: text("base"),
            base_sha: text("base_sha"),
            head_sha: text("head_sha"),
            patch: text("patch"),
            is_patch_truncated: result["patch_truncated"] == Value::Bool(true),
        }))
    }

    /// The number of the run whose work was handed in last. A run that has failed may have a result
    /// too; it is not what is to be looked at.
    async fn last_submitted_run(&self) -> Result<Option<i64>, ClientError> {
        let mut cursor = None;
        loop {
            let mut query = vec![("limit", "100")];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let runs = self.shared.config.client.list_task_runs(&self.task.id, &query).await?;
            let found = runs.items.iter().find(|run| run.outcome == Outcome::Submitted);
            if let Some(run) = found {
                return Ok(Some(run.run));
            }
            // Reviews and merges that could not be done may be many.
            let Some(next) = runs.next_cursor else { return Ok(None) };
            cursor = Some(next);
        }
    }

    async fn look(&mut self, tree: &Tree, submitted: &Submitted) -> Result<Executed, Refused> {
        let prepared = self.prepare(tree).await?;
        let failed = |error: crate::workspace::Error| {
            Refused::Failure(Failure::new(reasons::SETUP_FAILED, &error.to_string()))
        };
        let found = tree.diff(DIFF_BYTES_MAX).await.map_err(failed)?;
        let (diff, is_cut) = (found.text, found.is_truncated);
        // A fence that is longer than any in the change.
        let longest = diff.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let rest = if is_cut {
            format!("\nThe rest is left out: `git diff {}` shows all of it.\n", tree.base_sha)
        } else {
            String::new()
        };
        let diff = format!("{fence}diff\n{}\n{fence}\n{rest}", diff.trim_end());
        let base = format!("{} at {}", tree.base, short(&tree.base_sha));
        let branch = submitted.branch.clone().unwrap_or_default();
        let template = self.crew.template.clone().unwrap_or_else(Template::review);
        let context =
            Context { task: &self.task, branch: &branch, base: &base, ending: ENDING, diff: &diff };
        let prompt = template.render(&context);
        self.execute(&prompt, &tree.path, prepared).await
    }

    async fn verdict(&mut self, tree: Tree, executed: Executed) -> Concluded {
        let is_ended = executed.ended_well();
        let Executed { verdict, facts, cause, said } = executed;
        let usage = self.usage(facts.usage.clone());
        let said = said.or_else(|| Said::of_verdict(&facts.summary));
        let said = said.or_else(|| Said::of_verdict(&facts.plain_tail));
        match said {
            Some(Said { word: Word::Accept, message }) if is_ended => {
                let queue = match self.shared.config.client.next_after_review(&self.task).await {
                    Ok(queue) => queue,
                    Err(error) => {
                        let failure = Failure::new(reasons::NETWORK, &error.to_string());
                        return self.failed(&failure, Some(tree), Some(usage), None);
                    }
                };
                self.accepted(Some(tree), queue, &message)
            }
            Some(Said { word: Word::Reject, message }) if is_ended => {
                let message = if message.is_empty() { facts.summary } else { message };
                self.rejected(tree, &message)
            }
            said => {
                let case = judge::Case {
                    verdict: &verdict,
                    facts: &facts,
                    cause: cause.as_ref(),
                    said: said.as_ref(),
                    evidence: &judge::Evidence::default(),
                    no_change: judge::NoChange::Fail,
                };
                let failure = match judge::judge(&case) {
                    judge::End::Nothing => return self.lost(Some(tree)),
                    judge::End::Fail(failure) if !is_ended => failure,
                    _ => Failure::new(reasons::EMPTY_OUTPUT, "The reviewer gave no verdict"),
                };
                self.failed(&failure, Some(tree), Some(usage), None)
            }
        }
    }

    pub(super) fn accepted(
        &self,
        tree: Option<Tree>,
        queue: Option<String>,
        message: &str,
    ) -> Concluded {
        let kind = if queue.is_some() { "approved" } else { "accepted" };
        let body = Accept {
            accepted_by: Text(Some(self.record.agent.clone())),
            agent_name: Text(Some(self.record.agent.clone())),
            orchestrator_id: Id(Some(self.shared.machine_id.clone())),
            lease_token: self.record.token.clone(),
            queue: Text(queue),
            ..Accept::default()
        };
        Concluded {
            hand_in: Some(HandIn::Accept(Box::new(body))),
            tree,
            kind,
            text: message.lines().next().unwrap_or_default().to_owned(),
            is_success: true,
            after: After::Next,
        }
    }

    pub(super) fn rejected(&self, tree: Tree, reason: &str) -> Concluded {
        let reason = match reason.trim() {
            "" => "The reviewer rejects the work and gives no reason",
            reason => reason,
        };
        let body = Reject {
            reason: Prose(Some(reason.to_owned())),
            rejected_by: Text(Some(self.record.agent.clone())),
            agent_name: Text(Some(self.record.agent.clone())),
            orchestrator_id: Id(Some(self.shared.machine_id.clone())),
            lease_token: self.record.token.clone(),
            ..Reject::default()
        };
        Concluded {
            hand_in: Some(HandIn::Reject(Box::new(body))),
            tree: Some(tree),
            kind: "rejected",
            text: reason.lines().next().unwrap_or_default().to_owned(),
            is_success: true,
            after: After::Next,
        }
    }
}
