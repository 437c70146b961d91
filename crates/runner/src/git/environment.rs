//! The surroundings of git.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use crate::environment::is_own;

/// Variables that lead git to another repository, index or object store than the folder it runs in,
/// or change how it reads paths and prints differences. A hook or an alias of git that starts the
/// runner sets some of them. They are to be removed as well for an agent that works in a work tree.
///
/// Source: `git rev-parse --local-env-vars`, without the ones that carry the user's settings.
pub const REDIRECTING: [&str; 20] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// git in this folder with these settings, without a command.
pub(super) fn command(dir: &Path, config: &[String]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its own group: Ctrl-C at the terminal is for the runner, and a commit is not left half done.
    command.process_group(0).kill_on_drop(true);
    for name in REDIRECTING {
        command.env_remove(name);
    }
    // Hooks may be the agent's.
    command.env_remove("API_SECRET_KEY");
    for (name, _) in std::env::vars_os() {
        if is_own(&name) {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    // Nothing is edited here: a text that git would let a person edit is taken as it is.
    command.env("GIT_EDITOR", "true").env("GIT_SEQUENCE_EDITOR", "true").env("GIT_PAGER", "cat");
    // A watcher for each work tree would outlive it.
    command.args(["-c", "core.fsmonitor=false"]);
    for setting in config {
        command.arg("-c").arg(setting);
    }
    command
}
