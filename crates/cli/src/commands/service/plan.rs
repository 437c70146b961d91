//! What an installation writes and runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{run, succeed};
use crate::{
    failure::{Failure, Outcome},
    files::{remove, replace},
    output::{print, say},
};

/// A file of the service.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Something that is done.
pub(super) enum Step {
    /// A command that has to succeed.
    Run(Vec<String>),
    /// A command whose failure means that there was nothing to do.
    Try(Vec<String>),
    /// A file is removed, if it is there.
    Remove(PathBuf),
}

/// An installation.
pub(super) struct Plan {
    /// The files of the service. They are replaced.
    pub(super) files: Vec<File>,
    /// The file with the token of the administrator. One that is there is kept.
    pub(super) secret: File,
    /// What starts the service.
    pub(super) steps: Vec<Step>,
    /// What is said at the end.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Prints the files, without the secret.
    pub(super) fn print(&self) -> Outcome {
        let shown =
            self.files.iter().map(|file| format!("# {}\n{}", file.path.display(), file.text));
        print(&shown.collect::<Vec<_>>().join("\n"))
    }

    /// Writes the files and starts the service. Below another root, nothing is started.
    pub(super) fn run(&self, root: Option<&Path>) -> Outcome {
        let secret = below(root, &self.secret.path);
        if secret.exists() {
            say(&format!("kept {}", secret.display()))?;
        } else {
            write(&secret, &self.secret.text, 0o600)?;
        }
        for file in &self.files {
            write(&below(root, &file.path), &file.text, 0o644)?;
        }
        if root.is_some() {
            return say("nothing is started: enable the service in the other system");
        }
        self.steps.iter().try_for_each(|step| step.run(root))?;
        self.notes.iter().try_for_each(|note| say(note))
    }
}

impl Step {
    /// Does it, and says so.
    pub(super) fn run(&self, root: Option<&Path>) -> Outcome {
        match self {
            Self::Run(command) => {
                say(&format!("running {}", command.join(" ")))?;
                succeed(command)
            }
            Self::Try(command) => {
                say(&format!("running {}", command.join(" ")))?;
                run(command).map(drop)
            }
            Self::Remove(path) => {
                let path = below(root, path);
                if remove(&path).map_err(|error| cannot("remove", &path, &error))? {
                    say(&format!("removed {}", path.display()))?;
                }
                Ok(())
            }
        }
    }
}

/// The path in the system below another root.
fn below(root: Option<&Path>, path: &Path) -> PathBuf {
    match root {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}

/// Writes a file under another name first, so that there is never half of one.
fn write(path: &Path, text: &str, mode: u32) -> Outcome {
    let unfinished = path.with_extension("unfinished");
    let written = fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))
        .and_then(|()| replace(path, &unfinished, text, mode));
    written.map_err(|error| cannot("write", path, &error))?;
    say(&format!("wrote {}", path.display()))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::other(format!("cannot {what} {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            failure.remedy("run it with sudo, or with --user for a service of this user")
        }
        _ => failure,
    }
}
