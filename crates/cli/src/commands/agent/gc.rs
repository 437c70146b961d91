//! `octopoid agent gc`: deletes what is not needed any more.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use octopoid_runner::{records::Records, workspace::Place};
use octopoid_server::duration;
use serde_json::json;

use super::run::{default_options, repository};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::say,
    session::{Run, Session},
    settings::state_folder,
};

/// Delete work trees whose work is merged or pushed, and old output.
#[derive(Debug, clap::Args)]
pub(crate) struct Gc {
    /// Only what has not been used for so long.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    older_than: Duration,
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// Repository [default: the one of the working directory].
    #[arg(long, value_name = "DIR", help_heading = "Work tree")]
    repo: Option<PathBuf>,
    /// Folder with the work trees [default: in the XDG data folder].
    #[arg(long, value_name = "DIR", help_heading = "Work tree")]
    worktree_root: Option<PathBuf>,
}

impl Run for Gc {
    async fn run(&self, session: &Session) -> Outcome {
        let repository = repository(self.repo.as_ref())?.root;
        let options = default_options(&repository, self.worktree_root.as_ref())?;
        let failed = |error: octopoid_runner::workspace::Error| {
            Failure::new(Exit::Failure, error.to_string())
        };
        let place = Place::open(&repository, options).await.map_err(failed)?;
        #[expect(clippy::disallowed_methods, reason = "the age of files is told by this clock")]
        let now = SystemTime::now();
        let swept = place.gc(now, self.older_than, self.dry_run).await.map_err(failed)?;
        if session.output.is_for_people() {
            for tree in &swept {
                say(&format!("{}  {}", tree.path.display(), tree.text))?;
            }
        }
        let before = now.checked_sub(self.older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        let outputs = Records::new(&state_folder()?).delete_before(before, self.dry_run);
        let would = if self.dry_run { "would delete" } else { "deleted" };
        let trees: Vec<_> = swept
            .iter()
            .map(|tree| json!({ "path": tree.path, "is_removed": tree.is_removed, "text": tree.text }))
            .collect();
        let object = json!({ "worktrees": trees, "outputs": outputs, "dry_run": self.dry_run });
        let removed = swept.iter().filter(|tree| tree.is_removed).count();
        session.output.sentence(
            &format!(
                "{would} {removed} of {} work trees, and the output of {outputs} runs",
                swept.len()
            ),
            object,
        )
    }
}
