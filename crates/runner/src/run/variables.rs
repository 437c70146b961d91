//! The environment of an agent, of setup commands and of checks.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use super::Run;
use crate::{environment::Variables, mailbox::Mailbox, process::MARK, workspace::Tree};

/// The first port that an agent may listen on, and how many each slot has: so that the servers which
/// agents start for tests do not meet.
const PORTS: (usize, usize) = (4_000, 20);

/// The trace that a program works in, by the convention of OpenTelemetry.
const TRACEPARENT: &str = "TRACEPARENT";

impl Run {
    /// The environment of commands in a work tree. The agent's own has the key of its run as well.
    pub(super) fn variables(&self, tree: &Tree, mailbox: &Mailbox) -> io::Result<Variables> {
        let config = &self.shared.config;
        let mut variables = config.environment.apply(std::env::vars_os());
        let temporary = self.record.temporary();
        DirBuilder::new().recursive(true).mode(0o700).create(&temporary)?;
        let task_file = self.folder.path.join("task.json");
        fs::write(&task_file, self.task_json())?;
        let path = |path: &Path| path.as_os_str().to_owned();
        let text = |text: &str| OsString::from(text.replace('\0', ""));
        let own = [
            ("OCTOPOID_SERVER", text(&config.server)),
            ("OCTOPOID_SCOPE", text(&config.scope)),
            ("OCTOPOID_USER", text(&self.record.agent)),
            ("OCTOPOID_AGENT_NAME", text(&self.record.agent)),
            ("OCTOPOID_TASK_ID", text(&self.task.id)),
            ("OCTOPOID_TASK_TITLE", text(self.task.title.as_deref().unwrap_or_default())),
            ("OCTOPOID_TASK_FILE", path(&task_file)),
            ("OCTOPOID_ATTEMPT", text(&self.task.attempt.unwrap_or_default().to_string())),
            ("OCTOPOID_RUN", text(&self.record.run.to_string())),
            ("OCTOPOID_SLOT", text(&self.slot.to_string())),
            ("OCTOPOID_WORKTREE", path(&tree.path)),
            ("OCTOPOID_BRANCH", text(tree.branch.as_deref().unwrap_or_default())),
            ("OCTOPOID_BASE", text(&tree.base)),
            ("OCTOPOID_BASE_SHA", text(&tree.base_sha)),
            ("OCTOPOID_OUTCOME_FILE", path(&mailbox.outcome_file())),
            ("OCTOPOID_PROGRESS_FILE", path(&mailbox.progress_file())),
            ("OCTOPOID_CHECKPOINT_FILE", path(&mailbox.checkpoint_file())),
            ("OCTOPOID_MESSAGES_FILE", path(&mailbox.messages_file())),
            ("OCTOPOID_PORT_BASE", text(&(PORTS.0 + PORTS.1 * self.slot).to_string())),
            (MARK, text(&self.record.mark)),
            ("TMPDIR", path(&temporary)),
            ("TMP", path(&temporary)),
            ("TEMP", path(&temporary)),
        ];
        // Agents call this program; it need not be in the path of its user.
        if let (Some(program), Some(at)) =
            (config.guard.first(), variables.iter().position(|(name, _)| name == "PATH"))
            && let Some(folder) = Path::new(program).parent()
        {
            let path = &mut variables[at].1;
            let folders = std::env::split_paths(path).chain([folder.to_owned()]);
            *path = std::env::join_paths(folders).unwrap_or_else(|_| path.clone());
        }
        let own = own.map(|(name, value)| (OsString::from(name), value));
        variables.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        variables.extend(own);
        // The runner's own trace says nothing about the task's.
        variables.retain(|(name, _)| name != TRACEPARENT);
        let trace = self.task.traceparent.as_deref().map(text);
        variables.extend(trace.map(|trace| (OsString::from(TRACEPARENT), trace)));
        Ok(variables)
    }

    /// The same with the key of the run, and what the agent's program needs.
    pub(super) fn agent_variables(&self, mut variables: Variables) -> Variables {
        if let Some(key) = &self.task.run_key {
            variables.push(("OCTOPOID_KEY".into(), key.into()));
        }
        for (name, value) in self.crew.tool.environment() {
            variables.retain(|(other, _)| other != name);
            variables.push((name.into(), value.into()));
        }
        variables
    }

    /// The task as the agent may see it: without the token, which is for the runner alone.
    fn task_json(&self) -> String {
        let mut task = serde_json::to_value(&self.task).unwrap_or_default();
        if let Some(members) = task.as_object_mut() {
            members.shift_remove("lease_token");
            members.shift_remove("run_key");
        }
        serde_json::to_string_pretty(&task).unwrap_or_default()
    }
}
