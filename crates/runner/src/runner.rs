//! The runner as a whole: it registers the machine, claims tasks for its free slots, and comes to an
//! end when it is told to.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use octopoid_client::Error as ClientError;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    answers::{is_of_key, is_passing},
    clock,
    config::Config,
    costs::Costs,
    crew, janitor, machine,
    notice::Notices,
    records::Records,
    recovery,
    workspace::Place,
};

/// How far the runner is from its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It claims tasks.
    #[default]
    Running,
    /// It claims none, and lets its runs come to their end.
    Draining,
    /// It stops its runs, and gives their tasks back.
    Stopping,
}

/// The pause after a registration that was not answered.
const REGISTRATION_PAUSE: Duration = Duration::from_secs(2);

/// Why a runner came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused a request for which there is no remedy but another configuration.
    #[error("{0}")]
    Server(#[from] ClientError),
    /// The state folder cannot be used.
    #[error("cannot use the state folder {folder}: {error}", folder = .0.display(), error = .1)]
    State(std::path::PathBuf, io::Error),
}

/// What all slots share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) records: Records,
    pub(crate) costs: Costs,
    pub(crate) notices: Notices,
    /// What the user wants.
    pub(crate) stage: watch::Receiver<Stage>,
    /// Whether the server hands this machine no more work.
    pub(crate) is_drained: watch::Sender<bool>,
    /// Whether a crew cannot go on.
    pub(crate) is_failing: watch::Sender<bool>,
    /// How often reviews and merges of a task have failed in a row.
    pub(crate) failures_in_place: Mutex<HashMap<String, u32>>,
    /// The id of the machine.
    pub(crate) machine_id: String,
    /// How many runs are going on.
    pub(crate) busy: AtomicUsize,
    /// How many runs have begun.
    pub(crate) begun: AtomicU64,
}

impl Shared {
    /// How far the runner is from its end.
    pub(crate) fn stage(&self) -> Stage {
        let stage = *self.stage.borrow();
        if *self.is_failing.borrow() { stage.max(Stage::Draining) } else { stage }
    }

    /// Waits until the runner is at least so far. A crew that cannot go on drains the others.
    pub(crate) async fn at_least(&self, stage: Stage) {
        let mut stages = self.stage.clone();
        let told = async {
            if stages.wait_for(|now| *now >= stage).await.is_err() {
                // Its sender has gone: there is no one who could stop the runner.
                std::future::pending::<()>().await;
            }
        };
        let mut failing = self.is_failing.subscribe();
        let failed = async {
            if stage > Stage::Draining || failing.wait_for(|is_failing| *is_failing).await.is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = told => {}
            () = failed => {}
        }
    }

    /// Whether the runner may begin another run.
    pub(crate) fn has_runs_left(&self) -> bool {
        let begun = self.begun.load(Ordering::Relaxed);
        self.config.until.runs_max.is_none_or(|max| begun < max)
    }
}

/// Registers the machine. A server that does not answer is asked again: it may be starting.
async fn register(config: &Config, notices: &Notices, machine: &str) -> Result<String, Error> {
    let mut is_told = false;
    loop {
        match machine::register(config, notices, machine).await {
            Err(error) if is_passing(&error) && !is_of_key(&error) => {
                if !std::mem::replace(&mut is_told, true) {
                    notices.tell("offline", format!("{error}; asking again"));
                }
                clock::pause(REGISTRATION_PAUSE).await;
            }
            registered => return Ok(registered?),
        }
    }
}

/// Runs agents in a repository until the stage says that it is time to end, or nothing is left to do.
pub async fn run(
    config: Config,
    place: Place,
    notices: Notices,
    stage: watch::Receiver<Stage>,
) -> Result<(), Error> {
    let unusable = |error| Error::State(config.state.clone(), error);
    let (machine, _machine_lock) = machine::name(&config).map_err(unusable)?;
    let registered = register(&config, &notices, &machine);
    let mut told = stage.clone();
    let machine_id = tokio::select! {
        registered = registered => registered?,
        Ok(_) = told.wait_for(|stage| *stage > Stage::Running) => return Ok(()),
    };
    let shared = Arc::new(Shared {
        place,
        records: Records::new(&config.state),
        costs: Costs::new(&config),
        notices,
        stage,
        is_drained: watch::Sender::new(false),
        is_failing: watch::Sender::new(false),
        failures_in_place: Mutex::default(),
        machine_id,
        busy: AtomicUsize::new(0),
        begun: AtomicU64::new(0),
        config,
    });
    recovery::recover(&shared);
    let heart = tokio::spawn(machine::beat(Arc::clone(&shared), machine.clone()));
    let janitor = tokio::spawn(janitor::work(Arc::clone(&shared)));
    let mut crews = JoinSet::new();
    for crew in &shared.config.crews {
        let unusable = |error| Error::State(shared.config.state.clone(), error);
        let slots = crew::slots(&shared.config.state, crew, &machine).map_err(unusable)?;
        crews.spawn(crew::work(Arc::clone(&shared), Arc::new(crew.clone()), slots));
    }
    let mut result = Ok(());
    while let Some(ended) = crews.join_next().await {
        match ended {
            Ok(Err(error)) => {
                // The other crews let their runs come to their end.
                shared.is_failing.send_replace(true);
                result = Err(error);
            }
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Ok(Ok(())) | Err(_) => {}
        }
    }
    heart.abort();
    janitor.abort();
    result
}
