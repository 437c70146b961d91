//! A run for a merge: the approved work is rebased onto its base branch, checked again, and the base
//! branch is moved forward.

use std::path::Path;

use super::{
    After, Concluded, Run,
    work::{Refused, short},
};
use crate::{
    judge::{self, End, Failure},
    reasons,
    workspace::{Advance, Rebase, Submitted, Tree},
};

/// How often a base branch may move while the work is checked.
const TRIES: u32 = 5;

fn blocked(tree: &Tree, path: &Path, text: &str) -> Merged {
    Merged::Blocked(format!(
        "Cannot merge into {} in {}: {text}\nMake way, then answer this question: the merge is tried \
         again.",
        tree.base,
        path.display()
    ))
}

/// How a merge ends.
enum Merged {
    /// The base branch has the work.
    Done(String),
    /// The work is to be done again.
    Rejected(String),
    /// A person must make way.
    Blocked(String),
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
            Ok(Merged::Blocked(text)) => {
                // The server asks a person, and holds the task where it is until there is an answer:
                // other work can be merged meanwhile.
                let concluded =
                    self.failed(&Failure::new("blocked", &text), Some(tree), None, None);
                Concluded { after: After::Next, ..concluded }
            }
            Err(Refused::Failure(failure)) => self.failed(&failure, Some(tree), None, None),
            Err(Refused::Cause(cause)) => self.stopped(&cause, tree),
        }
    }

    async fn approved_tree(&self, submitted: &Submitted) -> Result<Tree, Failure> {
        let tree = self.shared.place.merge(&self.task.id, self.base(), submitted).await;
        tree.map_err(|error| Failure::new(reasons::SETUP_FAILED, &error.to_string()))
    }

    async fn bring_in(&mut self, tree: &mut Tree) -> Result<Merged, Refused> {
        let failed = |error: crate::workspace::Error| {
            Refused::Failure(Failure::new("worktree_error", &error.to_string()))
        };
        for _ in 0..TRIES {
            let sha = match tree.rebase().await.map_err(failed)? {
                Rebase::Done(sha) => sha,
                Rebase::Blocked { path, text } => return Ok(blocked(tree, &path, &text)),
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
                return Ok(Merged::Rejected(format!(
                    "After a rebase onto {}, a check fails. {}",
                    tree.base, failure.message
                )));
            }
            match tree.advance(&sha).await.map_err(failed)? {
                Advance::Done => {
                    let text = format!("{} is at {}", tree.base, short(&sha));
                    return Ok(Merged::Done(text));
                }
                // Another merge was faster: what was checked is not what would be merged.
                Advance::Moved => {}
                Advance::Blocked { path, text } => return Ok(blocked(tree, &path, &text)),
            }
        }
        let text = format!("{} has moved {TRIES} times while the work was checked", tree.base);
        Err(Refused::Failure(Failure::new(reasons::SETUP_FAILED, &text)))
    }
}
