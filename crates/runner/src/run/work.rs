//! A run for work.

use std::{fmt::Display, io, time::Duration};

use octopoid_domain::{
    input::{Id, Prose, Text},
    report::RunResult,
    steps::Submit,
    usage::Usage,
};
use serde_json::{Map, Value};

use super::{
    After, Concluded, Run,
    result::{result, summary},
};
use crate::{
    classify::{Outcome, Verdict},
    clock,
    config::OnDirty,
    environment::Variables,
    facts::Facts,
    git,
    hand_in::HandIn,
    judge::{self, Case, Cause, Check, End, Evidence, Failure},
    mailbox::{Mailbox, Said, Word},
    prompt::{Context, Template},
    reasons,
    workspace::{self, Snapshot, Tree},
};

/// Bytes of a patch. With what JSON adds, it fits into a request to the edge as well.
const PATCH_BYTES_MAX: usize = 512 << 10;

/// The pauses between attempts to push.
const PUSH_PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// How an agent ends its run.
const ENDING: &str = "\
## How to end

Commit your work on this branch, in commits with good messages; do not push, and do not merge. Work that is
not committed may be lost. Then write how it ended to the file `$OCTOPOID_OUTCOME_FILE`: one word in the
first line, and what a person should know in the lines below.

* `done`: the work is committed. Say in a few lines what you did.
* `no_change`: there was nothing to change. Say why.
* `needs_input`: you need a decision. Ask one question that can be answered without having seen your work.
* `blocked`: something outside of this task must happen first. Say what.
* `failed`: it cannot be done like this. Say why.

While you work, you may write what you do to `$OCTOPOID_PROGRESS_FILE` (`40% porting the parser`), and what the
next attempt should know to `$OCTOPOID_CHECKPOINT_FILE`. `octopoid agent guide` says more.
";

/// An agent's program that has ended.
pub(super) struct Executed {
    pub(super) verdict: Verdict,
    pub(super) facts: Facts,
    pub(super) cause: Option<Cause>,
    pub(super) said: Option<Said>,
}

impl Executed {
    /// Whether the program ended by itself, and not with a failure.
    pub(super) fn ended_well(&self) -> bool {
        let is_good = matches!(self.verdict.outcome, Outcome::Success | Outcome::Unknown);
        self.cause.is_none() && is_good
    }
}

/// A work tree in which commands can be run.
pub(super) struct Prepared {
    pub(super) mailbox: Mailbox,
    pub(super) variables: Variables,
}

/// Why something could not be begun.
pub(super) enum Refused {
    Failure(Failure),
    Cause(Cause),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failure(Failure::new(reasons::SETUP_FAILED, &error.to_string()))
    }
}

impl Run {
    /// Works on the task.
    pub(super) async fn work(&mut self) -> Concluded {
        let mut tree = match self.shared.place.work(&self.task.id, self.base()).await {
            Ok(tree) => tree,
            Err(error) => return self.failed(&of_tree(&error), None, None, None),
        };
        if let Err(failure) = self.count_unsubmitted(&mut tree).await {
            return self.failed(&failure, Some(tree), None, None);
        }
        self.note(|record| {
            record.tree = Some(tree.path.clone());
            record.branch.clone_from(&tree.branch);
        });
        let (before, executed) = match self.attempt(&tree).await {
            Ok(attempted) => attempted,
            Err(Refused::Failure(failure)) => return self.failed(&failure, Some(tree), None, None),
            Err(Refused::Cause(cause)) => return self.stopped(&cause, tree),
        };
        self.judge(tree, before, executed).await
    }

    /// Lets commits count as new that an earlier attempt has made and not submitted: it was stopped, or
    /// a check failed, or they could not be pushed.
    async fn count_unsubmitted(&self, tree: &mut Tree) -> Result<(), Failure> {
        if self.task.previous.is_none() || tree.start_sha == tree.base_sha {
            return Ok(());
        }
        let submitted = self.submitted_work().await?.and_then(|work| work.head_sha);
        let counted = tree.count_from(submitted.as_deref()).await;
        counted.map_err(|error| of_tree(&error))
    }

