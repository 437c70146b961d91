//! Opens a pull request by GitHub's program `gh`.

use std::{process::Stdio, time::Duration};

use octopoid_domain::ClaimedTask;
use tokio::process::Command;

use crate::workspace::Tree;

/// How long `gh` may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Opens a pull request for a branch that was pushed, and returns its address. If there is one
/// already, that is the one.
pub(super) async fn open(tree: &Tree, task: &ClaimedTask) -> Result<String, String> {
    let title = task.title.clone().unwrap_or_else(|| task.id.clone());
    let body = format!("{}\n\nTask {}", task.content.as_deref().unwrap_or_default(), task.id);
    let branch = tree.branch.as_deref().unwrap_or_default();
    let create =
        ["pr", "create", "--head", branch, "--base", &tree.base, "--title", &title, "--body"];
    let created = gh(tree, &[&create[..], &[&body]].concat()).await;
    match created {
        Ok(url) => Ok(url),
        Err(error) if error.contains("already exists") => {
            gh(tree, &["pr", "view", branch, "--json", "url", "--jq", ".url"]).await
        }
        Err(error) => Err(error),
    }
}

async fn gh(tree: &Tree, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("gh");
    command.args(arguments).current_dir(&tree.path).env("GH_PROMPT_DISABLED", "1");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(TIMEOUT, command.output());
    let output =
        output.await.map_err(|_| format!("gh took longer than {} s", TIMEOUT.as_secs()))?;
    let output = output.map_err(|error| format!("gh cannot be started: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        // Hints may stand before the address.
        Ok(text(&output.stdout).lines().last().unwrap_or_default().to_owned())
    } else {
        Err(format!("gh pr: {}", text(&output.stderr)))
    }
}
