//! Opens a pull request by GitHub's program `gh`.

use std::{process::Stdio, time::Duration};

use octopoid_domain::{ClaimedTask, text::cut};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{environment::Policy, workspace::Tree};

/// How long `gh` may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Bytes of the description. GitHub takes 65,536 characters.
const BODY_BYTES_MAX: usize = 60_000;

/// Opens a pull request for a branch that was pushed, and returns its address. If there is one
/// already, that is the one.
pub(super) async fn open(tree: &Tree, task: &ClaimedTask) -> Result<String, String> {
    let title = task.title.as_deref().unwrap_or(&task.id);
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let content = cut(task.content.as_deref().unwrap_or_default(), BODY_BYTES_MAX);
    let body = format!("{content}\n\nTask {}\n", task.id);
    let branch = tree.branch.as_deref().unwrap_or_default();
    // The description is too long for an argument, perhaps.
    let create =
        ["pr", "create", "--head", branch, "--base", &tree.base, "--title", &title, "--body-file"];
    let created = gh(tree, &[&create[..], &["-"]].concat(), &body).await;
    match created {
        Ok(url) => Ok(url),
        Err(error) if error.contains("already exists") => {
            gh(tree, &["pr", "view", branch, "--json", "url", "--jq", ".url"], "").await
        }
        Err(error) => Err(error),
    }
}

async fn gh(tree: &Tree, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new("gh");
    // The key of the runner is none of its business, nor of its extensions'.
    command.env_clear().envs(Policy::default().apply(std::env::vars_os()));
    command.args(arguments).current_dir(&tree.path).env("GH_PROMPT_DISABLED", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("gh cannot be started: {error}"))?;
    let stdin = child.stdin.take();
    let output = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // It may end without having read it.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        tokio::join!(write, child.wait_with_output()).1
    };
    let output = tokio::time::timeout(TIMEOUT, output).await;
    let output = output.map_err(|_| format!("gh took longer than {} s", TIMEOUT.as_secs()))?;
    let output = output.map_err(|error| format!("the output of gh cannot be read: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        // Hints may stand before the address.
        Ok(text(&output.stdout).lines().last().unwrap_or_default().to_owned())
    } else {
        Err(format!("gh pr: {}", text(&output.stderr)))
    }
}
