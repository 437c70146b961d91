//! The manual: completions for shells, pages for `man`, and docs/cli.md, all of them from the
//! description of the command line.

mod markdown;

use std::{fs, path::PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// The commands of the manual.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Manual {
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual: a page for each command, for man.
    Man {
        /// Folder to write the pages to.
        #[arg(required_unless_present = "markdown")]
        folder: Option<PathBuf>,
        /// Print all of it as one page of Markdown instead.
        #[arg(long, conflicts_with = "folder")]
        markdown: bool,
    },
}

impl Manual {
    /// Writes or prints what was asked for of the manual of this command line.
    pub(crate) fn run<T: CommandFactory>(&self) -> Outcome {
        let mut command = T::command();
        match self {
            Self::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut command, "octopoid", &mut text);
                output::print(&String::from_utf8_lossy(&text))
            }
            Self::Man { folder: Some(folder), .. } => {
                pages(&command, folder).map_err(|error| {
                    Failure::other(format!("cannot write to {}: {error}", folder.display()))
                })?;
                output::print(&format!("man -M {} octopoid\n", folder.display()))
            }
            Self::Man { .. } => {
                command.build();
                output::print(&markdown::page(&command))
            }
        }
    }
}

/// Writes the page of each command, where man looks for it.
fn pages(command: &Command, folder: &std::path::Path) -> std::io::Result<()> {
    let section = folder.join("man1");
    fs::create_dir_all(&section)?;
    clap_mangen::generate_to(command.clone(), section)
}