    /// Runs the agent. Gives the tree as the agent got it too, if that had changes which are not the
    /// agent's work: of an earlier attempt, or of a setup command.
    async fn attempt(&mut self, tree: &Tree) -> Result<(Option<Snapshot>, Executed), Refused> {
        let prepared = self.prepare(tree).await?;
        let may_be_dirty = tree.has_leftovers || !self.shared.config.setup.is_empty();
        let before = if may_be_dirty { tree.snapshot().await } else { Ok(None) };
        let before = before.map_err(|error| Refused::Failure(of_tree(&error)))?;
        let base = format!("{} at {}", tree.base, short(&tree.base_sha));
        let branch = tree.branch.clone().unwrap_or_default();
        let template = self.crew.template.clone().unwrap_or_else(Template::work);
        let context =
            Context { task: &self.task, branch: &branch, base: &base, ending: ENDING, diff: "" };
        let prompt = template.render(&context);
        Ok((before, self.execute(&prompt, &tree.path, prepared).await?))
    }

    /// Makes the mailbox and the environment, and runs the setup commands.
    pub(super) async fn prepare(&mut self, tree: &Tree) -> Result<Prepared, Refused> {
        let mailbox = Mailbox::create(&tree.run_dir())?;
        self.mailbox.send_replace(Some(mailbox.clone()));
        let variables = self.variables(tree, &mailbox)?;
        for command in self.shared.config.setup.clone() {
            let (check, cause) = self.shell(&command, &tree.path, variables.clone()).await?;
            if let Some(cause) = cause {
                return Err(Refused::Cause(cause));
            }
            if check.exit_code != 0 {
                let Check { exit_code, tail, .. } = check;
                let text = format!("The setup command `{command}` ended with {exit_code}:\n{tail}");
                return Err(Refused::Failure(Failure::new(reasons::SETUP_FAILED, &text)));
            }
        }
        Ok(Prepared { mailbox, variables })
    }

    /// What an attempt has left, after its changes were committed where that is wanted. Changes that
    /// were there before and are as they were do not count.
    async fn collect(
        &self,
        tree: &Tree,
        before: Option<&Snapshot>,
        executed: &Executed,
    ) -> Result<workspace::Evidence, Failure> {
        let failed = |error: workspace::Error| of_tree(&error);
        let said = &executed.said;
        let is_untouched = match before {
            Some(before) => tree.snapshot().await.map_err(failed)?.as_ref() == Some(before),
            None => false,
        };
        let is_done =
            said.as_ref().is_none_or(|said| matches!(said.word, Word::Done | Word::NoChange));
        let is_wanted = self.shared.config.on_dirty == OnDirty::Commit;
        if executed.ended_well() && is_done && is_wanted && !is_untouched {
            let title = self.task.title.as_deref().unwrap_or(&self.task.id);
            tree.commit_all(title).await.map_err(|error| not_committed(&error))?;
        }
        let mut found = tree.evidence(PATCH_BYTES_MAX).await.map_err(failed)?;
        if is_untouched {
            self.log.line("octopoid: the changes without a commit are not of this attempt");
            found.dirty.clear();
        }
        Ok(found)
    }

    async fn judge(
        &mut self,
        tree: Tree,
        before: Option<Snapshot>,
        executed: Executed,
    ) -> Concluded {
        let usage = self.usage(executed.facts.usage.clone());
        let found = match self.collect(&tree, before.as_ref(), &executed).await {
            Ok(found) => found,
            Err(failure) => return self.failed(&failure, Some(tree), Some(usage), None),
        };
        let Executed { verdict, facts, cause, said } = executed;
        let evidence = Evidence { commits: found.commits, dirty: found.dirty.clone() };
        let case = Case {
            verdict: &verdict,
            facts: &facts,
            cause: cause.as_ref(),
            said: said.as_ref(),
            evidence: &evidence,
            no_change: self.shared.config.no_change,
        };
        let mut end = judge::judge(&case);
        let mut checks = Vec::new();
        if end == End::Submit {
            match self.check(&tree).await {
                Ok(done) => {
                    end = judge::checked(&done);
                    checks = done;
                }
                Err(Refused::Failure(failure)) => end = End::Fail(failure),
                Err(Refused::Cause(stop)) => return self.stopped(&stop, tree),
            }
        }
        let mut result = result(&tree, &found, &facts, said.as_ref(), &checks, self.crew.tool);
        match end {
            End::Nothing => self.lost(Some(tree)),
            End::Fail(failure) => {
                self.failed(&failure, Some(tree), Some(usage), Some(result.into()))
            }
            End::Submit => {
                // Where nothing is changed, there is no branch to look at.
                let has_work = found.head_sha != found.base_sha;
                if has_work && let Err(failure) = self.publish(&tree, &mut result).await {
                    return self.failed(&failure, Some(tree), Some(usage), Some(result.into()));
                }
                self.submitted(tree, found.commits, &checks, result, usage)
            }
        }
    }

