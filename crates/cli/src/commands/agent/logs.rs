//! `octopoid agent logs`: what an agent has printed, as this machine has kept it.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    time::Duration,
};

use octopoid_runner::records::Records;

use crate::{
    clock::pause,
    failure::{Failure, Outcome},
    session::{Run, Session},
};

/// How often the file is looked at while it is followed.
const PAUSE: Duration = Duration::from_millis(300);

/// Print what an agent has printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Logs {
    /// Id of the task, or its beginning or end: its latest run on this machine.
    id: String,
    /// Go on until the run ends.
    #[arg(short, long)]
    follow: bool,
}

impl Run for Logs {
    async fn run(&self, session: &Session) -> Outcome {
        let (folder, _) = super::latest(session, &self.id)?;
        let path = Records::output_file(&folder);
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot read {}: {error}", path.display()))
        };
        let mut file = File::open(&path).map_err(failed)?;
        let mut offset = 0;
        loop {
            // Looked at before the file: what is printed last is not missed.
            let is_running = Records::is_running(&folder);
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            offset += file.read_to_end(&mut bytes).map_err(failed)? as u64;
            session.output.verbatim(&String::from_utf8_lossy(&bytes))?;
            if !self.follow || !is_running {
                return Ok(());
            }
            pause(PAUSE).await;
        }
    }
}
