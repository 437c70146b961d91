//! The commands: a file for each noun, with a struct for each verb.

pub(crate) mod action;
pub(crate) mod add;
pub(crate) mod agent;
pub(crate) mod backup;
pub(crate) mod board;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod draft;
pub(crate) mod events;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod key;
pub(crate) mod log_level;
pub(crate) mod manual;
pub(crate) mod mcp;
pub(crate) mod message;
pub(crate) mod orch;
pub(crate) mod pause;
pub(crate) mod project;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod up;
pub(crate) mod webhook;

use std::{fs, io, path::Path};

use crate::failure::{Failure, Outcome};

/// Declares the verbs of a noun, and `Args`, which chooses one of them and runs it.
macro_rules! verbs {
    ($($(#[$attribute:meta])* $name:ident => $verb:ty,)*) => {
        /// A noun's arguments: a verb with its own.
        #[derive(Debug, clap::Args)]
        pub(crate) struct Args {
            #[command(subcommand)]
            verb: Verb,
        }

        #[derive(Debug, clap::Subcommand)]
        enum Verb {
            $($(#[$attribute])* $name(Box<$verb>),)*
        }

        impl $crate::session::Run for Args {
            async fn run(&self, session: &$crate::session::Session) -> $crate::failure::Outcome {
                match &self.verb {
                    $(Verb::$name(verb) => $crate::session::Run::run(&**verb, session).await,)*
                }
            }
        }
    };
}
pub(crate) use verbs;

/// Reads a file, or the standard input if it is `-`.
fn read_text(path: &Path) -> Outcome<String> {
    let read = if path.as_os_str() == "-" {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}
