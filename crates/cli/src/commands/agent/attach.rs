//! `octopoid agent attach`: how to look at an agent's work, and how to go on with its session.

use octopoid_runner::shown;
use serde_json::json;

use crate::{
    failure::{Exit, Failure, Outcome},
    session::{Run, Session},
};

/// Print how to look at an agent's work.
#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// Id of the task, or its beginning or end: its latest run on this machine.
    id: String,
}

impl Run for Attach {
    async fn run(&self, session: &Session) -> Outcome {
        let (folder, record) = super::latest(session, &self.id)?;
        let tree = record.tree.filter(|tree| tree.exists()).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("the work tree of {} is gone", record.task_id))
                .remedy("its branch may be there: git branch --list 'agent/*'")
        })?;
        let word = |text: &str| shown(&[text.into()]);
        let cd = format!("cd {}", word(&tree.display().to_string()));
        let resume = record
            .session
            .and_then(|session| record.tool.resume(&session))
            .map(|command| command.iter().map(|part| word(part)).collect::<Vec<_>>().join(" "));
        let text = match &resume {
            Some(resume) => format!("{cd}\n{resume}"),
            None => cd.clone(),
        };
        let object = json!({
            "task_id": record.task_id,
            "run": record.run,
            "worktree": tree,
            "branch": record.branch,
            "cd": cd,
            "resume": resume,
            "folder": folder,
        });
        session.output.sentence(&text, object)
    }
}
