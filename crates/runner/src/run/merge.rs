//! A run for a merge: the approved work is rebased onto its base branch, checked again, and the base
//! branch is moved forward.

use std::path::Path;

use super::{
    After, Concluded, Run,
    work::{Refused, of_tree, short},
};
use crate::{
    judge::{self, End, Failure},
    reasons,
    workspace::{Advance, Error, Rebase, Submitted, Tree},
};

/// How often a base branch may move while the work is checked.
const TRIES: u32 = 5;

/// A failure for which the server asks a person, and holds the task where it is until there is an
/// answer.
const BLOCKED: &str = "blocked";

fn blocked(tree: &Tree, path: Option<&Path>, text: &str) -> Refused {
    let place = path.map(|path| format!(" in {}", path.display())).unwrap_or_default();
    let text = format!(
        "Cannot merge into {}{place}: {text}\nMake way, then answer this question: the merge is tried \
         again.",
        tree.base
    );
    Refused::Failure(Failure::new(BLOCKED, &text))
}

/// Why git has not done its part. Some of it will not change before a person does something: a base
/// that is no branch, or a remote that protects it.
fn refused(tree: &Tree, error: &Error) -> Refused {
    match error {
        Error::Repository(text) | Error::Refused(text) => blocked(tree, None, text),
        other => Refused::Failure(of_tree(&other)),
    }
}

/// How a merge ends.
enum Merged {
    /// The base branch has the work.
    Done(String),
    /// The work is to be done again.
    Rejected(String),
}

impl Run {
    /// Merges the work on the task.
    pub(super) async fn merge(&mut self) -> Concluded {
        let submitted = match self.submitted_work().await {
            Ok(Some(submitted)) => submitted,
            // Handed in by a person, or by a program that keeps its work elsewhere.
            Ok(None) => return self.accepted(None, None, "no run has submitted a commit to merge"),
            Err(failure) => return self.failed(&failure, None, None, None),
        };
        let mut tree = match self.approved_tree(&submitted).await {
            Ok(tree) => tree,
            Err(failure) => return self.failed(&failure, None, None, None),
        };
        self.note(|record| record.tree = Some(tree.path.clone()));
        match self.bring_in(&mut tree).await {
            Ok(Merged::Done(text)) => {
                let mut concluded = self.accepted(Some(tree), None, &text);
                concluded.kind = "merged";
                concluded
            }
            Ok(Merged::Rejected(reason)) => self.rejected(tree, &reason),
            Err(Refused::Failure(failure)) => {
                let is_blocked = failure.reason == BLOCKED;
                let concluded = self.failed(&failure, Some(tree), None, None);
                // Other work can be merged while a person makes way.
                let after = if is_blocked { After::Next } else { concluded.after };
                Concluded { after, ..concluded }
            }
            Err(Refused::Cause(cause)) => self.stopped(&cause, tree),
        }
    }

    async fn approved_tree(&self, submitted: &Submitted) -> Result<Tree, Failure> {
        let base = self.base_of(submitted);
        let tree = self.shared.place.merge(&self.task.id, base, submitted).await;
        let tree = tree.map_err(|error| Failure::new(reasons::SETUP_FAILED, &error.to_string()))?;
        match &submitted.base {
            // Merging it into another branch would be a surprise.
            Some(base) if *base != tree.base && self.shared.config.workspace.base.is_none() => {
                let text = format!("The work is for the branch `{base}`, which is not here");
                Err(Failure::new(reasons::SETUP_FAILED, &text))
            }
            _ => Ok(tree),
        }
    }

    async fn bring_in(&mut self, tree: &mut Tree) -> Result<Merged, Refused> {
        for _ in 0..TRIES {
            let sha = match tree.rebase().await.map_err(|error| refused(tree, &error))? {
                Rebase::Done(sha) => sha,
                Rebase::Blocked { path, text } => return Err(blocked(tree, Some(&path), &text)),
                Rebase::Conflict { files, text } => {
                    let files = files.join(", ");
                    return Ok(Merged::Rejected(format!(
                        "The work conflicts with {} in {files}. Rebase your branch onto it and resolve \
                         the conflicts.\n{text}",
                        tree.base
                    )));
                }
            };
            if !self.shared.config.checks.is_empty() {
                self.prepare(tree).await?;
            }
            let checks = self.check(tree).await?;
            if let End::Fail(failure) = judge::checked(&checks) {
                if failure.reason != judge::CHECK_FAILED {
                    return Err(Refused::Failure(failure));
                }
                return Ok(Merged::Rejected(format!(
                    "After a rebase onto {}, a check fails. {}",
                    tree.base, failure.message
                )));
            }
            match tree.advance(&sha).await.map_err(|error| refused(tree, &error))? {
                Advance::Done => {
                    let text = format!("{} is at {}", tree.base, short(&sha));
                    return Ok(Merged::Done(text));
                }
                // Another merge was faster: what was checked is not what would be merged.
                Advance::Moved => {}
                Advance::Blocked { path, text } => {
                    return Err(blocked(tree, Some(&path), &text));
                }
            }
        }
        let text = format!("{} has moved {TRIES} times while the work was checked", tree.base);
        Err(Refused::Failure(Failure::new(reasons::SETUP_FAILED, &text)))
    }
}