    /// Runs the checks in a work tree.
    pub(super) async fn check(&mut self, tree: &Tree) -> Result<Vec<Check>, Refused> {
        let mut results = Vec::new();
        if self.shared.config.checks.is_empty() {
            return Ok(results);
        }
        // The agent may have replaced its files: checks get their own look at them.
        let variables = self.variables(tree, &Mailbox::create(&tree.run_dir())?)?;
        for command in self.shared.config.checks.clone() {
            let (check, cause) = self.shell(&command, &tree.path, variables.clone()).await?;
            if let Some(cause) = cause {
                return Err(Refused::Cause(cause));
            }
            results.push(check);
        }
        Ok(results)
    }

    /// Pushes the branch, and opens a pull request, where the user wants it.
    async fn publish(&self, tree: &Tree, result: &mut Map<String, Value>) -> Result<(), Failure> {
        if self.shared.config.workspace.remote.is_none() {
            return Ok(());
        }
        let mut pauses = PUSH_PAUSES.into_iter();
        while let Err(error) = tree.push().await {
            // The run was paid for: a remote that is away for a moment does not end it.
            // What a remote has refused, it refuses again.
            let pause = pauses.next().filter(|_| !matches!(error, workspace::Error::Refused(_)));
            let Some(pause) = pause else { return Err(of_tree(&error)) };
            self.log.line(&format!("octopoid: {error}; pushing again in {} s", pause.as_secs()));
            clock::pause(pause).await;
        }
        if self.shared.config.opens_pull_requests {
            let url = super::pull_request::open(tree, &self.task).await;
            result.insert("pr_url".to_owned(), url.map_err(|error| of_tree(&error))?.into());
        }
        Ok(())
    }

    fn submitted(
        &self,
        tree: Tree,
        commits: u64,
        checks: &[Check],
        result: Map<String, Value>,
        usage: Usage,
    ) -> Concluded {
        let text = summary(&result, checks.len(), &usage);
        let body = Submit {
            commits_count: i64::try_from(commits).unwrap_or(i64::MAX).into(),
            // A hundred turns would send the task to `needs_continuation`, which no one claims. The
            // turns are in the usage.
            turns_used: 0.into(),
            execution_notes: Prose(result["summary"].as_str().map(str::to_owned)),
            agent_name: Text(Some(self.record.agent.clone())),
            orchestrator_id: Id(Some(self.shared.machine_id.clone())),
            lease_token: self.record.token.clone(),
            result: Some(RunResult::from(result)),
            usage: Some(usage),
            ..Submit::default()
        };
        Concluded {
            hand_in: Some(HandIn::Submit(Box::new(body))),
            tree: Some(tree),
            kind: "submitted",
            text,
            is_success: true,
            after: After::Next,
        }
    }
}

/// Why an agent's changes cannot be committed. A hook that refuses them and conflicts that are not
/// resolved are for the next attempt to deal with.
fn not_committed(error: &workspace::Error) -> Failure {
    let text = format!("The changes cannot be committed: {error}");
    match error {
        workspace::Error::Git(git::Error::Failed { .. }) => {
            Failure::new(judge::CHECK_FAILED, &text)
        }
        workspace::Error::Tree(_) => Failure::new(reasons::OTHER, &text),
        _ => of_tree(&text),
    }
}

/// The failure of a run whose work tree cannot be used.
pub(super) fn of_tree(error: &dyn Display) -> Failure {
    Failure::new("worktree_error", &error.to_string())
}

/// The beginning of a commit's name.
pub(super) fn short(sha: &str) -> &str {
    &sha[..sha.len().min(8)]
}

/// A command as a person would type it.
pub fn shown(command: &[std::ffi::OsString]) -> String {
    let word = |word: &std::ffi::OsString| {
        let word = word.to_string_lossy();
        let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}
